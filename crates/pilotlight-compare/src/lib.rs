//! Experiment files, runs side by side and their statistics.
//!
//! | module | concept |
//! |---|---|
//! | [`experiment`] | what an experiment file says |
//! | [`layers`] | preset, file, environment and command line as one set of settings |
//! | [`presets`] | ready-made comparisons inside the program |

pub mod error;
pub mod experiment;
pub mod layers;
pub mod presets;
pub mod statistics;

pub use error::{CompareError, Problem, Problems};
pub use experiment::{
    BaseConfig, BaseInit, Comparison, ExperimentConfig, MethodConfig, Precision, ReportConfig,
};
pub use layers::{Experiment, Layers, Origins};
