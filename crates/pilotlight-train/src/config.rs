//! The `[train]` section of an experiment file.

use serde::{Deserialize, Serialize};

/// How a run is trained. Defaults are PyTorch's where PyTorch has one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Number of optimizer steps; without it, `epochs` passes over the training examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// Number of passes over the training examples, where `steps` is not given.
    pub epochs: usize,
    /// Examples of a forward and backward pass.
    pub batch_size: usize,
    /// Batches whose gradients are added up for one optimizer step.
    pub accumulate: usize,
    /// The optimizer.
    pub optimizer: OptimizerKind,
    /// Learning rate at the top of the schedule.
    pub learning_rate: f64,
    /// Decoupled weight decay (AdamW, Adafactor); added to the gradient by SGD.
    pub weight_decay: f32,
    /// Decay rates of AdamW's first and second moment.
    pub betas: [f32; 2],
    /// AdamW's term against division by zero.
    pub epsilon: f32,
    /// SGD's momentum.
    pub momentum: f64,
    /// How the learning rate changes behind the warm-up.
    pub schedule: Schedule,
    /// Steps over which the learning rate rises linearly from zero.
    pub warmup: usize,
    /// Upper bound of the gradient's norm over all trained parameters together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grad_clip: Option<f64>,
    /// Whether every epoch takes the examples in a new seeded order; otherwise in file order, wrapping around.
    pub shuffle: bool,
    /// Whether shuffled examples of like length share a batch, so that little is padded.
    pub bucket_by_length: bool,
    /// Steps between evaluations on the validation split; without it, one at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<usize>,
    /// Rows of an evaluation batch.
    pub eval_batch_size: usize,
    /// Evaluations without an improvement after which training stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// Steps between checkpoints; without it, a tenth of the steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<usize>,
}

/// The optimizers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    #[serde(rename = "adamw")]
    AdamW,
    /// Factored second moments (Shazeer and Stern 2018), at an absolute learning rate.
    Adafactor,
    /// Stochastic gradient descent.
    Sgd,
}

/// The course of the learning rate behind the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// It stays.
    Constant,
    /// It falls linearly to zero at the last step.
    Linear,
    /// It falls to zero along half a cosine.
    Cosine,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            steps: None,
            epochs: 1,
            batch_size: 8,
            accumulate: 1,
            optimizer: OptimizerKind::AdamW,
            learning_rate: 1e-3,
            weight_decay: 1e-2,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            momentum: 0.0,
            schedule: Schedule::Linear,
            warmup: 0,
            grad_clip: None,
            shuffle: true,
            bucket_by_length: true,
            eval_every: None,
            eval_batch_size: 32,
            patience: None,
            checkpoint_every: None,
        }
    }
}

impl TrainConfig {
    /// Everything that is wrong with the values, as `(key, what is wrong)`.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let counts = [
            ("steps", self.steps),
            ("epochs", Some(self.epochs)),
            ("batch_size", Some(self.batch_size)),
            ("accumulate", Some(self.accumulate)),
            ("eval_batch_size", Some(self.eval_batch_size)),
            ("eval_every", self.eval_every),
            ("patience", self.patience),
            ("checkpoint_every", self.checkpoint_every),
        ];
        for (key, value) in counts {
            if value == Some(0) {
                problems.push((key, "must be at least 1".to_owned()));
            }
        }
        let within = |value: f64, low: f64, high: f64| value >= low && value < high;
        let numbers = [
            ("learning_rate", self.learning_rate, 0.0, 1e6),
            ("weight_decay", f64::from(self.weight_decay), 0.0, 1e6),
            ("betas", f64::from(self.betas[0]), 0.0, 1.0),
            ("betas", f64::from(self.betas[1]), 0.0, 1.0),
            ("epsilon", f64::from(self.epsilon), 0.0, 1.0),
            ("momentum", self.momentum, 0.0, 1.0),
        ];
        for (key, value, low, high) in numbers {
            if !within(value, low, high) {
                problems.push((key, format!("is {value}; it must be from {low} to {high}")));
            }
        }
        if self
            .grad_clip
            .is_some_and(|norm| !within(norm, f64::MIN_POSITIVE, 1e9))
        {
            problems.push(("grad_clip", "must be above 0".to_owned()));
        }
        let default = Self::default();
        let adamw = self.optimizer == OptimizerKind::AdamW;
        let sgd = self.optimizer == OptimizerKind::Sgd;
        let readers = [
            ("betas", self.betas != default.betas, adamw, "adamw"),
            ("epsilon", self.epsilon != default.epsilon, adamw, "adamw"),
            ("momentum", self.momentum != default.momentum, sgd, "sgd"),
        ];
        for (key, is_set, is_read, reader) in readers {
            if is_set && !is_read {
                problems.push((key, format!("has no effect: only {reader} reads it")));
            }
        }
        if self.patience.is_some() && self.eval_every.is_none() {
            problems.push((
                "patience",
                "has no effect without eval_every: set how often to evaluate".to_owned(),
            ));
        }
        problems
    }

    /// Number of optimizer steps for `n_examples` training examples.
    pub fn n_steps(&self, n_examples: usize) -> usize {
        let per_step = (self.batch_size * self.accumulate).max(1);
        self.steps
            .unwrap_or_else(|| (n_examples * self.epochs).div_ceil(per_step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(config: TrainConfig, expected: &[&str]) {
        let problems = config.problems();
        let keys: Vec<_> = problems.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, expected, "{problems:?}");
    }

    #[test]
    fn all_problems_come_at_once() {
        check(TrainConfig::default(), &[]);
        let wrong = TrainConfig {
            steps: Some(0),
            batch_size: 0,
            learning_rate: f64::NAN,
            betas: [0.9, 1.0],
            grad_clip: Some(-1.0),
            ..TrainConfig::default()
        };
        check(
            wrong,
            &["steps", "batch_size", "learning_rate", "betas", "grad_clip"],
        );
    }

    #[test]
    fn keys_without_effect_are_problems() {
        let momentum = TrainConfig {
            momentum: 0.9,
            patience: Some(2),
            ..TrainConfig::default()
        };
        check(momentum, &["momentum", "patience"]);
        let betas = TrainConfig {
            optimizer: OptimizerKind::Adafactor,
            betas: [0.9, 0.99],
            epsilon: 1e-6,
            ..TrainConfig::default()
        };
        check(betas, &["betas", "epsilon"]);
    }

    #[test]
    fn epochs_and_steps_are_counted() {
        let config = TrainConfig {
            epochs: 3,
            batch_size: 4,
            accumulate: 2,
            ..TrainConfig::default()
        };
        assert_eq!(config.n_steps(30), 12);
        let config = TrainConfig {
            steps: Some(5),
            ..config
        };
        assert_eq!(config.n_steps(30), 5);
    }
}
