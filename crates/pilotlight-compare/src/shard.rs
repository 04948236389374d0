//! A part of a comparison, for machines that share no folder.

use std::{collections::HashMap, fmt, str::FromStr};

use crate::{
    launch::{PlannedRun, RunKind},
    plan::Plan,
};

/// One of several parts of a comparison that have no run in common and are all of it together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Its number, from 1.
    number: usize,
    /// How many there are.
    count: usize,
}

impl Shard {
    /// Leaves the runs of this part in a plan; every part comes to the same division.
    ///
    /// Runs are dealt out one by one. Where learning rates are searched for, the trials of a method at a point and what
    /// they decide on stay together: no other machine knows what they reached.
    pub(crate) fn choose_from(self, plan: &mut Plan, is_searched: bool) {
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut n_dealt = 0;
        let mut is_mine = |run: &PlannedRun| {
            let mut deal = || {
                n_dealt += 1;
                n_dealt - 1
            };
            let number = match is_searched && run.kind != RunKind::Baseline {
                true => *numbers
                    .entry(format!("{} {:?}", run.method, run.point))
                    .or_insert_with(deal),
                false => deal(),
            };
            number % self.count + 1 == self.number
        };
        plan.runs.retain(&mut is_mine);
        plan.waiting.retain(&mut is_mine);
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shard = text.split_once('/').and_then(|(number, count)| {
            Some(Self {
                number: number.parse().ok()?,
                count: count.parse().ok()?,
            })
        });
        shard
            .filter(|it| (1..=it.count).contains(&it.number))
            .ok_or_else(|| "expected NUMBER/COUNT, such as 2/5 for the second of five parts".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_written_as_they_are_read() {
        for text in ["1/1", "2/5", "5/5"] {
            let shard: Shard = text.parse().expect(text);
            assert_eq!(shard.to_string(), text);
        }
        for text in [
            "",
            "1",
            "0/2",
            "3/2",
            "1/0",
            "0/0",
            "-1/2",
            "a/b",
            "1/2/3",
            "1/99999999999999999999",
        ] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
