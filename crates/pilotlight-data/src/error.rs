//! Everything that can be wrong with data, a task or a tokenizer.

use std::{fmt, io, path::PathBuf};

/// Most problems that one report lists; the rest are counted.
const MAX_PROBLEMS: usize = 20;

/// What is wrong with data, a task or a tokenizer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Keys of the experiment file that do not fit together, or records that do not fit the task: all of them.
    #[error("{0}")]
    Problems(Problems),
    /// A tokenizer's file is not what it should be.
    #[error("tokenizer {path}: {message}\nhint: {hint}")]
    Tokenizer {
        /// The file, or `embedded`.
        path: String,
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: String,
    },
}

/// A list of problems; never empty inside a [`DataError`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    listed: Vec<Problem>,
    more: usize,
}

/// One problem: where it is, what was expected and found there, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub place: Place,
    /// What should stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
    /// What to do about it.
    pub hint: String,
}

/// Where a problem is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A key of the experiment file.
    Key(String),
    /// A source of records as a whole.
    Source(String),
    /// A line of a source of records.
    Line {
        /// The source.
        source: String,
        /// The line, from 1.
        line: usize,
        /// The field, if the problem lies in one.
        field: Option<String>,
    },
}

impl Problem {
    /// A problem with a key of the experiment file.
    pub(crate) fn with_key(
        key: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            place: Place::Key(key.into()),
            expected: expected.into(),
            found: found.into(),
            hint: hint.into(),
        }
    }
}

impl Problems {
    /// The problems listed, in the order of their discovery.
    pub fn listed(&self) -> &[Problem] {
        &self.listed
    }

    /// How many more there are.
    pub fn more(&self) -> usize {
        self.more
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        if self.listed.len() < MAX_PROBLEMS {
            self.listed.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Adds the problems of `error`; gives back any other error.
    pub(crate) fn absorb(&mut self, error: DataError) -> Result<(), DataError> {
        match error {
            DataError::Problems(problems) => {
                self.more += problems.more;
                problems
                    .listed
                    .into_iter()
                    .for_each(|problem| self.push(problem));
                Ok(())
            }
            other => Err(other),
        }
    }

    /// An error if there is a problem.
    pub(crate) fn into_result(self) -> Result<(), DataError> {
        if self.listed.is_empty() {
            Ok(())
        } else {
            Err(DataError::Problems(self))
        }
    }
}

impl From<Problem> for DataError {
    fn from(problem: Problem) -> Self {
        Self::Problems(Problems {
            listed: vec![problem],
            more: 0,
        })
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.listed.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            expected,
            found,
            hint,
        } = self;
        write!(f, "{place}: expected {expected}, found {found}")?;
        if !hint.is_empty() {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "`{key}`"),
            Self::Source(source) => write!(f, "{source}"),
            Self::Line {
                source,
                line,
                field: None,
            } => write!(f, "{source}:{line}"),
            Self::Line {
                source,
                line,
                field: Some(field),
            } => write!(f, "{source}:{line}, field `{field}`"),
        }
    }
}

/// `text` in quotes, shortened and without control characters, for use inside a message.
pub(crate) fn quote(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let mut quoted = String::from("\"");
    for (index, character) in text.chars().enumerate() {
        if index == MAX_CHARS {
            return quoted + "...\"";
        }
        if character.is_control() {
            quoted.extend(character.escape_default());
        } else {
            quoted.push(character);
        }
    }
    quoted + "\""
}

/// Names in backquotes, separated by commas; long lists are cut short.
pub(crate) fn list_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MAX_NAMES: usize = 20;
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(MAX_NAMES);
    let mut list = names[..names.len() - more].join(", ");
    if more > 0 {
        list += &format!(" and {more} more");
    }
    list
}

/// The known name that `found` was probably meant to be.
pub(crate) fn closest<'a>(
    found: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    const MIN_SIMILARITY: f64 = 0.75;
    let found = found.trim().to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&found, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// A hint that names what was probably meant, and all that is known.
pub(crate) fn suggest<'a>(found: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let list = list_names(known.clone());
    match closest(found, known) {
        Some(name) => format!("did you mean `{name}`? There are {list}"),
        None => format!("there are {list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_lists_problems_up_to_a_cap_and_counts_the_rest() {
        let mut problems = Problems::default();
        assert!(problems.clone().into_result().is_ok());
        for line in 1..=MAX_PROBLEMS + 3 {
            problems.push(Problem {
                place: Place::Line {
                    source: "a.jsonl".into(),
                    line,
                    field: Some("label".into()),
                },
                expected: "a label".into(),
                found: "nothing".into(),
                hint: "add it".into(),
            });
        }
        let report = DataError::Problems(problems).to_string();
        assert!(report.starts_with(
            "a.jsonl:1, field `label`: expected a label, found nothing\n  hint: add it\n"
        ));
        assert!(report.contains("a.jsonl:20"));
        assert!(!report.contains("a.jsonl:21"));
        assert!(report.ends_with("and 3 more"));
    }

    #[test]
    fn quotes_are_short_and_harmless() {
        assert_eq!(quote("a\u{1b}[31m\n"), "\"a\\u{1b}[31m\\n\"");
        assert_eq!(quote(&"é".repeat(100)).chars().count(), 65);
    }

    #[test]
    fn a_slip_of_the_pen_finds_its_name() {
        assert_eq!(
            closest("Postive", ["negative", "positive"]),
            Some("positive")
        );
        assert_eq!(closest("zebra", ["negative", "positive"]), None);
    }
}
