//! Means, deviations, quantiles, shares.

/// Share of `true`; `None` of nothing.
pub fn accuracy(correct: &[bool]) -> Option<f64> {
    let hits = correct.iter().filter(|hit| **hit).count();
    (!correct.is_empty()).then(|| hits as f64 / correct.len() as f64)
}

/// Accuracy on `test` of always saying the most frequent class of `train` (the smallest of equals).
pub fn majority_accuracy(train: &[usize], test: &[usize]) -> Option<f64> {
    let majority = majority_class(train)?;
    let hits: Vec<bool> = test.iter().map(|class| *class == majority).collect();
    accuracy(&hits)
}

/// The most frequent class, of equals the smallest; `None` of nothing.
pub fn majority_class(train: &[usize]) -> Option<usize> {
    let n_classes = train.iter().max()? + 1;
    let mut counts = vec![0_usize; n_classes];
    train.iter().for_each(|class| counts[*class] += 1);
    let most = *counts.iter().max()?;
    counts.iter().position(|count| *count == most)
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

pub(super) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}
