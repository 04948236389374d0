//! One layer of a decoder.

use burn::{
    module::Module,
    nn::Linear,
    tensor::{Device, Tensor},
};
use pilotlight_core::{Projection, Sublayer, Tuner};

use crate::{
    attention::{Attention, AttentionConfig, Surroundings},
    feed_forward::{FeedForward, FeedForwardConfig},
    kv_cache::LayerPast,
    norm::{Norm, NormConfig},
};

/// Two residual branches, each with its norm in front:
/// `x = x + attention(norm(x)); x = x + feed_forward(norm(x))`.
#[derive(Module, Debug)]
pub(crate) struct Block {
    attention_norm: Norm,
    attention: Attention,
    feed_forward_norm: Norm,
    feed_forward: FeedForward,
}

impl Block {
    pub(crate) fn new(
        norm: NormConfig,
        attention: &AttentionConfig,
        feed_forward: &FeedForwardConfig,
        device: &Device,
    ) -> Self {
        Self {
            attention_norm: norm.init(attention.d_model, device),
            attention: attention.init(device),
            feed_forward_norm: norm.init(feed_forward.d_model, device),
            feed_forward: feed_forward.init(device),
        }
    }

    /// One of its projections.
    pub(crate) fn projection(&self, projection: Projection) -> Option<&Linear> {
        let attention = self.attention.projection(projection);
        attention.or_else(|| self.feed_forward.projection(projection))
    }

    /// # Shapes
    ///
    /// - input and output: `[n_batch, n_seq, d_model]`
    pub(crate) fn forward(
        &self,
        layer: usize,
        x: Tensor<3>,
        surroundings: &Surroundings,
        past: &mut LayerPast,
        tuner: &dyn Tuner,
    ) -> Tensor<3> {
        let input = self.attention_norm.forward(x.clone());
        let output = self
            .attention
            .forward(layer, input.clone(), surroundings, past, tuner);
        let x = x + tuner.sublayer_output(layer, Sublayer::Attention, &input, output);

        let input = self.feed_forward_norm.forward(x.clone());
        let output = self.feed_forward.forward(layer, input.clone(), tuner);
        x + tuner.sublayer_output(layer, Sublayer::FeedForward, &input, output)
    }
}
