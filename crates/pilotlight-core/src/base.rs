//! What a new tuner may take its first values from.

use std::fmt::Debug;

use burn::{nn::Linear, tensor::Tensor};

use crate::{key_value::KeyValue, site::Site, spec::ModelSpec, tokens::TokenRow};

/// A frozen model, as far as a new tuner may ask for it. Only the shape and the word embeddings must be there: a
/// method that needs more says so.
pub trait Base: Debug {
    /// Its shape.
    fn spec(&self) -> &ModelSpec;

    /// Its word embeddings `[n_vocab, d_model]`.
    fn word_embeddings(&self) -> Tensor<2>;

    /// A projection of a layer: weight `[d_input, d_output]`, and a bias where it has one.
    fn projection(&self, _site: Site) -> Option<Linear> {
        None
    }

    /// The weight `[d_model, n_vocab]` of the language-model head.
    fn head(&self) -> Option<Tensor<2>> {
        None
    }

    /// The keys and values `[1, n_kv_heads, n_tokens, d_head]` that each layer has of a row, rotary positions from 0
    /// on applied.
    fn keys_and_values(&self, _row: &TokenRow) -> Option<Vec<KeyValue>> {
        None
    }
}

/// A base of which nothing but shape and word embeddings is known, such as a user's own model.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Its shape.
    pub spec: ModelSpec,
    /// Its word embeddings `[n_vocab, d_model]`.
    pub word_embeddings: Tensor<2>,
}

impl Base for Shape {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn word_embeddings(&self) -> Tensor<2> {
        self.word_embeddings.clone()
    }
}
