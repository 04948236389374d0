//! What a run is found to cost and to reach: `result.json`.

use pilotlight_core::ModelSpec;
use pilotlight_data::{Split, TaskData};
use pilotlight_train::{ConfusionMatrix, Evaluation};
use serde::{Deserialize, Serialize};

use crate::{
    forgetting::Forgetting,
    generated::{TextOutcome, TextScores, perplexities, text_scores},
    machine::Machine,
    run::classes,
    statistics::{Bootstrap, Interval, bootstrap_accuracy},
};

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
    /// What training computes; `None` where nothing was trained, and in results of older versions.
    #[serde(default)]
    pub operations: Option<Operations>,
    /// What the adapter adds to a request; `None` where nothing was saved, and in results of older versions.
    #[serde(default)]
    pub request: Option<RequestCosts>,
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
    /// The loss on general text before and after training, where `report.general` asks for it; `None` in results of
    /// older versions.
    #[serde(default)]
    pub forgetting: Option<Forgetting>,
    /// What the base alone reaches on the test examples, where that was asked for and it can do the task untrained.
    pub untuned: Option<TestResult>,
    /// Accuracy of always saying the most frequent class of the training examples.
    pub majority_accuracy: Option<f64>,
    /// The classes in their order; empty in a task without any, and in results of older versions.
    #[serde(default)]
    pub labels: Vec<String>,
    /// SHA-256 over the base's parameters.
    pub base_hash: BaseHash,
    /// SHA-256 of the files of records; `None` in results of older versions.
    #[serde(default)]
    pub data_hash: Option<DataHash>,
    /// Where the time went.
    pub seconds: Seconds,
    /// What was cut from texts to make them fit.
    pub truncated: Truncated,
    /// What it was done on; `None` in results of older versions.
    #[serde(default)]
    pub machine: Option<Machine>,
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

/// Operations of training: a multiplication and an addition are two, by [formula](crate::arithmetic).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Operations {
    /// Forward and backward, for a token of the training texts.
    pub per_token: f64,
    /// In a second of the steps: loading, evaluation and checkpoints are not part of it.
    pub per_second: Option<f64>,
    /// What the device reaches in products of square matrices of the type that the model computes in; `None` where it is
    /// not known, or where several devices share the steps.
    pub peak_per_second: Option<f64>,
}

impl Operations {
    /// What the steps reach of the device's peak.
    pub fn peak_share(&self) -> Option<f64> {
        Some(self.per_second? / self.peak_per_second?)
    }
}

/// What an adapter, as it is saved and not merged, adds to a request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RequestCosts {
    /// Positions that it takes in every layer, beside those of the text.
    pub extra_positions: usize,
    /// Bytes of their keys and values in all layers, which a decoder holds as long as the request lasts; `None` for an
    /// encoder, which holds none.
    pub extra_kv_bytes: Option<u64>,
    /// How long a request takes; `None` without test examples, or where `report.timed_requests` is 0.
    pub latency: Option<Latency>,
}

impl RequestCosts {
    /// The bytes of so many positions: `positions * n_layers * 2 * n_kv_heads * d_head` values.
    pub fn kv_bytes(positions: usize, spec: &ModelSpec, value_bytes: usize) -> u64 {
        let values = positions * spec.n_layers * 2 * spec.n_kv_heads * spec.d_head;
        (values * value_bytes) as u64
    }
}

/// How long a request takes: one test example by itself, with the adapter and with the base alone by turns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Test examples that were run.
    pub n_requests: usize,
    /// Median with the adapter, in seconds.
    pub seconds: f64,
    /// Median of the base alone.
    pub base_seconds: f64,
    /// The first in parts of the second.
    pub ratio: f64,
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
    /// Mean F1 score of the classes that occur, in a classification task.
    #[serde(default)]
    pub macro_f1: Option<f64>,
    /// Matthews' correlation coefficient, in a classification task.
    #[serde(default)]
    pub mcc: Option<f64>,
    /// Mean of `-log p` over tokens or classes.
    pub loss: f64,
    /// Perplexity of the texts, in a task without classes.
    #[serde(default)]
    pub perplexity: Option<Interval>,
    /// What generated texts are worth, where `report.generate` asks for them.
    #[serde(default)]
    pub generated: Option<TextScores>,
}

impl TestResult {
    /// What the evaluation of a split says; `texts` are its outcomes in a task of texts.
    pub fn new(
        evaluation: &Evaluation,
        texts: &[TextOutcome],
        data: &TaskData,
        split: &Split,
        bootstrap: &Bootstrap,
    ) -> Self {
        let predicted = evaluation.predictions.iter().map(|found| found.class);
        let pairs: Vec<(usize, usize)> = classes(split).into_iter().zip(predicted).collect();
        let correct: Vec<bool> = pairs.iter().map(|(gold, found)| gold == found).collect();
        let confusion = (!pairs.is_empty()).then(|| ConfusionMatrix::new(data.labels.len(), pairs));
        Self {
            n_examples: split.examples.len(),
            accuracy: bootstrap_accuracy(&correct, bootstrap),
            macro_f1: confusion.as_ref().map(ConfusionMatrix::macro_f1),
            mcc: confusion.as_ref().map(ConfusionMatrix::mcc),
            loss: evaluation.loss,
            perplexity: perplexities(&[texts], bootstrap),
            generated: text_scores(&[texts], bootstrap),
        }
    }
}

/// The base's parameters, as a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseHash {
    /// Before training.
    pub before: String,
    /// After training: the same unless `base.train` names parameters.
    pub after: String,
}

/// The files of records, each as the SHA-256 of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataHash {
    /// Of the training file.
    pub train: String,
    /// Of the validation file; `None` where it is split off the training file.
    pub validation: Option<String>,
    /// Of the test file; `None` where it is split off the training file.
    pub test: Option<String>,
}

impl DataHash {
    /// The file that the test examples come from.
    pub(crate) fn of_test(&self) -> &str {
        self.test.as_ref().unwrap_or(&self.train)
    }
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
    /// Evaluating on the test examples, without generation.
    pub test: f64,
    /// Writing texts for the test examples.
    #[serde(default)]
    pub generation: f64,
    /// Evaluating on general text, before and after training.
    #[serde(default)]
    pub general: f64,
    /// Timing requests and the device; 0 in results of older versions.
    #[serde(default)]
    pub costs: f64,
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
