//! What predictions are worth, and the lines of `metrics.jsonl`.
//!
//! Pure functions: [`ConfusionMatrix`] for classes, [`BleuCounts`] and [`rouge_l`] for texts, [`perplexity`] for
//! likelihoods.

mod bleu;
mod classification;
mod rouge;

pub use bleu::BleuCounts;
pub use classification::ConfusionMatrix;
pub use rouge::rouge_l;
use serde::{Deserialize, Serialize};

/// Perplexity: `exp` of the mean of `-log p` over tokens. Models with other tokenizers are not comparable by it.
pub fn perplexity(loss: f64) -> f64 {
    loss.exp()
}

/// One optimizer step, or one evaluation. It holds no times, so that a resumed run writes the same lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The step, from 1; of an evaluation the last one in front of it.
    pub step: usize,
    /// `train`, `validation` or `test`.
    pub split: SplitName,
    /// Mean of -log p over the trained tokens (or classes).
    pub loss: f64,
    /// The learning rate of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Norm of the gradient before clipping, where it is clipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_norm: Option<f64>,
    /// Share of right classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Examples seen.
    pub examples: usize,
    /// Trained tokens (or classes) among them.
    pub tokens: usize,
}

/// The split of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitName {
    /// The training examples.
    Train,
    /// Those that choose the best step.
    Validation,
    /// Those that are reported on.
    Test,
}

#[cfg(test)]
mod tests;
