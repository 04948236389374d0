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
//! | `suspects` | trained parameters that learn nothing |
//! | `settings` | what makes a run this run and no other |
//! | `checkpoint`, `run_folder`, `metrics`, `saved` | what is on the disk |
//! | `observer` | what a run tells while it goes on |
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
mod run_folder;
mod saved;
mod schedule;
mod score;
mod settings;
mod suspects;
mod tensor_file;
mod trainer;
mod tuned;
mod words;

pub use adapters::{Adapters, Answers, Question};
pub use checkpoint::{Best, Seconds};
pub use config::{OptimizerKind, Schedule, TrainConfig};
pub use ensemble::{Combination, EnsemblePrediction, average_logprobs, evaluate_ensemble};
pub use error::{Difference, TrainError};
pub use evaluate::{Evaluation, Prediction, evaluate};
pub use job::{Job, Outcome};
pub use merge::{Deviation, deviation, merge};
pub use metrics::{Metric, SplitName};
pub use observer::{Event, Observer, Unobserved};
pub use optimizer::Optimizer;
pub use order::BatchOrder;
pub use predict::{choice_logprobs, class_logprobs, label_logprobs};
pub use run_folder::RunFolder;
pub use saved::{load_tuned, save_tuned, trains_base};
pub use schedule::learning_rate;
pub use trainer::train;
pub use tuned::Tuned;
