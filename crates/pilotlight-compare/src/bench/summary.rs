//! The numbers that follow from what was measured.

use super::{document::Measured, settings::Settings};
use crate::statistics::{median, quantile};

/// The numbers that follow from what was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The time that a tenth of the steps did not exceed, in seconds.
    pub p10: f64,
    /// The median.
    pub p50: f64,
    /// The time that nine tenths of the steps did not exceed.
    pub p90: f64,
    /// Tokens of the texts in a second of steps of the median time; inserted vectors are not counted.
    pub tokens_per_second: f64,
    /// Seconds from the start of the process until the model was on the device.
    pub start_up_seconds: f64,
    /// What the first step of the warm-up took longer than the median; `None` without a warm-up.
    pub compile_seconds: Option<f64>,
    /// Operations per second of steps of the median time, as a share of what the device reaches in a matrix product.
    pub peak_share: Option<f64>,
    /// The memory of the device where it has its own, else that of the process.
    pub memory_bytes: Option<u64>,
    /// Parameters that are trained.
    pub trained_parameters: usize,
}

impl Summary {
    /// Of what was measured with these settings; `None` without a step.
    pub fn of(settings: &Settings, measured: &Measured) -> Option<Self> {
        let mut ascending = measured.step_seconds.clone();
        ascending.sort_by(f64::total_cmp);
        let p50 = median(&ascending)?;
        let peak = measured.peak_operations_per_second;
        let first = measured.warm_up_seconds.first();
        Some(Self {
            p10: quantile(&ascending, 0.1)?,
            p50,
            p90: quantile(&ascending, 0.9)?,
            tokens_per_second: settings.batch as f64 * settings.tokens as f64 / p50,
            start_up_seconds: measured.start_up_seconds,
            compile_seconds: first.map(|first| (first - p50).max(0.0)),
            peak_share: peak.map(|peak| measured.step_operations / p50 / peak),
            memory_bytes: measured.device_memory_bytes.or(measured.peak_memory_bytes),
            trained_parameters: measured.trained_parameters,
        })
    }
}
