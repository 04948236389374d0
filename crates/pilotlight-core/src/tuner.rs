//! The trait of every method, and the values it exchanges with a model.

use std::fmt::Debug;

use burn::{
    nn::Linear,
    tensor::{Tensor, assert_shape},
};

use crate::{
    embedded::Embedded,
    site::{Site, Sublayer},
};

/// Keys and values of one layer's attention.
#[derive(Debug, Clone)]
pub struct KeyValue {
    /// Keys `[n_batch, n_kv_heads, n_seq, d_head]`.
    pub key: Tensor<4>,
    /// Values `[n_batch, n_kv_heads, n_seq, d_head]`.
    pub value: Tensor<4>,
}

impl KeyValue {
    /// Keys and values of the same shape.
    ///
    /// # Panics
    ///
    /// Panics if the shapes differ.
    pub fn new(key: Tensor<4>, value: Tensor<4>) -> Self {
        let [n_batch, n_kv_heads, n_seq, d_head] = key.dims();
        assert_shape!(value, [n_batch, n_kv_heads, n_seq, d_head]);
        Self { key, value }
    }

    /// `self` with `later` behind it along the sequence.
    pub fn append(self, later: Self) -> Self {
        Self::new(
            Tensor::cat(vec![self.key, later.key], 2),
            Tensor::cat(vec![self.value, later.value], 2),
        )
    }
}

/// Where a method may touch a frozen transformer. Every default is the identity.
///
/// A model calls the hooks in this order: [`embed`](Tuner::embed) once; then in each layer
/// [`project_input`](Tuner::project_input) and [`project_output`](Tuner::project_output) around every linear
/// projection, [`prefix`](Tuner::prefix) before the attention, and
/// [`sublayer_output`](Tuner::sublayer_output) at the end of both residual branches.
pub trait Tuner: Debug + Send + Sync {
    /// Takes the word embeddings `[n_batch, n_seq, d_model]`; soft prompts insert vectors, and mask and positions
    /// follow from what it returns.
    fn embed(&self, embedded: Embedded) -> Embedded {
        embedded
    }

    /// Learned keys and values `[n_batch, n_kv_heads, n_prefix, d_head]` in front of the first token.
    ///
    /// They enter the attention as they are: rotary positions are not applied to them, and the tokens of the
    /// sequence count on from `n_prefix`.
    fn prefix(&self, _layer: usize, _n_batch: usize) -> Option<KeyValue> {
        None
    }

    /// Takes the input `[n_batch, n_seq, d_input]` of a projection.
    fn project_input(&self, _site: Site, input: Tensor<3>) -> Tensor<3> {
        input
    }

    /// Takes the output `[n_batch, n_seq, d_output]` of a projection, beside the projection itself and its input.
    fn project_output(
        &self,
        _site: Site,
        _base: &Linear,
        _input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        output
    }

    /// Takes the output `[n_batch, n_seq, d_model]` of a residual branch before it is added; `input` is the
    /// branch's own input, for methods that run beside it.
    fn sublayer_output(
        &self,
        _layer: usize,
        _sublayer: Sublayer,
        _input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        output
    }

    /// The projection with this method folded into its weights, where that can be done.
    fn merged(&self, _site: Site, _base: &Linear) -> Option<Linear> {
        None
    }
}

/// The tuner that changes nothing: the untouched model.
#[derive(Debug, Clone, Copy, Default)]
pub struct Identity;

impl Tuner for Identity {}
