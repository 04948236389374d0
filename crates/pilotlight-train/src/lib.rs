//! Training, evaluation, checkpoints and bit-exact resume for tuners of frozen transformers.

mod config;

pub use config::{OptimizerKind, Schedule, TrainConfig};
