//! What can be said of a test set of so many examples. Pure functions.

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::{Deserialize, Serialize};

/// A value and the interval around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The value itself.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

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

/// Share of `true`; `None` of nothing.
pub fn accuracy(correct: &[bool]) -> Option<f64> {
    let hits = correct.iter().filter(|hit| **hit).count();
    (!correct.is_empty()).then(|| hits as f64 / correct.len() as f64)
}

/// Accuracy on `test` of always saying the most frequent class of `train` (the smallest of equals).
pub fn majority_accuracy(train: &[usize], test: &[usize]) -> Option<f64> {
    let n_classes = train.iter().max()? + 1;
    let mut counts = vec![0_usize; n_classes];
    train.iter().for_each(|class| counts[*class] += 1);
    let most = *counts.iter().max()?;
    let majority = counts.iter().position(|count| *count == most)?;
    let hits: Vec<bool> = test.iter().map(|class| *class == majority).collect();
    accuracy(&hits)
}

/// Arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Standard deviation of a sample, with `n - 1` below; `None` of fewer than two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// The middle value, or the mean of the two middle ones; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(&sorted(values), 0.5)
}

/// Quantile of ascending values, linearly interpolated (numpy's default); `None` of nothing.
pub fn quantile(ascending: &[f64], share: f64) -> Option<f64> {
    let last = ascending.len().checked_sub(1)?;
    let position = share.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    let weight = position - below as f64;
    Some(ascending[below] + (ascending[above] - ascending[below]) * weight)
}

/// Percentile bootstrap interval of the mean (Efron 1979): the examples are drawn again with replacement, `resamples`
/// times, and the interval holds the middle `confidence` of the means. `None` of nothing.
pub fn bootstrap_mean(
    values: &[f64],
    resamples: usize,
    confidence: f64,
    seed: u64,
) -> Option<Interval> {
    let value = mean(values)?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let means: Vec<f64> = (0..resamples)
        .map(|_| {
            let draws = (0..values.len()).map(|_| values[random.random_range(0..values.len())]);
            draws.sum::<f64>() / values.len() as f64
        })
        .collect();
    let means = sorted(&means);
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval {
        value,
        low: quantile(&means, tail).unwrap_or(value),
        high: quantile(&means, 1.0 - tail).unwrap_or(value),
    })
}

/// The accuracy of each example's outcome with its bootstrap interval; `None` of nothing.
pub fn bootstrap_accuracy(
    correct: &[bool],
    resamples: usize,
    confidence: f64,
    seed: u64,
) -> Option<Interval> {
    let values: Vec<f64> = correct
        .iter()
        .map(|hit| f64::from(u8::from(*hit)))
        .collect();
    bootstrap_mean(&values, resamples, confidence, seed)
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
        p_value: sign_test(first_only, second_only),
    })
}

/// Two-sided exact binomial test of `first` against `second` at even odds.
fn sign_test(first: usize, second: usize) -> f64 {
    let n = first + second;
    let few = first.min(second);
    if 2 * few >= n {
        return 1.0;
    }
    // log of C(n, k) / 2^n, from one k to the next, so that large n does not underflow before it must.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = log_term.exp();
    for k in 0..few {
        log_term += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
        tail += log_term.exp();
    }
    (2.0 * tail).min(1.0)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests;
