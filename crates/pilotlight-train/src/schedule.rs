//! The learning rate of each step.
//!
//! With T steps, W of them warm-up, and s the step counted from 0, the factor on the learning rate is
//!
//! ```text
//! s < W      s / W
//! constant   1
//! linear     max(0, (T - s) / max(1, T - W))
//! cosine     max(0, (1 + cos(pi (s - W) / max(1, T - W))) / 2)
//! ```
//!
//! as `get_constant_schedule_with_warmup`, `get_linear_schedule_with_warmup` and
//! `get_cosine_schedule_with_warmup` of transformers have it: the first step of a warm-up has rate 0.

use std::f64::consts::PI;

use crate::config::{Schedule, TrainConfig};

/// The learning rate of step `step`, counted from 0, of `n_steps`.
pub fn learning_rate(config: &TrainConfig, step: usize, n_steps: usize) -> f64 {
    config.learning_rate * factor(config.schedule, config.warmup, step, n_steps)
}

fn factor(schedule: Schedule, warmup: usize, step: usize, n_steps: usize) -> f64 {
    if step < warmup {
        return step as f64 / warmup as f64;
    }
    let rest = n_steps.saturating_sub(warmup).max(1) as f64;
    match schedule {
        Schedule::Constant => 1.0,
        Schedule::Linear => n_steps.saturating_sub(step) as f64 / rest,
        Schedule::Cosine => {
            let progress = (step - warmup) as f64 / rest;
            (0.5 * (1.0 + (PI * progress).cos())).max(0.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        schedule: Schedule,
        warmup: usize,
        n_steps: usize,
        factors: Vec<f64>,
    }

    #[test]
    fn factors_are_those_of_transformers() {
        let goldens = include_str!("../tests/goldens/schedules.json");
        let cases: Vec<Case> = serde_json::from_str(goldens).expect("golden file");
        assert!(cases.len() >= 6);
        for case in cases {
            for (step, expected) in case.factors.iter().enumerate() {
                let actual = factor(case.schedule, case.warmup, step, case.n_steps);
                assert!(
                    (actual - expected).abs() < 1e-12,
                    "{:?}, warm-up {}, step {step} of {}: {actual} instead of {expected}",
                    case.schedule,
                    case.warmup,
                    case.n_steps
                );
            }
        }
    }
}
