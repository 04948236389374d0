//! Section `[tuner]`: the method beside its keys, or the folder of a saved adapter.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};

use super::{METHODS, TunerConfig};
use crate::error::suggest;

impl Serialize for TunerConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = Map::new();
        if !matches!(self, Self::Saved(_)) {
            all.insert("method".into(), self.method().into());
        }
        if let Value::Object(keys) = self.keys().map_err(serde::ser::Error::custom)? {
            all.extend(keys);
        }
        all.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TunerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut keys: Map<String, Value> = Map::deserialize(deserializer)?;
        let text = |key: &str, value: Value| match value {
            Value::String(text) => Ok(text),
            other => Err(D::Error::custom(format!(
                "`{key}` must be a text, found {other}"
            ))),
        };
        if let Some(from) = keys.remove("from") {
            if let Some(other) = keys.keys().next() {
                return Err(D::Error::custom(format!(
                    "`{other}` has no effect beside `from`: the saved adapter has its own keys\n\
                     hint: leave out one of the two"
                )));
            }
            return Ok(Self::Saved(text("from", from)?.into()));
        }
        let Some(method) = keys.remove("method") else {
            return Err(D::Error::custom(format!(
                "`method` is missing\n{}\nhint: `from = \"DIR\"` starts from a saved adapter",
                suggest("", METHODS)
            )));
        };
        Self::of_method(&text("method", method)?, keys).map_err(D::Error::custom)
    }
}
