//! What a run is found to cost and to reach: `result.json`.

use serde::{Deserialize, Serialize};

use crate::statistics::Interval;

/// What came out of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The method's name in `tuner.method`.
    pub method: String,
    /// Seed of the run.
    pub seed: u64,
    /// The model, as the experiment names it.
    pub model: String,
    /// Its `model_type`.
    pub family: String,
    /// What is trained.
    pub parameters: Parameters,
    /// Bytes of the files in `adapter/`; `None` where nothing was trained.
    pub adapter_bytes: Option<u64>,
    /// Optimizer steps done.
    pub steps: usize,
    /// Step whose parameters were kept: that of the lowest validation loss, else the last.
    pub best_step: usize,
    /// Median over the steps, in seconds: loading and evaluation are not part of it.
    pub step_seconds: Option<f64>,
    /// Tokens of the training texts that were read in a second of the steps, soft prompts not counted.
    pub tokens_per_second: Option<f64>,
    /// Largest resident memory of the process while it trained, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// Losses.
    pub loss: Losses,
    /// Share of the validation examples whose class was right at the best step, in a classification task.
    #[serde(default)]
    pub validation_accuracy: Option<f64>,
    /// What the trained model reaches on the test examples; `None` without any, or where there was nothing to test
    /// (a fresh head that was not trained).
    pub test: Option<TestResult>,
    /// The same on the whole test set, where `report.whole_test` asks for it.
    pub whole_test: Option<TestResult>,
    /// What the base alone reaches on the test examples, where that was asked for and it can do the task untrained.
    pub untuned: Option<TestResult>,
    /// Accuracy of always saying the most frequent class of the training examples.
    pub majority_accuracy: Option<f64>,
    /// SHA-256 over the base's parameters.
    pub base_hash: BaseHash,
    /// Where the time went.
    pub seconds: Seconds,
    /// What was cut from texts to make them fit.
    pub truncated: Truncated,
    /// The version of this program.
    pub version: String,
}

/// Numbers of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Those that are trained.
    pub trained: usize,
    /// All: base, tuner and head.
    pub total: usize,
    /// Share of the trained in all, in percent.
    pub percent: f64,
}

/// Mean of `-log p` over trained tokens or classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// Of the last training step.
    pub train: Option<f64>,
    /// The lowest on the validation examples.
    pub validation: Option<f64>,
    /// On the test examples.
    pub test: Option<f64>,
}

/// What a model reaches on test examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// Number of examples.
    pub n_examples: usize,
    /// Share of right classes with its bootstrap interval, in a classification task.
    pub accuracy: Option<Interval>,
    /// Mean of `-log p` over tokens or classes.
    pub loss: f64,
}

/// The base's parameters, as a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseHash {
    /// Before training.
    pub before: String,
    /// After training: the same unless `base.train` names parameters.
    pub after: String,
}

/// Where the time of a run went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Loading the model.
    pub load: f64,
    /// Reading and tokenizing the data.
    pub prepare: f64,
    /// Evaluating the untuned base.
    pub untuned: f64,
    /// Optimizer steps alone, those before a resume included.
    pub training: f64,
    /// Evaluations on the validation examples.
    pub validation: f64,
    /// Writing checkpoints.
    pub checkpoints: f64,
    /// Evaluating on the test examples.
    pub test: f64,
    /// All, since the last start.
    pub total: f64,
}

/// What was cut from texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncated {
    /// Examples that were shortened, of all splits.
    pub examples: usize,
    /// Tokens cut from them.
    pub tokens: usize,
}

/// The outcome for one test example: a line of `predictions.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestOutcome {
    /// Line of the test file, from 1.
    pub line: usize,
    /// The right label.
    pub label: String,
    /// The predicted one.
    pub prediction: String,
    /// Log-probability of each label, in the order of the classes.
    pub log_probabilities: Vec<f64>,
}
