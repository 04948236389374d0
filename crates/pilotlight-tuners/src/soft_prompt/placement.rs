//! Where the vectors of a soft prompt stand among a row's tokens.

use std::fmt;

use pilotlight_core::{EmbeddedRow, Insertion};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor, value},
};

/// A place in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In front of everything, special tokens included, as PEFT has it.
    Before,
    /// Behind the first named part of the template if it has at least two; else in front of the token where the
    /// second half of the input begins (of 5 tokens, 2 stand before the prompt).
    Middle,
    /// Behind the whole input, in front of the answer.
    After,
    /// Behind a named part of the template; behind the whole input for a row without that part.
    AfterPart(String),
    /// Behind so many tokens of the input, special tokens included; behind the whole input if it is shorter.
    AfterTokens(usize),
}

/// Vectors of a split prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedVectors {
    /// Where they stand.
    pub place: Place,
    /// How many they are.
    pub length: usize,
}

/// The places of all vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// All of them at one place.
    Whole(Place),
    /// The first ones at the first place, the next ones at the second place and so on.
    Split(Vec<PlacedVectors>),
}

impl Place {
    /// The token in front of which a vector at this place stands.
    fn before_token(&self, row: &EmbeddedRow) -> usize {
        let n_input = row.anchors.answer.unwrap_or(row.n_tokens());
        let parts = &row.anchors.parts;
        match self {
            Self::Before => 0,
            Self::Middle => match parts.as_slice() {
                [(_, end), _, ..] => *end,
                _ => n_input / 2,
            },
            Self::After => n_input,
            Self::AfterPart(name) => parts
                .iter()
                .find(|(part, _)| **part == **name)
                .map_or(n_input, |(_, end)| *end),
            Self::AfterTokens(n_tokens) => *n_tokens.min(&n_input),
        }
    }
}

impl Placement {
    /// The insertions that place `prompt_length` vectors in a row.
    pub(crate) fn insertions(&self, row: &EmbeddedRow, prompt_length: usize) -> Vec<Insertion> {
        match self {
            Self::Whole(place) => vec![Insertion {
                before_token: place.before_token(row),
                vectors: 0..prompt_length,
            }],
            Self::Split(parts) => {
                let mut start = 0;
                parts
                    .iter()
                    .map(|part| {
                        let vectors = start..start + part.length;
                        start = vectors.end;
                        Insertion {
                            before_token: part.place.before_token(row),
                            vectors,
                        }
                    })
                    .collect()
            }
        }
    }

    /// The position of each vector in a row that holds no other inserted ones, as `(position, vector)`.
    ///
    /// # Panics
    ///
    /// Panics if the row holds more or fewer.
    pub(crate) fn positions(&self, row: &EmbeddedRow, prompt_length: usize) -> Vec<(usize, usize)> {
        assert_eq!(
            row.len - row.n_tokens(),
            prompt_length,
            "a deep prompt finds its vectors in the layers only where nothing else is inserted"
        );
        let mut insertions = self.insertions(row, prompt_length);
        insertions.sort_by_key(|insertion| insertion.before_token);
        let vectors = insertions
            .into_iter()
            .flat_map(|insertion| insertion.vectors);
        let is_inserted = |position: &usize| row.token_positions.binary_search(position).is_err();
        (0..row.len).filter(is_inserted).zip(vectors).collect()
    }

    /// All places, in order.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        let (whole, split) = match self {
            Self::Whole(place) => (Some(place), [].as_slice()),
            Self::Split(parts) => (None, parts.as_slice()),
        };
        whole
            .into_iter()
            .chain(split.iter().map(|part| &part.place))
    }
}

impl Default for Placement {
    fn default() -> Self {
        Self::Whole(Place::Before)
    }
}

impl Serialize for Placement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(place) => place.serialize(serializer),
            Self::Split(parts) => parts.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Placement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyForm;

        impl<'de> Visitor<'de> for AnyForm {
            type Value = Placement;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "\"before\", \"middle\", \"after\", { after_part = \"NAME\" }, { after_tokens = N } or a list \
                     of { place = .., length = N }",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Placement, E> {
                let place = Place::deserialize(value::StrDeserializer::new(text))?;
                Ok(Placement::Whole(place))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Placement, A::Error> {
                let place = Place::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(Placement::Whole(place))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Placement, A::Error> {
                Vec::deserialize(value::SeqAccessDeserializer::new(seq)).map(Placement::Split)
            }
        }

        deserializer.deserialize_any(AnyForm)
    }
}
