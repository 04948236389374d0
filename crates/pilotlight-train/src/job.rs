//! What a run is made of, and what comes out of it.

use pilotlight_data::TaskData;

use crate::{
    checkpoint::{Best, Seconds},
    config::TrainConfig,
    metrics::Metric,
    observer::Observer,
    run_folder::RunFolder,
    tuned::Tuned,
};

/// What is to be trained on, how, and where the results go.
pub struct Job<'a> {
    /// The task with its splits.
    pub data: &'a TaskData,
    /// The section `[train]`.
    pub config: &'a TrainConfig,
    /// Seed of the order of examples and of dropout.
    pub seed: u64,
    /// Where metrics and checkpoints go.
    pub run: &'a RunFolder,
    /// Whether to go on from the newest checkpoint, where there is one.
    pub resume: bool,
    /// Who watches.
    pub observer: &'a mut dyn Observer,
}

/// What came out of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The model with the parameters of the best step; of the last one where nothing was validated. Its autodiff is
    /// off.
    pub tuned: Tuned,
    /// All lines of `metrics.jsonl`.
    pub history: Vec<Metric>,
    /// Steps done.
    pub steps: usize,
    /// The evaluation with the lowest validation loss.
    pub best: Option<Best>,
    /// Whether training ended before its last step.
    pub stopped_early: bool,
    /// How long all took, the part before a resume included.
    pub seconds: Seconds,
    /// Number of trained parameters.
    pub n_trained: usize,
}
