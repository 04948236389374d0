//! One layer of an encoder.

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

/// Two residual branches, each with its norm behind:
/// `x = norm(x + attention(x)); x = norm(x + feed_forward(x))`.
#[derive(Module, Debug)]
pub(crate) struct EncoderBlock {
    attention: Attention,
    attention_norm: Norm,
    feed_forward: FeedForward,
    feed_forward_norm: Norm,
}

impl EncoderBlock {
    pub(crate) fn new(
        norm: NormConfig,
        attention: &AttentionConfig,
        feed_forward: &FeedForwardConfig,
        device: &Device,
    ) -> Self {
        Self {
            attention: attention.init(device),
            attention_norm: norm.init(attention.d_model, device),
            feed_forward: feed_forward.init(device),
            feed_forward_norm: norm.init(feed_forward.d_model, device),
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
        let output = self
            .attention
            .forward(layer, x.clone(), surroundings, past, tuner);
        let output = tuner.sublayer_output(layer, Sublayer::Attention, &x, output);
        let x = self.attention_norm.forward(x + output);

        let output = self.feed_forward.forward(layer, x.clone(), tuner);
        let output = tuner.sublayer_output(layer, Sublayer::FeedForward, &x, output);
        self.feed_forward_norm.forward(x + output)
    }
}
