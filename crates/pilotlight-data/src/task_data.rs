//! A task with all of its data, ready to train on.

use std::path::PathBuf;

use crate::{
    config::{DataConfig, Head, TaskConfig, TaskKind},
    error::{DataError, Place, Problem, Problems},
    example::Split,
    preparer::Preparer,
    source::DataSources,
    splits::{Records, Splits},
    tokenizer::Tokenizer,
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

impl TaskData {
    /// Reads the files that `data` names and makes examples of them.
    ///
    /// # Errors
    ///
    /// If a file cannot be read; else all problems of keys, records and labels in one report.
    pub fn prepare(
        data: &DataConfig,
        task: &TaskConfig,
        tokenizer: &Tokenizer,
        options: &PrepareOptions,
    ) -> Result<Self, DataError> {
        let sources = DataSources::files(data, &options.folder);
        Self::prepare_from(&sources, data, task, tokenizer, options)
    }

    /// Like [`prepare`](Self::prepare), but reads `sources` in place of the files that `data` names.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare).
    pub fn prepare_from(
        sources: &DataSources,
        data: &DataConfig,
        task: &TaskConfig,
        tokenizer: &Tokenizer,
        options: &PrepareOptions,
    ) -> Result<Self, DataError> {
        let mut preparer = Preparer::new(task, tokenizer, options)?;
        let seed = data.seed.unwrap_or(options.seed);
        let (splits, labels) = Splits::read(sources, data, task, seed)?;
        preparer.show(&splits.train, options.seed)?;
        let mut problems = Problems::default();
        let mut split = |records: Records| match preparer.block() {
            Some((block_size, eos)) => records.blocks(&preparer, eos, block_size, &mut problems),
            None => records.examples(&preparer, &mut problems),
        };
        let train = split(splits.train)?;
        let validation = split(splits.validation)?;
        let test = split(splits.test)?;
        problems.into_result()?;
        if train.examples.is_empty() {
            return Err(Problem {
                place: Place::Source(sources.train.name().into_owned()),
                expected: "examples to train on".into(),
                found: "none".into(),
                hint: "are the texts empty?".into(),
            }
            .into());
        }
        Ok(Self {
            kind: task.kind,
            labels,
            verbalizer: preparer.verbalizer().cloned(),
            train,
            validation,
            test,
        })
    }
}
