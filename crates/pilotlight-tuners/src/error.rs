//! Everything that can be wrong with a tuner's keys or with its files.

use std::{fmt, io, path::PathBuf};

/// What is wrong with a tuner's keys or with its files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TunerError {
    /// Keys that do not fit together or do not fit the model: all of them.
    #[error("{0}")]
    Keys(Problems),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A folder that should hold an adapter holds none that can be read.
    #[error("{} holds no adapter: {message}\nhint: {hint}", folder.display())]
    NoAdapter {
        /// The folder.
        folder: PathBuf,
        /// What was looked for.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// The content of an adapter's file is not what it should be: all problems.
    #[error("{}: {problems}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problems: Problems,
    },
}

/// A list of problems; never empty inside a [`TunerError`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key of the tuner's section, the field of a file or the name of a tensor.
    pub key: String,
    /// What is wrong with it, and what to do about it.
    pub message: String,
}

impl Problems {
    /// Adds a problem.
    pub fn push(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem {
            key: key.into(),
            message: message.into(),
        });
    }

    /// Adds the problems of a part, whose keys stand behind `prefix`.
    pub(crate) fn extend_from(&mut self, prefix: &str, part: Self) {
        for Problem { key, message } in part.0 {
            self.push(format!("{prefix}{key}"), message);
        }
    }

    /// The problems in the order of their discovery.
    pub fn listed(&self) -> &[Problem] {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An error about keys if there is a problem.
    ///
    /// # Errors
    ///
    /// [`TunerError::Keys`] unless the list is empty.
    pub fn into_result(self) -> Result<(), TunerError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(TunerError::Keys(self))
        }
    }

    /// An error about a file if there is a problem.
    pub(crate) fn in_file(self, path: impl Into<PathBuf>) -> Result<(), TunerError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(TunerError::File {
                path: path.into(),
                problems: self,
            })
        }
    }
}

impl TunerError {
    /// An error about one key.
    pub fn key(key: impl Into<String>, message: impl Into<String>) -> Self {
        let mut problems = Problems::default();
        problems.push(key, message);
        Self::Keys(problems)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { key, message }) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "`{key}` {message}")?;
        }
        Ok(())
    }
}

/// Names in backquotes, separated by commas.
pub(crate) fn list_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// A hint that names what `found` was probably meant to be, and all that there is.
pub(crate) fn suggest(found: &str, known: &[&str]) -> String {
    const MIN_SIMILARITY: f64 = 0.75;
    let closest = known
        .iter()
        .map(|name| (strsim::jaro_winkler(found, name), name))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let list = list_names(known.iter().copied());
    match closest {
        Some((_, name)) => format!("hint: did you mean `{name}`? There are {list}"),
        None => format!("hint: there are {list}"),
    }
}
