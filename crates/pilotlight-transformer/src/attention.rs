//! Attention with grouped keys and values.
//!
//! `softmax(q k^T / sqrt(d_head) + mask) v` for every head; `n_heads / n_kv_heads` neighbouring query heads share a
//! head of keys and values (Ainslie et al. 2023). Instead of repeating keys and values, the queries of a group are
//! laid behind each other as rows of one product.

use burn::{
    module::Module,
    nn::{Linear, LinearConfig},
    tensor::{
        Device, Tensor, activation::softmax, module::attention as fused_attention,
        ops::AttentionModuleOptions,
    },
};
use pilotlight_core::{KeyValue, Projection, Tuner};

use crate::{
    kv_cache::LayerPast,
    norm::{Norm, NormConfig},
    position::Rotary,
    project::project,
};

/// The shape of an attention.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AttentionConfig {
    pub(crate) d_model: usize,
    pub(crate) n_heads: usize,
    pub(crate) n_kv_heads: usize,
    pub(crate) d_head: usize,
    /// Whether one matrix makes queries, keys and values.
    pub(crate) fused: bool,
    /// Whether the projections to queries, keys and values have a bias.
    pub(crate) input_bias: bool,
    /// Whether the output projection has one.
    pub(crate) output_bias: bool,
    /// A norm over each head of queries and keys.
    pub(crate) head_norm: Option<NormConfig>,
}

/// Multi-head attention.
#[derive(Module, Debug)]
pub(crate) struct Attention {
    inputs: Inputs,
    query_norm: Option<Norm>,
    key_norm: Option<Norm>,
    output: Linear,
    #[module(skip)]
    n_heads: usize,
    #[module(skip)]
    n_kv_heads: usize,
    #[module(skip)]
    d_head: usize,
}

/// The projections to queries, keys and values.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a layer, beside megabytes of weights"
)]
enum Inputs {
    Separate(SeparateInputs),
    Fused(Linear),
}

#[derive(Module, Debug)]
struct SeparateInputs {
    query: Linear,
    key: Linear,
    value: Linear,
}

/// What the layers of one forward share.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// Rotations of the queries, the scale `1 / sqrt(d_head)` included, and of the keys.
    pub(crate) rotary: Option<(Rotary, Rotary)>,
    /// Added to the scores, `-inf` where a key is hidden: `[n_batch or 1, 1, n_groups * n_seq or 1, n_keys]`, the
    /// same rows for each of the `n_groups = n_heads / n_kv_heads` heads that share keys. `None` where all keys are
    /// visible.
    pub(crate) mask: Option<Tensor<4>>,
}

impl AttentionConfig {
    pub(crate) fn init(&self, device: &Device) -> Attention {
        let linear = |d_input, d_output, bias| {
            LinearConfig::new(d_input, d_output)
                .with_bias(bias)
                .init(device)
        };
        let d_query = self.n_heads * self.d_head;
        let d_key = self.n_kv_heads * self.d_head;
        let inputs = if self.fused {
            Inputs::Fused(linear(self.d_model, d_query + 2 * d_key, self.input_bias))
        } else {
            Inputs::Separate(SeparateInputs {
                query: linear(self.d_model, d_query, self.input_bias),
                key: linear(self.d_model, d_key, self.input_bias),
                value: linear(self.d_model, d_key, self.input_bias),
            })
        };
        let norm = || self.head_norm.map(|norm| norm.init(self.d_head, device));
        Attention {
            inputs,
            query_norm: norm(),
            key_norm: norm(),
            output: linear(d_query, self.d_model, self.output_bias),
            n_heads: self.n_heads,
            n_kv_heads: self.n_kv_heads,
            d_head: self.d_head,
        }
    }
}

impl Attention {
    /// One of its projections.
    pub(crate) fn projection(&self, projection: Projection) -> Option<&Linear> {
        match (&self.inputs, projection) {
            (Inputs::Separate(inputs), Projection::Query) => Some(&inputs.query),
            (Inputs::Separate(inputs), Projection::Key) => Some(&inputs.key),
            (Inputs::Separate(inputs), Projection::Value) => Some(&inputs.value),
            (Inputs::Fused(linear), Projection::QueryKeyValue) => Some(linear),
            (_, Projection::Output) => Some(&self.output),
            _ => None,
        }
    }

    /// # Shapes
    ///
    /// - input and output: `[n_batch, n_seq, d_model]`
    pub(crate) fn forward(
        &self,
        layer: usize,
        input: Tensor<3>,
        surroundings: &Surroundings,
        past: &mut LayerPast,
        tuner: &dyn Tuner,
    ) -> Tensor<3> {
        let [n_batch, n_seq, _] = input.dims();
        let [query, key, value] = self.inputs(layer, input, tuner);

        let query = self.heads(query, self.n_heads, self.query_norm.as_ref());
        let key = self.heads(key, self.n_kv_heads, self.key_norm.as_ref());
        let value = self.heads(value, self.n_kv_heads, None);
        let (query, key) = match &surroundings.rotary {
            Some((of_query, of_key)) => (of_query.apply(query), of_key.apply(key)),
            None => (query / (self.d_head as f64).sqrt(), key),
        };
        let KeyValue { key, value } = past.extend(KeyValue::new(key, value));

        let n_rows = self.n_heads / self.n_kv_heads * n_seq;
        let grouped = query.reshape([n_batch, self.n_kv_heads, n_rows, self.d_head]);
        let heads = attend(grouped, key, value, surroundings.mask.clone());
        let heads = heads.reshape([n_batch, self.n_heads, n_seq, self.d_head]);
        let merged = heads
            .swap_dims(1, 2)
            .reshape([n_batch, n_seq, self.n_heads * self.d_head]);
        project(&self.output, layer, Projection::Output, merged, tuner)
    }

    fn inputs(&self, layer: usize, input: Tensor<3>, tuner: &dyn Tuner) -> [Tensor<3>; 3] {
        match &self.inputs {
            Inputs::Separate(inputs) => [
                project(
                    &inputs.query,
                    layer,
                    Projection::Query,
                    input.clone(),
                    tuner,
                ),
                project(&inputs.key, layer, Projection::Key, input.clone(), tuner),
                project(&inputs.value, layer, Projection::Value, input, tuner),
            ],
            Inputs::Fused(linear) => {
                let d_query = self.n_heads * self.d_head;
                let d_key = self.n_kv_heads * self.d_head;
                let fused = project(linear, layer, Projection::QueryKeyValue, input, tuner);
                let (key, value) = (d_query, d_query + d_key);
                [
                    fused.clone().slice_dim(2, 0..key),
                    fused.clone().slice_dim(2, key..value),
                    fused.slice_dim(2, value..value + d_key),
                ]
            }
        }
    }

    /// Splits `[n_batch, n_seq, n_heads * d_head]` into `[n_batch, n_heads, n_seq, d_head]`.
    fn heads(&self, flat: Tensor<3>, n_heads: usize, norm: Option<&Norm>) -> Tensor<4> {
        let [n_batch, n_seq, _] = flat.dims();
        let heads = flat.reshape([n_batch, n_seq, n_heads, self.d_head]);
        let heads = match norm {
            Some(norm) => norm.forward(heads),
            None => heads,
        };
        heads.swap_dims(1, 2)
    }
}

/// `softmax(query key^T + mask) value`.
///
/// # Shapes
///
/// - query and result: `[n_batch, n_kv_heads, n_rows, d_head]`
/// - key and value: `[n_batch, n_kv_heads, n_keys, d_head]`
/// - mask: `[n_batch or 1, 1, n_rows or 1, n_keys]`
fn attend(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    mask: Option<Tensor<4>>,
) -> Tensor<4> {
    if !query.is_autodiff() {
        // One kernel, which never holds all scores of a long sequence.
        let options = AttentionModuleOptions {
            scale: Some(1.0),
            softcap: None,
            is_causal: false,
        };
        return fused_attention(query, key, value, None, mask, options);
    }
    // With gradients the kernel is taken apart anyway, into more steps than these.
    let scores = query.matmul(key.transpose());
    let scores = match mask {
        Some(mask) => scores + mask,
        None => scores,
    };
    softmax(scores, 3).matmul(value)
}
