//! All layers on top of each other.

use config::{Map, Source, Value};
use indexmap::IndexMap;

use super::{overlay::Layer, together, tree::as_table};
use crate::error::Problem;

/// Whether a key stands at the top of a file and is none of a run.
pub(super) fn is_of_comparisons(key: &str) -> bool {
    ["methods", "preset"].contains(&key) || together::KEYS.contains(&key)
}

/// Layers on top of each other, the weakest first.
pub(super) fn stacked<'a>(
    layers: impl IntoIterator<Item = &'a Map<String, Value>>,
) -> Map<String, Value> {
    // As a list and not by a `ConfigBuilder`, which reads the top-level keys as paths and forgets the origins of
    // their tables.
    let layers = layers.into_iter();
    let sources: Vec<Box<dyn Source + Send + Sync>> = layers
        .map(|layer| Box::new(Layer(layer.clone())) as Box<dyn Source + Send + Sync>)
        .collect();
    // A layer that is in memory already cannot fail to be read.
    sources.collect().unwrap_or_default()
}

/// The settings of each method of `[methods]`, in the order of their first mention. Of every layer, what it says to
/// all methods comes below what it says to the method.
pub(super) fn methods(
    layers: &[Map<String, Value>],
) -> Result<IndexMap<String, Map<String, Value>>, Problem> {
    let mut names: Vec<&String> = Vec::new();
    for layer in layers {
        for (name, value) in tables_of(layer)?.into_iter().flatten() {
            if as_table(value).is_none() {
                return Err(not_a_table(&format!("methods.{name}"), value));
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let shared: Vec<Map<String, Value>> = layers
        .iter()
        .map(|layer| {
            let mut shared = layer.clone();
            shared.retain(|key, _| !is_of_comparisons(key));
            shared
        })
        .collect();
    let settings = names.into_iter().map(|name| {
        let mut parts = Vec::new();
        for (layer, shared) in layers.iter().zip(&shared) {
            parts.push(shared);
            let own = tables_of(layer)?.and_then(|tables| tables.get(name));
            parts.extend(own.and_then(as_table));
        }
        Ok((name.clone(), stacked(parts)))
    });
    settings.collect()
}

/// The tables of the methods in a layer, if it has any.
fn tables_of(layer: &Map<String, Value>) -> Result<Option<&Map<String, Value>>, Problem> {
    let Some(value) = layer.get("methods") else {
        return Ok(None);
    };
    match as_table(value) {
        Some(tables) => Ok(Some(tables)),
        None => Err(not_a_table("methods", value)),
    }
}

fn not_a_table(key: &str, value: &Value) -> Problem {
    Problem {
        origin: value.origin().map(String::from),
        key: Some(key.to_owned()),
        message: "expected a table of settings".into(),
        hint: "for example `[methods.lora]` and below it `tuner.method = \"lora\"`".into(),
    }
}
