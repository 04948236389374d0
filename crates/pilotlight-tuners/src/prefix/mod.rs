//! Prefix tuning: learned keys and values in front of every layer's attention (Li and Liang 2021, "Prefix-Tuning:
//! Optimizing Continuous Prompts for Generation").
//!
//! With learned keys `P_k` and values `P_v` `[n_kv_heads, prefix_length, d_head]`, by default 20, a layer computes
//!
//! `attention(q, [P_k; k], [P_v; v])`.
//!
//! They enter as they are: rotary positions are not applied to them, and the tokens count on from `prefix_length`.
//! It trains `prefix_length * n_layers * 2 * n_kv_heads * d_head` numbers.
//!
//! With `projection_dim = h` the prefix is the output of a small network while it is trained,
//! `tanh(E V + b) W + c` with `E` `[prefix_length, n_kv_heads * d_head]`, `V` `[n_kv_heads * d_head, h]` and `W`
//! `[h, n_layers * 2 * n_kv_heads * d_head]`, which Li and Liang found steadier; the adapter's folder holds its output
//! alone. The layout of the vectors is PEFT's: the keys of layer l are slot 2l, its values slot 2l + 1.
//!
//! # First values
//!
//! | `init` | keys and values |
//! |---|---|
//! | `random` | N(0, `std`^2) |
//! | `zero` | keys N(0, `std`^2), values 0 |
//! | `text` | those that the frozen model has of the first `prefix_length` tokens of `text`, without special tokens, rotary positions from 0 on applied |
//!
//! With `text` a new decoder-prefix is the model with this text in front of every row, and is trained from there; a text
//! with too few tokens is refused. PEFT's `init_weights = "zero"` has keys of zero too: then all `prefix_length` vectors
//! of a layer get the same gradient for ever, and are worth one.
//!
//! # When to use it
//!
//! It reaches every layer and leaves all weights as they are, so that rows of a batch may have different prefixes; it
//! costs no positions of the text itself but a little of every attention. A prefix from random values learns slowly and
//! wants a larger learning rate than LoRA; start from a `text` where an instruction already does half of the task.

pub mod config;
mod init;
#[cfg(test)]
mod tests;

use burn::{
    module::{Module, Param},
    nn::Linear,
    tensor::{Device, Tensor, TensorData},
};
use pilotlight_core::{BatchPrefix, KeyValue, ModelSpec, Tuner};

pub use self::config::{PrefixConfig, PrefixInit};

/// `n_kv_heads * d_head`.
fn kv_dim(spec: &ModelSpec) -> usize {
    spec.n_kv_heads * spec.d_head
}

/// Learned keys and values in front of every layer's attention.
#[derive(Module, Debug)]
pub struct Prefix {
    /// The keys and values `[prefix_length, n_layers * 2 * n_kv_heads * d_head]`; with a network, its input
    /// `[prefix_length, n_kv_heads * d_head]`.
    pub vectors: Param<Tensor<2>>,
    /// The network that makes keys and values of the vectors.
    pub network: Option<PrefixNetwork>,
    #[module(skip)]
    pub(crate) config: PrefixConfig,
    #[module(skip)]
    n_layers: usize,
    #[module(skip)]
    n_kv_heads: usize,
    #[module(skip)]
    d_head: usize,
}

/// The network `tanh(E V + b) W + c` through which a prefix is trained.
#[derive(Module, Debug)]
pub struct PrefixNetwork {
    /// V and b: from `n_kv_heads * d_head` to `projection_dim`.
    pub narrow: Linear,
    /// The columns of W and c that belong to each layer: from `projection_dim` to `2 * n_kv_heads * d_head`. Apart from
    /// each other, since the gradient of a cut is as large as what it was cut from.
    pub wide: Vec<Linear>,
}

impl Prefix {
    fn new(
        config: PrefixConfig,
        vectors: TensorData,
        network: Option<PrefixNetwork>,
        spec: &ModelSpec,
        device: &Device,
    ) -> Self {
        Self {
            vectors: Param::from_data(vectors, device),
            network,
            config,
            n_layers: spec.n_layers,
            n_kv_heads: spec.n_kv_heads,
            d_head: spec.d_head,
        }
    }

    /// Keys and values of one layer `[prefix_length, 2 * n_kv_heads * d_head]`.
    fn layer(&self, layer: usize) -> Tensor<2> {
        let vectors = self.vectors.val();
        match &self.network {
            None => {
                let width = 2 * self.n_kv_heads * self.d_head;
                vectors.slice_dim(1, layer * width..(layer + 1) * width)
            }
            Some(PrefixNetwork { narrow, wide }) => {
                wide[layer].forward(narrow.forward(vectors).tanh())
            }
        }
    }

    /// The keys and values of all layers, in PEFT's layout.
    fn all_layers(&self) -> Tensor<2> {
        let layers = (0..self.n_layers).map(|layer| self.layer(layer));
        Tensor::cat(layers.collect(), 1)
    }
}

impl Tuner for Prefix {
    fn prefix(&self, layer: usize, n_batch: usize) -> Option<BatchPrefix> {
        let vectors = self.layer(layer);
        let [prefix_length, _] = vectors.dims();
        let shape = [prefix_length, 2, self.n_kv_heads, self.d_head];
        let vectors = vectors.reshape(shape).permute([1, 2, 0, 3]);
        let of_batch = |slot: usize| {
            let one = vectors.clone().slice_dim(0, slot..slot + 1);
            one.repeat_dim(0, n_batch)
        };
        Some(KeyValue::new(of_batch(0), of_batch(1)).into())
    }
}
