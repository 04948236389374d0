//! Which records are used at all, by the values of their fields.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::{Place, Problem, suggest},
    records::Record,
};

/// Fields and the values that a record may have in them, such as `{ domain = "film" }` or `{ stars = [4, 5] }`.
pub type Filter = IndexMap<String, FieldValues>;

/// One value, or several of which a record may have any.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a value or a list of values")]
pub enum FieldValues {
    /// One value.
    One(FieldValue),
    /// Several values.
    Several(Vec<FieldValue>),
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl FieldValues {
    /// Whether the value of a field is one of these. Delimited files have texts alone: a number is compared by its
    /// spelling then.
    fn allow(&self, found: &Value) -> bool {
        let values = match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Several(values) => values,
        };
        values.iter().any(|value| match (value, found) {
            (value, Value::String(found)) => value.to_string() == *found,
            (FieldValue::Number(value), Value::Number(found)) => found.as_f64() == Some(*value),
            (FieldValue::Integer(value), Value::Number(found)) => found.as_i64() == Some(*value),
            (FieldValue::Boolean(value), Value::Bool(found)) => value == found,
            _ => false,
        })
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "{value}"),
        }
    }
}

/// Whether a record of `source` has an allowed value in every field of the filter. A field that is null has none.
///
/// # Errors
///
/// A problem if the record lacks a field.
pub(crate) fn allows(filter: &Filter, record: &Record, source: &str) -> Result<bool, Problem> {
    let mut is_allowed = true;
    for (field, values) in filter {
        match record.fields.get(field) {
            Some(found) => is_allowed &= values.allow(found),
            None => {
                return Err(Problem {
                    place: Place::Line {
                        source: source.into(),
                        line: record.line,
                        field: Some(field.clone()),
                    },
                    expected: "a field of the filter".into(),
                    found: "no such field".into(),
                    hint: suggest(field, record.fields.keys().map(String::as_str)),
                });
            }
        }
    }
    Ok(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filter: &str, record: &str, expected: Option<bool>) {
        let filter: Filter = toml::from_str(filter).expect("TOML");
        let fields = serde_json::from_str(record).expect("JSON");
        let record = Record { line: 1, fields };
        assert_eq!(allows(&filter, &record, "f").ok(), expected);
    }

    #[test]
    fn records_are_told_by_their_fields() {
        check("a = 'x'", r#"{"a": "x", "b": 1}"#, Some(true));
        check("a = 'x'", r#"{"a": "y"}"#, Some(false));
        check("a = ['x', 'y']", r#"{"a": "y"}"#, Some(true));
        check("a = 'x'\nb = 2", r#"{"a": "x", "b": 1}"#, Some(false));
        check("b = [1, 2]", r#"{"b": 1}"#, Some(true));
        check("b = 1", r#"{"b": "1"}"#, Some(true));
        check("b = 0.5", r#"{"b": 0.5}"#, Some(true));
        check("b = true", r#"{"b": true}"#, Some(true));
        check("b = 'true'", r#"{"b": true}"#, Some(false));
        check("b = 1", r#"{"b": null}"#, Some(false));
        check("b = 1", r#"{"a": 1}"#, None);
        check("", r#"{"a": 1}"#, Some(true));
    }
}
