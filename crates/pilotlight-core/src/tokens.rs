//! Rows of token ids as data prepares them and models take them.
//!
//! Rows are ragged: padding is the private business of a model, so that no result can depend on it.

use std::sync::Arc;

/// One text as token ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenRow {
    /// The token ids, special tokens included, padding not.
    pub ids: Vec<u32>,
    /// The segment of each token (BERT's token types); empty where all are zero.
    pub token_types: Vec<u32>,
    /// Where a soft prompt may enter.
    pub anchors: Anchors,
}

/// Named places between the tokens of a row, as offsets: `k` is the place in front of token `k`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Anchors {
    /// The place behind each named part of the template, in order of appearance.
    pub parts: Vec<(Arc<str>, usize)>,
    /// The place in front of the answer; `None` stands for the end of the row.
    pub answer: Option<usize>,
}

impl TokenRow {
    /// A row without segments, named parts or answer.
    pub fn new(ids: Vec<u32>) -> Self {
        Self {
            ids,
            ..Self::default()
        }
    }
}

impl From<Vec<u32>> for TokenRow {
    fn from(ids: Vec<u32>) -> Self {
        Self::new(ids)
    }
}
