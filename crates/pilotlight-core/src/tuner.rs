//! The trait of every method.

use std::fmt::Debug;

use burn::{
    nn::Linear,
    tensor::{Int, Tensor},
};

use crate::{
    embedded::{Embedded, EmbeddedRow},
    key_value::BatchPrefix,
    site::{Site, Sublayer},
};

/// Where a method may touch a frozen transformer. Every default is the identity.
///
/// A hook treats each row of a batch for itself, so that some of the rows alone have the results that they have among
/// others.
///
/// A model calls the hooks in this order: [`words`](Tuner::words) and [`embed`](Tuner::embed) once; then in each
/// layer [`layer_input`](Tuner::layer_input), [`project_input`](Tuner::project_input) and
/// [`project_output`](Tuner::project_output) around every linear projection, [`prefix`](Tuner::prefix) before the
/// attention, and [`sublayer_output`](Tuner::sublayer_output) at the end of both residual branches; and
/// [`project_head`](Tuner::project_head) wherever the language-model head runs.
pub trait Tuner: Debug + Send + Sync {
    /// Takes the word embeddings `[n_batch, n_seq, d_model]` of the token ids `[n_batch, n_seq]`, rows of `weight`
    /// `[n_vocab, d_model]`, before anything is inserted among them.
    fn words(
        &self,
        _weight: &Tensor<2>,
        _ids: &Tensor<2, Int>,
        embeddings: Tensor<3>,
    ) -> Tensor<3> {
        embeddings
    }

    /// Takes the word embeddings `[n_batch, n_seq, d_model]`; soft prompts insert vectors, and mask and positions
    /// follow from what it returns.
    fn embed(&self, embedded: Embedded) -> Embedded {
        embedded
    }

    /// Learned keys and values `[n_batch, n_kv_heads, n_prefix, d_head]` in front of the first token, for each row as
    /// many as it has.
    ///
    /// They enter the attention as they are: rotary positions are not applied to them, and the tokens of a row count
    /// on from the longest prefix that it has in any layer.
    fn prefix(&self, _layer: usize, _n_batch: usize) -> Option<BatchPrefix> {
        None
    }

    /// Takes the input `[n_batch, n_seq, d_model]` of a layer; `rows` say which positions hold inserted vectors.
    ///
    /// The positions are those of [`embed`](Tuner::embed)'s result. In generation it is called for the row alone,
    /// not for the tokens that are written behind it.
    fn layer_input(&self, _layer: usize, _rows: &[EmbeddedRow], input: Tensor<3>) -> Tensor<3> {
        input
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

    /// Takes the scores `[n, n_vocab]` of the language-model head, beside its weight `[d_model, n_vocab]` and its
    /// input `[n, d_model]`; `rows` names the row of the batch that each state is from.
    fn project_head(
        &self,
        _weight: &Tensor<2>,
        _rows: &[usize],
        _states: &Tensor<2>,
        scores: Tensor<2>,
    ) -> Tensor<2> {
        scores
    }

    /// The projection with [`project_output`](Tuner::project_output) folded into its weights, where the method acts
    /// there and that can be done.
    fn merged_output(&self, _site: Site, _base: &Linear) -> Option<Linear> {
        None
    }

    /// The projection with [`project_input`](Tuner::project_input) folded into its weights, likewise.
    fn merged_input(&self, _site: Site, _base: &Linear) -> Option<Linear> {
        None
    }

    /// The word embeddings `[n_vocab, d_model]` with this method folded in, where it touches them.
    fn merged_words(&self, _weight: &Tensor<2>) -> Option<Tensor<2>> {
        None
    }

    /// The weight `[d_model, n_vocab]` of the language-model head with this method folded in, where it touches it.
    fn merged_head(&self, _weight: &Tensor<2>) -> Option<Tensor<2>> {
        None
    }

    /// How many first positions of row `index` of the batch have, in a causal model, the states that they have without
    /// this tuner: no hook changes anything of them.
    ///
    /// A model that is trained may run them without the tuner and without gradients, and call the hooks of the layers
    /// with the rest of the row alone. That is why it must be 0 for a row which [`layer_input`](Tuner::layer_input)
    /// changes: its positions are those of the whole row.
    fn untouched(&self, _index: usize, _row: &EmbeddedRow) -> usize {
        0
    }
}

impl dyn Tuner + '_ {
    /// The projection with the hooks on both of its sides folded into its weights; `None` where the method does not
    /// act there.
    pub fn merged(&self, site: Site, base: &Linear) -> Option<Linear> {
        // Whatever stands beside a projection reads the changed input too, so that the input comes last.
        let output = self.merged_output(site, base);
        let both = self.merged_input(site, output.as_ref().unwrap_or(base));
        both.or(output)
    }
}

/// The tuner that changes nothing: the untouched model.
#[derive(Debug, Clone, Copy, Default)]
pub struct Identity;

impl Tuner for Identity {
    fn untouched(&self, _index: usize, row: &EmbeddedRow) -> usize {
        row.len
    }
}
