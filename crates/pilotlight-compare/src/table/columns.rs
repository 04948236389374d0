//! What methods reach, as text.

use super::{Row, Standing, Table, range};
use crate::{
    numbers::{count, counts, difference, interval, interval_to, percent},
    statistics::PairTest,
    text_table::{Column, TextTable},
};

/// What methods reach; [`super::costs`] has what they cost.
const COLUMNS: &[Column<Row>] = &[
    Column {
        title: "method",
        is_number: false,
        cell: |row| Some(row.label.clone()),
    },
    Column {
        title: "trained parameters",
        is_number: true,
        cell: |row| row.trained.filter(|trained| *trained > 0).map(count),
    },
    Column {
        title: "%",
        is_number: true,
        cell: |row| row.percent.filter(|percent| *percent > 0.0).map(percent),
    },
    Column {
        title: "test accuracy",
        is_number: true,
        cell: |row| row.accuracy.map(interval),
    },
    Column {
        title: "std over seeds",
        is_number: true,
        cell: |row| row.deviation.map(|deviation| format!("{deviation:.3}")),
    },
    Column {
        title: "against the best",
        is_number: false,
        cell: |row| row.standing.map(|standing| standing.name().to_owned()),
    },
    Column {
        title: "macro-F1",
        is_number: true,
        cell: |row| row.macro_f1.map(|score| format!("{:.3}", score.value)),
    },
    Column {
        title: "MCC",
        is_number: true,
        cell: |row| row.mcc.map(|score| format!("{:.3}", score.value)),
    },
    Column {
        title: "whole test set",
        is_number: true,
        cell: |row| row.whole_accuracy.map(interval),
    },
    Column {
        title: "BLEU",
        is_number: true,
        cell: |row| Some(interval_to(row.generated?.bleu, 1)),
    },
    Column {
        title: "ROUGE-L",
        is_number: true,
        cell: |row| Some(interval(row.generated?.rouge_l)),
    },
    Column {
        title: "exact match",
        is_number: true,
        cell: |row| Some(interval(row.generated?.exact_match)),
    },
    Column {
        title: "perplexity",
        is_number: true,
        cell: |row| row.perplexity.map(|value| interval_to(value, 2)),
    },
    Column {
        title: "test loss",
        is_number: true,
        cell: |row| row.loss.map(|loss| format!("{loss:.4}")),
    },
    Column {
        title: "general loss",
        is_number: true,
        cell: |row| row.general_loss.map(difference),
    },
];

impl Table {
    /// What methods reach: the columns that there is anything to put in.
    pub fn results(&self) -> TextTable {
        TextTable::of_rows(COLUMNS, self.rows.iter(), self.notes())
    }

    /// What the numbers mean, one line each.
    fn notes(&self) -> Vec<String> {
        let share = 100.0 * self.confidence;
        let most_seeds = self.rows.iter().map(|row| row.seeds.len()).max();
        let over = match most_seeds.unwrap_or(0) {
            0 | 1 => format!("with the {share}% bootstrap interval over them"),
            n_seeds => format!(
                "the mean over up to {n_seeds} seeds with the {share}% bootstrap interval over seeds and examples"
            ),
        };
        let tested = match self.rows.iter().any(|row| row.accuracy.is_some()) {
            true => "Test accuracy",
            false => "Test scores",
        };
        let examples = match self.n_examples.as_slice() {
            [] => None,
            [n_test] => Some(format!("{} examples", counts(n_test))),
            [n_test, n_whole, ..] => Some(format!(
                "{} examples drawn from the test set, and on all {}",
                counts(n_test),
                counts(n_whole)
            )),
        };
        let mut notes: Vec<String> = examples
            .map(|examples| format!("{tested} on {examples}, {over}."))
            .into_iter()
            .collect();
        notes.extend(self.note_on_general_text());
        notes.extend(self.note_on_pairs());
        notes
    }

    /// What the column of the general loss says.
    fn note_on_general_text(&self) -> Option<String> {
        let mut before: Vec<f64> = self
            .rows
            .iter()
            .filter_map(|row| row.general_loss_before)
            .collect();
        before.sort_by(f64::total_cmp);
        let of_base = match (before.first()?, before.last()?) {
            (lowest, highest) if highest - lowest < 5e-4 => format!("{lowest:.3}"),
            (lowest, highest) => format!("{lowest:.3} to {highest:.3}"),
        };
        Some(format!(
            "General loss: what training adds to the base's loss per token on general text, which is {of_base} without."
        ))
    }

    /// What a tie is.
    fn note_on_pairs(&self) -> Option<String> {
        let mut tests: Vec<&str> = self.comparisons.iter().map(|it| it.test.name()).collect();
        tests.sort();
        tests.dedup();
        let of_models = self
            .comparisons
            .iter()
            .all(|it| it.test != PairTest::Crossed);
        let caveat = match of_models {
            true => " With one seed the tests speak of these trained models, not of the methods.",
            false => "",
        };
        let n_pairs = range(self.comparisons.iter().map(|it| it.n_pairs))?;
        let is_one_set = *n_pairs.end() == self.comparisons.len();
        Some(format!(
            "A tie is a difference to the best that is within noise: {}, corrected for {} {}{} (Holm), does not tell the two \
             apart at {:.2}.{caveat}",
            tests.join(" or "),
            counts(&n_pairs),
            if n_pairs == (1..=1) { "pair" } else { "pairs" },
            if is_one_set { "" } else { " of a test set" },
            1.0 - self.confidence,
        ))
    }
}

impl Standing {
    /// How tables say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Tied => "tie",
            Self::Behind => "lower",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Interval;

    #[test]
    fn a_table_has_the_columns_that_say_something() {
        let table = Table {
            rows: vec![
                Row {
                    label: "majority".into(),
                    accuracy: Some(Interval::exact(0.5)),
                    ..Row::default()
                },
                Row {
                    label: "soft prompt".into(),
                    trained: Some(11_520),
                    percent: Some(0.008_563_2),
                    accuracy: Some(Interval {
                        value: 0.7,
                        low: 0.651,
                        high: 0.75,
                    }),
                    standing: Some(Standing::Tied),
                    seeds: vec![1, 2],
                    ..Row::default()
                },
            ],
            comparisons: Vec::new(),
            confidence: 0.95,
            n_examples: vec![1300..=1300],
        };
        let results = table.results();
        let titles: Vec<&str> = results.titles.iter().map(|(title, _)| *title).collect();
        assert_eq!(
            titles,
            [
                "method",
                "trained parameters",
                "%",
                "test accuracy",
                "against the best"
            ]
        );
        assert_eq!(
            results.cells,
            [
                ["majority", "-", "-", "0.500", "-"],
                [
                    "soft prompt",
                    "11,520",
                    "0.0086",
                    "0.700 [0.651, 0.750]",
                    "tie"
                ],
            ]
        );
        assert_eq!(
            results.notes,
            [
                "Test accuracy on 1,300 examples, the mean over up to 2 seeds with the 95% bootstrap interval over seeds and examples."
            ]
        );
    }
}
