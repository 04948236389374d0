//! Everything that can be wrong with an experiment.

use std::{fmt, io, path::PathBuf};

use pilotlight_data::DataError;
use pilotlight_train::TrainError;
use pilotlight_transformer::LoadError;
use pilotlight_tuners::TunerError;

/// What is wrong with an experiment or a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// Settings that are wrong: all of them.
    #[error("{0}")]
    Settings(Problems),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no preset of this name.
    #[error("there is no preset `{name}`\nhint: {hint}")]
    Preset {
        /// The name asked for.
        name: String,
        /// Those that there are.
        hint: String,
    },
    /// A method of a comparison cannot be run.
    #[error("method {method}: {source}")]
    Method {
        /// Its name in tables.
        method: String,
        /// Why not.
        source: Box<CompareError>,
    },
    /// A file with several methods where one is wanted.
    #[error(
        "one run has one method, found {}\nhint: choose one by `--method {}`, or run all by `pilot compare`",
        names.join(", "), names.first().map_or("NAME", String::as_str)
    )]
    Methods {
        /// Their names.
        names: Vec<String>,
    },
    /// A model or a device cannot be had.
    #[error("{message}{}", hint_line(hint))]
    Unresolved {
        /// What is wrong.
        message: String,
        /// What to do about it; may be empty.
        hint: String,
    },
    /// The tokenizer has words that the model lacks.
    #[error(
        "the tokenizer of {model} has {tokenizer_words} entries, the model {model_words} word embeddings\n\
         hint: they do not belong together; copy tokenizer.json and model.safetensors from the same place"
    )]
    Mismatch {
        /// The model.
        model: String,
        /// Entries of the tokenizer.
        tokenizer_words: usize,
        /// Word embeddings of the model.
        model_words: usize,
    },
    /// A folder holds a run of other settings.
    #[error(
        "{} holds a run of other settings: `{key}` differs\n\
         hint: go on with the settings of its resolved.toml, choose another folder, or remove it",
        folder.display()
    )]
    OtherRun {
        /// The folder.
        folder: PathBuf,
        /// The first key that differs, in dotted form.
        key: String,
    },
    /// The content of a file is not what it should be.
    #[error("{}: {message}\nhint: {hint}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// A page cannot be made.
    #[error("the page cannot be made: {message}")]
    Page {
        /// What is wrong with its template.
        message: String,
    },
    /// A folder holds no runs that a report could be made of.
    #[error(
        "{} holds no finished runs\n\
         hint: name the folder that `pilot compare` or `pilot train` was given as `--out`",
        folder.display()
    )]
    NoRuns {
        /// The folder.
        folder: PathBuf,
    },
    /// The model cannot be loaded or saved.
    #[error(transparent)]
    Model(#[from] LoadError),
    /// The tuner cannot be made.
    #[error(transparent)]
    Tuner(#[from] TunerError),
    /// The run cannot be trained or evaluated.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The data, the task or the tokenizer is not what it should be.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// Problems of an experiment; never empty inside a [`CompareError`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// One problem of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the setting was written: a file and its line, a variable, an argument. `None` for settings that were
    /// not written anywhere.
    pub origin: Option<String>,
    /// The key in dotted form, where the problem is one of a key.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

impl Problems {
    /// The problems in the order of their discovery.
    pub fn listed(&self) -> &[Problem] {
        &self.0
    }

    /// Adds a problem, unless it is known already.
    pub(crate) fn push(&mut self, problem: Problem) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// An error if there is a problem.
    pub(crate) fn into_result(self) -> Result<(), CompareError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(CompareError::Settings(self))
        }
    }
}

impl Extend<Problem> for Problems {
    fn extend<T: IntoIterator<Item = Problem>>(&mut self, problems: T) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }
}

impl From<Problem> for CompareError {
    fn from(problem: Problem) -> Self {
        Self::Settings(Problems(vec![problem]))
    }
}

impl CompareError {
    /// Says which method it is about.
    pub(crate) fn of_method(self, method: &str) -> Self {
        Self::Method {
            method: method.to_owned(),
            source: Box::new(self),
        }
    }

    pub(crate) fn file(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        Self::File { path, source }
    }
}

fn hint_line(hint: &str) -> String {
    match hint {
        "" => String::new(),
        hint => format!("\nhint: {hint}"),
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "`{key}`: ")?;
        }
        write!(f, "{}", self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\n  hint: {}", self.hint)?;
        }
        Ok(())
    }
}
