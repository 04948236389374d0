//! The fields of PEFT's `adapter_config.json`.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::Problems;

/// The fields of an `adapter_config.json`, with what is wrong with them.
#[derive(Debug, Default)]
pub struct PeftFields {
    fields: Map<String, Value>,
    problems: Problems,
}

impl PeftFields {
    pub(crate) fn new(fields: Map<String, Value>) -> Self {
        Self {
            fields,
            problems: Problems::default(),
        }
    }

    /// Sets a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// The field, unless it is missing or null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A field that must be there as a whole number.
    pub fn count(&mut self, name: &str) -> Option<usize> {
        let count = self.get(name).and_then(Value::as_u64);
        if count.is_none() {
            self.expected(name, "a whole number");
        }
        count.and_then(|count| usize::try_from(count).ok())
    }

    /// A number, or `default` where it is missing.
    pub fn number(&mut self, name: &str, default: f64) -> f64 {
        match self.get(name) {
            None => default,
            Some(value) => value.as_f64().unwrap_or_else(|| {
                self.expected(name, "a number");
                default
            }),
        }
    }

    /// A truth value, false where it is missing.
    pub fn flag(&mut self, name: &str) -> bool {
        match self.get(name) {
            None => false,
            Some(value) => value.as_bool().unwrap_or_else(|| {
                self.expected(name, "true or false");
                false
            }),
        }
    }

    /// A text, if there is one.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let text = self.get(name)?.as_str().map(str::to_owned);
        if text.is_none() {
            self.expected(name, "a text");
        }
        text
    }

    /// A value of any form, if there is one; `expected` says which form, where it has another one.
    pub fn read<T: DeserializeOwned>(&mut self, name: &str, expected: &str) -> Option<T> {
        let value = self.get(name)?.clone();
        let value = serde_json::from_value(value).ok();
        if value.is_none() {
            self.expected(name, expected);
        }
        value
    }

    /// Refuses the field unless it is missing, null, false, empty or one of `harmless`: another value would change
    /// the result, and nothing here implements it.
    pub fn refuse(&mut self, name: &str, harmless: &[Value]) {
        let Some(value) = self.get(name) else {
            return;
        };
        let empty = match value {
            Value::Bool(set) => !set,
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        if !empty && !harmless.contains(value) {
            let message = format!("is {value}, which is not supported");
            self.problems.push(name, message);
        }
    }

    /// Records what is wrong with a field.
    pub fn problem(&mut self, name: &str, message: impl Into<String>) {
        self.problems.push(name, message);
    }

    /// Records that a field is not what it should be.
    pub fn expected(&mut self, name: &str, expected: &str) {
        let found = match self.get(name) {
            Some(value) => format!("is {value}"),
            None => "is missing".to_owned(),
        };
        self.problems
            .push(name, format!("{found}, expected {expected}"));
    }

    pub(crate) fn into_parts(self) -> (Map<String, Value>, Problems) {
        (self.fields, self.problems)
    }
}
