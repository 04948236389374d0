//! Two methods on the same test examples, with one seed.

use serde::{Deserialize, Serialize};

use super::{
    bootstrap::{self, Bootstrap, Interval},
    significance::mcnemar,
};

/// Two methods on the same test examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedComparison {
    /// The first method's accuracy minus the second's.
    pub difference: Interval,
    /// Examples that the first alone got right.
    pub first_only: usize,
    /// Examples that the second alone got right.
    pub second_only: usize,
    /// Exact two-sided McNemar test: how likely the two counts would lie as far apart, or farther, if both methods
    /// erred alike.
    pub p_value: f64,
}

/// Percentile bootstrap interval of the mean; `None` of nothing.
pub fn bootstrap_mean(
    values: &[f64],
    resamples: usize,
    confidence: f64,
    seed: u64,
) -> Option<Interval> {
    let bootstrap = Bootstrap {
        resamples,
        confidence,
        seed,
    };
    bootstrap::bootstrap_mean(values, &bootstrap)
}

/// Compares two methods example by example; `None` unless both have outcomes of the same examples.
pub fn paired(
    first: &[bool],
    second: &[bool],
    resamples: usize,
    confidence: f64,
    seed: u64,
) -> Option<PairedComparison> {
    if first.len() != second.len() {
        return None;
    }
    let pairs = || first.iter().zip(second);
    let differences: Vec<f64> = pairs()
        .map(|(first, second)| f64::from(i8::from(*first) - i8::from(*second)))
        .collect();
    let first_only = pairs()
        .filter(|(first, second)| **first && !**second)
        .count();
    let second_only = pairs()
        .filter(|(first, second)| !**first && **second)
        .count();
    Some(PairedComparison {
        difference: bootstrap_mean(&differences, resamples, confidence, seed)?,
        first_only,
        second_only,
        p_value: mcnemar(first_only, second_only),
    })
}
