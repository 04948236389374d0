//! Everything that can keep a run from training.

use std::{fmt::Write, io, path::PathBuf};

use pilotlight_transformer::LoadError;
use pilotlight_tuners::TunerError;

/// Why a run cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Keys of the `[train]` section with values that make no sense: all of them.
    #[error("the section [train] cannot be used:{}", list_keys(.0))]
    Config(Vec<(&'static str, String)>),
    /// The data ask for something that the model or its head cannot do.
    #[error("the model does not fit the task: {0}")]
    Unfit(String),
    /// No parameter is trained.
    #[error(
        "nothing to train: the tuner has no parameters and no parameter of the base is trained\n\
         hint: choose another `tuner.method`, or name base parameters in `base.train`"
    )]
    NothingToTrain,
    /// A split without examples.
    #[error("no examples in the {split} split\nhint: see `pilot data show`")]
    NoExamples {
        /// Name of the split.
        split: &'static str,
    },
    /// The loss is not a number, or infinite.
    #[error(
        "the loss is {loss} at step {step}\n\
         hint: lower `train.learning_rate`, raise `train.warmup`, set `train.grad_clip = 1.0`, or use \
         `base.dtype = \"f32\"`"
    )]
    NotFinite {
        /// The step, from 1.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// A checkpoint was made with other settings.
    #[error(
        "{} was made by another run:{}\nhint: resume with the same settings, or start anew in another folder",
        checkpoint.display(), list_differences(.differences)
    )]
    OtherRun {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// What differs.
        differences: Vec<Difference>,
    },
    /// The content of a file is not what it should be.
    #[error("{}: {problem}\nhint: {hint}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        hint: String,
    },
    /// The device fails.
    #[error("the device failed: {0}\nhint: a smaller `train.batch_size` needs less memory")]
    Device(String),
    /// A file or folder cannot be read or written; the source names it.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The adapter cannot be saved or loaded.
    #[error(transparent)]
    Tuner(#[from] TunerError),
    /// Parameters of the base cannot be loaded.
    #[error(transparent)]
    Base(#[from] LoadError),
}

/// A setting that a checkpoint has otherwise than the run that is to resume it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key, for example `train.learning_rate`.
    pub key: String,
    /// Its value in the checkpoint.
    pub checkpoint: String,
    /// Its value in the run.
    pub run: String,
}

impl TrainError {
    /// A file with wrong content.
    pub(crate) fn file(
        path: impl Into<PathBuf>,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::File {
            path: path.into(),
            problem: problem.into(),
            hint: hint.into(),
        }
    }
}

fn list_keys(keys: &[(&'static str, String)]) -> String {
    keys.iter().fold(String::new(), |mut list, (key, problem)| {
        let _ = write!(list, "\n  `train.{key}` {problem}");
        list
    })
}

fn list_differences(differences: &[Difference]) -> String {
    differences.iter().fold(String::new(), |mut list, it| {
        let _ = write!(
            list,
            "\n  `{}` was {} and is {}",
            it.key, it.checkpoint, it.run
        );
        list
    })
}
