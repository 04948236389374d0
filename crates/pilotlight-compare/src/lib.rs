//! Experiment files, runs side by side and their statistics.
//!
//! | module | concept |
//! |---|---|
//! | [`experiment`] | what an experiment file says |
//! | [`layers`] | preset, file, environment and command line as one set of settings |
//! | [`presets`] | ready-made comparisons inside the program |
//! | [`sources`], [`embedded`] | models and records by their names |
//! | [`model_folder`] | a model as a folder of its own |
//! | [`base`] | a loaded model with its tokenizer, and a task prepared for it |
//! | [`mod@run`] | one run; [`result`]: what came out of it |
//! | [`statistics`] | accuracies, intervals, paired comparisons |
//! | [`survey`], [`arithmetic`] | what runs compute, before they are run |
//! | [`budget`] | equal steps, or equal computation, for every method |
//! | [`mod@plan`] | which runs a comparison consists of |
//! | [`claim`], [`shard`] | which of several workers, or machines, does a run |
//! | [`standing`] | how far a comparison has got; [`estimate`]: what the rest will take |
//! | [`ensembles`] | runs of several seeds that answer together |
//! | [`search`] | the same search for every method's learning rate |
//! | [`matrix`], [`launch`] | these runs, in one process or in many |
//! | [`generated`] | texts of test examples: their perplexity, what is written in their place |
//! | [`forgetting`] | the loss on general text before and after training |
//! | [`finished`] | finished runs with all that they left behind |
//! | [`table`] | what methods cost and reach, side by side |
//! | [`report`] | all of it as documents; [`numbers`], [`text_table`]: numbers and tables as people read them |
//! | [`mod@bench`] | what a training step costs, by method and device |
//! | [`memory`] | the largest memory of a stretch of work |
//! | [`machine`] | what a run is done on; [`peaks`]: the fastest matrix product there |
//!
//! ```
//! use pilotlight_compare::{presets, statistics::{Bootstrap, SeedOutcomes, compare_all}};
//!
//! let preset = presets::find("methods")?; // an experiment file inside the program
//! assert!(preset.text.contains("[methods.lora]"));
//! // Outcomes of one seed on the same examples: 1 is right, 0 is wrong.
//! let run = |values: [f64; 3]| [SeedOutcomes { seed: Some(1), examples: vec![1, 2, 3], values: values.to_vec() }];
//! let (lora, prompt) = (run([1.0, 1.0, 0.0]), run([1.0, 0.0, 0.0]));
//! let bootstrap = Bootstrap { resamples: 1000, confidence: 0.95, seed: 1 };
//! let found = &compare_all(&[&lora, &prompt], &bootstrap)[0];
//! assert_eq!((found.first_better, found.second_better), (1, 0));
//! assert!(found.is_tie, "one example says nothing");
//! # Ok::<(), pilotlight_compare::CompareError>(())
//! ```

pub mod arithmetic;
pub mod base;
mod baseline;
pub mod bench;
pub mod budget;
pub mod claim;
mod delimited;
pub mod embedded;
pub mod ensembles;
pub mod error;
pub mod estimate;
pub mod experiment;
mod figure;
mod files;
pub mod finished;
pub mod forgetting;
pub mod generated;
pub mod launch;
pub mod layers;
pub mod machine;
pub mod matrix;
pub mod memory;
pub mod model_folder;
pub mod numbers;
pub mod peaks;
pub mod plan;
pub mod presets;
pub mod report;
pub mod result;
pub mod run;
pub mod search;
mod shapes;
pub mod shard;
pub mod sources;
pub mod standing;
pub mod statistics;
mod subject;
pub mod survey;
pub mod table;
pub mod text_table;
mod turn;
pub mod vocabulary;

pub use base::Base;
pub use budget::Budget;
pub use claim::{Claim, Worker};
pub use ensembles::{EnsembleConfig, EnsemblesConfig};
pub use error::{CompareError, Problem, Problems};
pub use estimate::{Estimate, Estimates, Evidence};
pub use experiment::{
    Axis, AxisValues, BaseConfig, BaseInit, Comparison, ExperimentConfig, FewShot, MethodConfig,
    Point, Precision, ReportConfig,
};
pub use finished::FinishedRun;
pub use forgetting::{Forgetting, GeneralConfig, GeneralText};
pub use generated::{GenerateConfig, TextScores, Writer};
pub use launch::{ChildProcess, InProcess, Launcher, PlannedRun, RunKind};
pub use layers::{Experiment, Layers, Origins};
pub use matrix::{CompareEvent, CompareOptions, compare};
pub use model_folder::save_model;
pub use plan::{Known, Outcome, Plan, plan};
pub use report::Report;
pub use result::RunResult;
pub use run::{RunObserver, RunOptions, Stage, Unwatched, run};
pub use search::{ChooseBy, Chosen, SearchConfig, Validation};
pub use shard::Shard;
pub use sources::{ModelSource, Resolver};
pub use standing::{Ended, Standing};
pub use survey::{Survey, Work};
pub use table::Table;
pub use text_table::TextTable;
