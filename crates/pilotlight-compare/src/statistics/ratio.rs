//! How many times as large one sample is as another.

use rand::RngExt;

use super::{
    bootstrap::{Bootstrap, Interval},
    descriptive::median,
};

/// The median of `second` in parts of that of `first`, with its percentile bootstrap interval: in each resample both are
/// drawn again with replacement, each for itself (Efron and Tibshirani 1993, two samples). `None` without a value.
pub fn ratio_of_medians(first: &[f64], second: &[f64], bootstrap: &Bootstrap) -> Option<Interval> {
    let value = median(second)? / median(first)?;
    let mut random = bootstrap.random();
    let mut drawn = Vec::with_capacity(first.len().max(second.len()));
    let mut redrawn = |values: &[f64]| {
        drawn.clear();
        drawn.extend((0..values.len()).map(|_| values[random.random_range(0..values.len())]));
        median(&drawn)
    };
    let mut resampled = Vec::with_capacity(bootstrap.resamples);
    for _ in 0..bootstrap.resamples {
        resampled.push(redrawn(second)? / redrawn(first)?);
    }
    Some(Interval::percentile(
        value,
        &resampled,
        bootstrap.confidence,
    ))
}
