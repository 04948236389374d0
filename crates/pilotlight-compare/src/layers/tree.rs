//! TOML as a tree of values, each of which remembers where it was written.

use config::{Map, Value, ValueKind};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::error::Problem;

/// One step into a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// The path into the section of this name, as a key.
pub(super) fn dotted(name: &str, path: &[Step]) -> String {
    let mut key = name.to_owned();
    for step in path {
        match step {
            Step::Key(next) if key.is_empty() => key = next.clone(),
            Step::Key(next) => key += &format!(".{next}"),
            Step::Index(index) => key += &format!("[{index}]"),
        }
    }
    key
}

/// The value at the end of a path, if there is one.
pub(super) fn located<'a>(value: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter()
        .try_fold(value, |value, step| match (&value.kind, step) {
            (ValueKind::Table(table), Step::Key(key)) => table.get(key),
            (ValueKind::Array(items), Step::Index(index)) => items.get(*index),
            _ => None,
        })
}

/// The tree with another value at the end of a path that it has.
pub(super) fn replaced(mut tree: Value, path: &[Step], value: &Value) -> Value {
    let place = path
        .iter()
        .try_fold(&mut tree, |node, step| match (&mut node.kind, step) {
            (ValueKind::Table(table), Step::Key(key)) => table.get_mut(key),
            (ValueKind::Array(items), Step::Index(index)) => items.get_mut(*index),
            _ => None,
        });
    if let Some(place) = place {
        *place = value.clone();
    }
    tree
}

/// Where the text of a layer came from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// A file or preset: its name, to which the line is added.
    Lines(String),
    /// A variable or an argument.
    Whole(String),
}

impl Origin {
    fn at(&self, text: &str, byte: usize) -> String {
        match self {
            Self::Lines(name) => {
                let before = text.get(..byte).unwrap_or(text);
                format!("{name}:{}", before.matches('\n').count() + 1)
            }
            Self::Whole(name) => name.clone(),
        }
    }
}

/// Parses a TOML document; all of its mistakes in one report.
pub(super) fn parse(text: &str, origin: &Origin) -> Result<Map<String, Value>, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(table(document.into_inner(), text, origin));
    }
    let start = |error: &toml::de::Error| error.span().map_or(text.len(), |span| span.start);
    let mut errors = errors;
    errors.sort_by_key(start);
    let problems = errors.iter().map(|error| {
        let byte = start(error);
        let line = text.get(..byte).unwrap_or(text).matches('\n').count();
        let line = text.lines().nth(line).unwrap_or_default().trim();
        Problem {
            origin: Some(origin.at(text, byte)),
            key: None,
            message: format!("not TOML: {} in `{line}`", error.message().trim()),
            hint: "texts stand in quotes (model = \"path\"), lists in brackets".into(),
        }
    });
    Err(problems.collect())
}

fn table(table: DeTable<'_>, text: &str, origin: &Origin) -> Map<String, Value> {
    let entries = table.into_iter();
    entries
        .map(|(key, content)| {
            // The key tells the line: a table's own span is that of its last header.
            let place = origin.at(text, key.span().start);
            let content = value(content.into_inner(), text, origin);
            (
                key.into_inner().into_owned(),
                Value::new(Some(&place), content),
            )
        })
        .collect()
}

fn value(value: DeValue<'_>, text: &str, origin: &Origin) -> ValueKind {
    match value {
        DeValue::String(string) => ValueKind::String(string.into_owned()),
        DeValue::Integer(integer) => {
            match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(number) => ValueKind::I64(number),
                // Beyond 64 bits: the text makes the type error that follows readable.
                Err(_) => ValueKind::String(integer.to_string()),
            }
        }
        DeValue::Float(float) => match float.as_str().parse() {
            Ok(number) => ValueKind::Float(number),
            Err(_) => ValueKind::String(float.to_string()),
        },
        DeValue::Boolean(boolean) => ValueKind::Boolean(boolean),
        DeValue::Datetime(datetime) => ValueKind::String(datetime.to_string()),
        DeValue::Array(array) => {
            let items = array.into_iter();
            let items = items.map(|item: Spanned<DeValue<'_>>| {
                let place = origin.at(text, item.span().start);
                Value::new(Some(&place), self::value(item.into_inner(), text, origin))
            });
            ValueKind::Array(items.collect())
        }
        DeValue::Table(inner) => ValueKind::Table(table(inner, text, origin)),
    }
}

/// The table inside a value, if it is one.
pub(super) fn as_table(value: &Value) -> Option<&Map<String, Value>> {
    match &value.kind {
        ValueKind::Table(table) => Some(table),
        _ => None,
    }
}

/// The value without its origins.
pub(super) fn to_toml(value: &Value) -> toml::Value {
    match &value.kind {
        ValueKind::Boolean(boolean) => toml::Value::Boolean(*boolean),
        ValueKind::I64(number) => toml::Value::Integer(*number),
        ValueKind::Float(number) => toml::Value::Float(*number),
        ValueKind::String(string) => toml::Value::String(string.clone()),
        ValueKind::Array(array) => toml::Value::Array(array.iter().map(to_toml).collect()),
        ValueKind::Table(table) => toml::Value::Table(
            table
                .iter()
                .map(|(key, value)| (key.clone(), to_toml(value)))
                .collect(),
        ),
        // Kinds that no TOML document has.
        other => toml::Value::String(other.to_string()),
    }
}
