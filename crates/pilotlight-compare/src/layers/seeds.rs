//! The seeds of a comparison: a list of them, or how many.

use config::{Value, ValueKind};

use super::check;
use crate::error::{Problem, Problems};

/// Most seeds: every method is run with each.
const MAX_SEEDS: u64 = 1000;

/// At least one seed, each once: two runs of the same seed would be the same run. A number of seeds means those from 1
/// to it.
pub(super) fn read(value: &Value, problems: &mut Problems) -> Option<Vec<u64>> {
    let problem = |expected: String| Problem {
        origin: value.origin().map(String::from),
        key: Some("seeds".into()),
        message: format!("expected {expected}"),
        hint: "for example `seeds = [1, 2, 3]`, or `seeds = 3` for the same".into(),
    };
    if let ValueKind::I64(count) = value.kind {
        let count = u64::try_from(count).unwrap_or(0);
        if !(1..=MAX_SEEDS).contains(&count) {
            problems.push(problem(format!("1 to {MAX_SEEDS} seeds, found {value}")));
            return None;
        }
        return Some((1..=count).collect());
    }
    let seeds = check::read::<Vec<u64>>("seeds", value, problems)?;
    let mut seen = seeds.iter().enumerate();
    let twice = seen.find(|(index, seed)| seeds[..*index].contains(seed));
    let found = match twice {
        Some((_, seed)) => format!("{seed} twice"),
        None if seeds.is_empty() => "an empty list".into(),
        None => return Some(seeds),
    };
    problems.push(problem(format!("different seeds, found {found}")));
    None
}
