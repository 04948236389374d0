//! A task with all of its data, ready to train on.

use std::path::PathBuf;

use crate::{
    config::{Head, TaskKind},
    example::Split,
    verbalizer::Verbalizer,
};

/// A task with all of its data, ready to train on.
#[derive(Debug, Clone)]
pub struct TaskData {
    /// What is learned.
    pub kind: TaskKind,
    /// Names of the classes; empty unless the task is classification.
    pub labels: Vec<String>,
    /// The label words, where they read the class off the model.
    pub verbalizer: Option<Verbalizer>,
    /// Examples to train on.
    pub train: Split,
    /// Examples to choose a checkpoint on; may be empty.
    pub validation: Split,
    /// Examples to report on; may be empty.
    pub test: Split,
}

/// What the data need to know of the run they are prepared for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrepareOptions {
    /// Folder to which the paths of the data are relative: that of the experiment file.
    pub folder: PathBuf,
    /// Seed of the run.
    pub seed: u64,
    /// Positions to keep free for the vectors of a soft prompt.
    pub reserve: usize,
    /// The longest sequence of the model.
    pub n_positions: usize,
    /// What reads a class off this architecture, unless the task says otherwise.
    pub head: Head,
}
