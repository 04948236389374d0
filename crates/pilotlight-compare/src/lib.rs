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
//! | [`matrix`], [`launch`] | several methods and seeds, in one process or in many |
//! | [`table`] | what methods cost and reach, side by side |
//! | [`figure`] | the same as a picture |
//! | [`memory`] | the largest memory of a stretch of work |
//!
//! ```
//! use pilotlight_compare::{presets, statistics::paired};
//!
//! let preset = presets::find("methods")?; // an experiment file inside the program
//! assert!(preset.text.contains("[methods.lora]"));
//! let (lora, prompt) = ([true, true, false], [true, false, false]); // outcomes of the same examples
//! let difference = paired(&lora, &prompt, 1000, 0.95, 1).expect("as many outcomes");
//! assert_eq!((difference.first_only, difference.second_only), (1, 0));
//! # Ok::<(), pilotlight_compare::CompareError>(())
//! ```

pub mod base;
pub mod embedded;
pub mod error;
pub mod experiment;
pub mod figure;
pub mod launch;
pub mod layers;
pub mod matrix;
pub mod memory;
pub mod model_folder;
pub mod presets;
pub mod result;
pub mod run;
pub mod sources;
pub mod statistics;
pub mod table;
pub mod vocabulary;

pub use base::Base;
pub use error::{CompareError, Problem, Problems};
pub use experiment::{
    Axis, AxisValues, BaseConfig, BaseInit, Comparison, ExperimentConfig, MethodConfig, Point,
    Precision, ReportConfig,
};
pub use figure::accuracy_figure;
pub use launch::{ChildProcess, InProcess, Launcher, PlannedRun, RunKind};
pub use layers::{Experiment, Layers, Origins};
pub use matrix::{CompareEvent, FinishedRun, Report, compare, plan};
pub use model_folder::save_model;
pub use result::RunResult;
pub use run::{RunObserver, RunOptions, Stage, Unwatched, run};
pub use sources::{ModelSource, Resolver};
pub use table::Table;
