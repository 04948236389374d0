//! Reads the keys of a method, and says which key is wrong.

use serde::{
    Deserializer,
    de::{DeserializeOwned, Error, Visitor, value},
    forward_to_deserialize_any,
};
use serde_json::{Map, Value};

use crate::error::suggest;

/// The keys of a method; an unknown one is refused with a suggestion.
pub(crate) fn read<C: DeserializeOwned>(
    method: &str,
    keys: Map<String, Value>,
) -> Result<C, String> {
    let known = known_keys::<C>();
    let unknown: Vec<String> = keys
        .keys()
        .filter(|key| !known.contains(&key.as_str()))
        .map(|key| match known {
            [] => format!("`{key}` is no key of method `{method}`, which has none"),
            _ => format!(
                "`{key}` is no key of method `{method}`\n{}",
                suggest(key, known)
            ),
        })
        .collect();
    if !unknown.is_empty() {
        return Err(unknown.join("\n"));
    }
    serde_path_to_error::deserialize(Value::Object(keys)).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        // That of a tuner among the keys names its own key.
        match message.starts_with('`') {
            true => message,
            false => format!("`{path}`: {message}"),
        }
    })
}

/// The field names of a struct, as its derived `Deserialize` asks for them.
fn known_keys<C: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // The probe always ends in an error; what it wrote down on the way is all that is wanted.
    let _ = C::deserialize(FieldProbe(&mut fields));
    fields
}

struct FieldProbe<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldProbe<'_> {
    type Error = value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(value::Error::custom("only the fields are wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(value::Error::custom("only a struct has keys"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
