//! Training, evaluation, checkpoints and bit-exact resume for tuners of frozen transformers.
//!
//! A [`Tuned`] model is a base, a tuner and, for linear classification, a head. [`train`] takes it with a [`Job`]
//! and returns it with the parameters of the best step; [`evaluate`], [`class_logprobs`] and [`choice_logprobs`]
//! ask it; [`save_tuned`] and [`load_tuned`] keep it in a folder. [`Adapters`] are several of them on one base, for
//! many tasks in one batch and for ensembles; [`merge`] folds a tuner into its base.
//!
//! | module | concept |
//! |---|---|
//! | `config` | the section `[train]` |
//! | `tuned` | base, tuner and head together |
//! | `item` | examples as rows and what is asked of them |
//! | `loss` | the loss of a batch and its gradients |
//! | `score`, `words`, `predict` | log-probabilities of tokens, of label words and of classes |
//! | `evaluate` | loss, accuracy and predictions on a split |
//! | `adapters`, `ensemble` | several adapters on one base, and what they say together |
//! | `merge` | a tuner folded into its base |
//! | `order` | which examples a batch takes |
//! | `schedule` | the learning rate of each step |
//! | `optimizer` | Burn's optimizers with a state by parameter paths |
//! | `job`, `trainer` | the training loop, what goes in and what comes out |
//! | `update`, `steps` | one optimizer step; steps alone, to be measured |
//! | `suspects` | trained parameters that learn nothing |
//! | `settings` | what makes a run this run and no other |
//! | `checkpoint`, `run_folder`, `metrics`, `saved` | what is on the disk |
//! | `metrics` | what predictions are worth: classes, texts, likelihoods |
//! | `observer` | what a run tells while it goes on |
//!
//! ```
//! use burn::tensor::Device;
//! use pilotlight_core::TokenRow;
//! use pilotlight_data::{Example, Split, Target, TaskData, TaskKind};
//! use pilotlight_train::{Job, RunFolder, TrainConfig, Tuned, Unobserved, train};
//! use pilotlight_transformer::{LoadOptions, load_folder};
//! use pilotlight_tuners::{InitContext, NoVocabulary, TunerConfig};
//!
//! # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../pilotlight-transformer/tests/goldens/llama_tied");
//! let device = Device::default();
//! let base = load_folder(folder.as_ref(), &LoadOptions::new(&device))?.model;
//! let lora: TunerConfig = serde_json::from_str(r#"{ "method": "lora", "rank": 4 }"#)?;
//! let tuner = lora.init(&InitContext { base: &base, vocabulary: &NoVocabulary, seed: 1, device: &device })?;
//! let example = |ids: Vec<u32>, answer| Example {
//!     input: TokenRow::new(ids),
//!     target: Target::Completion(vec![answer]),
//!     origin: 1,
//! };
//! let data = TaskData {
//!     kind: TaskKind::Completion,
//!     labels: Vec::new(),
//!     verbalizer: None,
//!     train: Split { examples: vec![example(vec![3, 4], 7), example(vec![5], 8)], ..Split::default() },
//!     validation: Split::default(),
//!     test: Split::default(),
//! };
//! let config = TrainConfig { steps: Some(20), batch_size: 2, learning_rate: 1e-2, ..TrainConfig::default() };
//! let run = tempfile::tempdir()?;
//! let run = RunFolder::create(run.path().join("run"))?;
//! let job = Job { data: &data, config: &config, seed: 1, run: &run, resume: false, observer: &mut Unobserved };
//! let outcome = train(Tuned::new(base, tuner, None, None), job)?;
//! assert!(outcome.history[19].loss < outcome.history[0].loss);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The loss
//!
//! The mean of `-log p` over the trained tokens of all examples of an optimizer step:
//!
//! - *completion*: every token of the target, given the input and the target's tokens before it;
//! - *language modelling*: every token of the text but the first;
//! - *classification by label words*: every token of the first word of the right label, as a completion, over the
//!   whole vocabulary and not over the label words alone: PEFT trains causal language models so;
//! - *classification by a linear head*: the right class, over the classes.

mod adapters;
mod checkpoint;
mod config;
mod ensemble;
mod error;
mod evaluate;
mod events;
mod generate;
mod item;
mod job;
mod loss;
mod merge;
mod metrics;
mod observer;
mod optimizer;
mod order;
mod parameters;
mod predict;
mod replicas;
mod run_folder;
mod saved;
mod schedule;
mod score;
mod settings;
mod steps;
mod suspects;
mod tensor_file;
mod trainer;
mod tuned;
mod update;
mod words;

pub use adapters::{Adapters, Answers, Question};
pub use checkpoint::{Best, Seconds};
pub use config::{OptimizerKind, Schedule, TrainConfig};
pub use ensemble::{Combination, EnsemblePrediction, average_logprobs, evaluate_ensemble};
pub use error::{Difference, TrainError};
pub use evaluate::{Evaluation, Likelihood, Prediction, evaluate};
pub use generate::continuations;
pub use job::{Job, Outcome};
pub use merge::{Deviation, deviation, merge};
pub use metrics::{BleuCounts, ConfusionMatrix, Metric, SplitName, perplexity, rouge_l};
pub use observer::{Event, Observer, Unobserved};
pub use optimizer::Optimizer;
pub use order::BatchOrder;
pub use predict::{choice_logprobs, class_logprobs, label_logprobs};
pub use run_folder::{METRICS_FILE, RunFolder};
pub use saved::{load_tuned, save_tuned, trains_base};
pub use schedule::learning_rate;
pub use steps::Steps;
pub use trainer::{train, train_with};
pub use tuned::Tuned;
