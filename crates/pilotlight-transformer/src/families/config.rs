//! Reading a `config.json` that nobody vouches for.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::error::{List, LoadError};

/// More than any width, vocabulary or number of positions, and little enough that products of three do not overflow.
pub(crate) const MAX_WIDTH: usize = 1 << 21;
/// More layers than any model has.
pub(crate) const MAX_LAYERS: usize = 1 << 12;

/// A configuration whose getters record what is wrong and go on with a harmless value, so that all problems of a
/// file come to light together.
#[derive(Debug)]
pub(crate) struct Config {
    path: PathBuf,
    values: Map<String, Value>,
    problems: RefCell<Vec<String>>,
}

impl Config {
    /// Parses the text of a configuration.
    ///
    /// # Errors
    ///
    /// Fails if it is not a JSON object.
    pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<Self, LoadError> {
        let values = serde_json::from_slice(text).map_err(|error| LoadError::File {
            path: path.to_owned(),
            problem: format!("is not a JSON object: {error}"),
            hint: "download or copy the file again".to_owned(),
        })?;
        Ok(Self {
            path: path.to_owned(),
            values,
            problems: RefCell::default(),
        })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if anything was wrong.
    pub(crate) fn finish(&self) -> Result<(), LoadError> {
        let problems = self.problems.take();
        if problems.is_empty() {
            return Ok(());
        }
        Err(LoadError::Config {
            path: self.path.clone(),
            problems: List(problems),
        })
    }

    /// Records that a value is wrong.
    pub(crate) fn problem(&self, key: &str, problem: impl AsRef<str>) {
        let problem = format!("{key} {}", problem.as_ref());
        let mut problems = self.problems.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// A value that is there and not null.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// A count from 1 to `max` that must be there.
    pub(crate) fn count(&self, key: &str, max: usize) -> usize {
        self.optional_count(key, max).unwrap_or_else(|| {
            if self.get(key).is_none() {
                self.problem(key, "is missing");
            }
            1
        })
    }

    /// A count from 1 to `max`, if it is there.
    pub(crate) fn optional_count(&self, key: &str, max: usize) -> Option<usize> {
        let value = self.get(key)?;
        let count = value
            .as_u64()
            .and_then(|count| usize::try_from(count).ok())
            .filter(|count| (1..=max).contains(count));
        if count.is_none() {
            self.problem(
                key,
                format!("is {value}; it must be a number from 1 to {max}"),
            );
        }
        count
    }

    /// A finite number above 0, or `default`.
    pub(crate) fn positive(&self, key: &str, default: f64) -> f64 {
        match self.get(key) {
            Some(value) => self.positive_value(key, value),
            None => default,
        }
    }

    /// Checks that a nested value is a finite number above 0.
    pub(crate) fn positive_value(&self, key: &str, value: &Value) -> f64 {
        let number = value
            .as_f64()
            .filter(|number| number.is_finite() && *number > 0.0);
        number.unwrap_or_else(|| {
            self.problem(key, format!("is {value}; it must be a number above 0"));
            1.0
        })
    }

    /// True or false, or `default`.
    pub(crate) fn flag(&self, key: &str, default: bool) -> bool {
        match self.get(key) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(value) => {
                self.problem(key, format!("is {value}; it must be true or false"));
                default
            }
        }
    }

    /// A text, or `default`.
    pub(crate) fn text<'a>(&'a self, key: &str, default: &'a str) -> &'a str {
        match self.get(key) {
            None => default,
            Some(Value::String(text)) => text,
            Some(value) => {
                self.problem(key, format!("is {value}; it must be a text"));
                default
            }
        }
    }

    /// Whether any of the named architectures ends like this; `default` where none is named.
    pub(crate) fn is_architecture(&self, endings: &[&str], default: bool) -> bool {
        let Some(Value::Array(names)) = self.get("architectures") else {
            return default;
        };
        let names = names.iter().filter_map(Value::as_str);
        names
            .into_iter()
            .any(|name| endings.iter().any(|ending| name.ends_with(ending)))
    }

    /// The names of the `n` classes of a classification head: those of `id2label`, or numbered ones.
    pub(crate) fn labels(&self, n: usize) -> Vec<String> {
        let names = self.get("id2label").and_then(Value::as_object);
        (0..n)
            .map(|id| {
                let name = names.and_then(|names| names.get(&id.to_string())?.as_str());
                name.map_or_else(|| format!("LABEL_{id}"), str::to_owned)
            })
            .collect()
    }
}
