//! Metadata values, and reading them with all problems collected.

use std::collections::HashMap;

/// A metadata value; the format's many number types are two here.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Any of the integer types.
    Integer(i128),
    /// f32 or f64.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A string.
    Text(String),
    /// Several values of one type.
    List(Vec<Value>),
}

impl Value {
    /// A count or an index.
    pub(super) fn as_usize(&self) -> Option<usize> {
        match self {
            Self::Integer(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Integer(value) => Some(*value as f64),
            _ => None,
        }
    }

    fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(value) => Some(value),
            _ => None,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Bool(_) => "a truth value",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
        }
    }
}

/// Reads metadata and notes down what is missing or of the wrong type.
#[derive(Debug)]
pub(super) struct Metadata<'a> {
    entries: &'a HashMap<String, Value>,
    /// All that was wrong so far.
    pub(super) problems: Vec<String>,
}

impl<'a> Metadata<'a> {
    pub(super) fn new(entries: &'a HashMap<String, Value>) -> Self {
        Self {
            entries,
            problems: Vec::new(),
        }
    }

    /// Notes `problem` down.
    pub(super) fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    fn read<T>(
        &mut self,
        key: &str,
        expected: &str,
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.entries.get(key)?;
        let converted = convert(value);
        if converted.is_none() {
            self.problem(format!(
                "the metadata `{key}` is {}, where {expected} is expected",
                value.kind()
            ));
        }
        converted
    }

    fn required<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        if !self.entries.contains_key(key) {
            self.problem(format!("the metadata `{key}` is missing"));
        }
        value
    }

    /// A count, if it is given.
    pub(super) fn count(&mut self, key: &str) -> Option<usize> {
        self.read(key, "a count", Value::as_usize)
    }

    /// A count that must be given, and be more than 0; 0 stands for a noted problem.
    pub(super) fn required_count(&mut self, key: &str) -> usize {
        let found = self.count(key);
        let value = self.required(key, found);
        if value == Some(0) {
            self.problem(format!("the metadata `{key}` is 0"));
        }
        value.unwrap_or(0)
    }

    /// A number, if it is given.
    pub(super) fn number(&mut self, key: &str) -> Option<f64> {
        self.read(key, "a number", Value::as_f64)
    }

    /// A number that must be given; 0 stands for a noted problem.
    pub(super) fn required_number(&mut self, key: &str) -> f64 {
        let found = self.number(key);
        self.required(key, found).unwrap_or(0.0)
    }

    /// A truth value, if it is given.
    pub(super) fn truth(&mut self, key: &str) -> Option<bool> {
        self.read(key, "a truth value", Value::as_bool)
    }

    /// A string, if it is given.
    pub(super) fn text(&mut self, key: &str) -> Option<&'a str> {
        self.read(key, "a string", Value::as_text)
    }

    /// A list of strings, if it is given.
    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<&'a str>> {
        self.list(key, "a list of strings", Value::as_text)
    }

    /// A list of counts, if it is given.
    pub(super) fn counts(&mut self, key: &str) -> Option<Vec<usize>> {
        self.list(key, "a list of counts", Value::as_usize)
    }

    /// A list of numbers, if it is given.
    pub(super) fn numbers(&mut self, key: &str) -> Option<Vec<f64>> {
        self.list(key, "a list of numbers", Value::as_f64)
    }

    fn list<T>(
        &mut self,
        key: &str,
        expected: &str,
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.read(key, expected, |value| match value {
            Value::List(items) => items.iter().map(&convert).collect(),
            _ => None,
        })
    }
}
