//! Bottleneck adapters: narrow layers behind or beside the residual branches.
//!
//! With `f(h) = act(h D + a) U + b`, `D` `[d_model, bottleneck_dim]` and `U` `[bottleneck_dim, d_model]`, the output
//! `y` of a branch with input `x` becomes, before it is added to the residual stream,
//!
//! | kind | | of which branch | paper |
//! |---|---|---|---|
//! | `houlsby` | `y + s f(y)` | attention and feed-forward | Houlsby et al. 2019 |
//! | `pfeiffer` | `y + s f(y)` | feed-forward | Pfeiffer et al. 2021 |
//! | `parallel` | `y + s f(x)` | feed-forward | He et al. 2022 |
//!
//! `x` is what the branch itself reads, behind the norm in a model that has it there. `s` is `scale`, by default 4 for
//! `parallel` and else 1; `act` is `activation`, by default relu. The width is `bottleneck_dim`, by default 64, or
//! `d_model / reduction_factor`. An adapter trains `2 * d_model * bottleneck_dim + d_model + bottleneck_dim` numbers.
//!
//! # First values
//!
//! Biases start at zero. By default so does `U`, so that a new tuner changes nothing, and `D` starts as PyTorch's linear
//! layers. With `init = "near-identity"` both are normal with a standard deviation `std` of 0.01, truncated at two of
//! them, as Houlsby et al. have it.
//!
//! # When to use it
//!
//! Adapters change the states themselves, at a fixed place, by a function of some width: they say more than prompts and
//! cost little to train, but unlike LoRA's their update cannot be folded into the weights and stays as extra work. Houlsby's
//! are the strongest of them and cost two per layer, Pfeiffer's come close at half the price, and He et al. found the
//! parallel ones best at the same number of parameters. PEFT has no such adapters: their folders are ours alone.

pub mod config;
#[cfg(test)]
mod tests;

use burn::{
    module::Module,
    nn::Linear,
    tensor::{DType, Tensor, activation},
};
use pilotlight_core::{Sublayer, Tuner, activation::gelu};

pub use self::config::{Activation, BottleneckConfig, BottleneckInit, BottleneckKind};

/// Narrow layers behind or beside the residual branches.
#[derive(Module, Debug)]
pub struct Bottleneck {
    /// One adapter per layer behind the attention; empty where the kind has none.
    pub attention: Vec<Adapter>,
    /// One adapter per layer behind or beside the feed-forward.
    pub feed_forward: Vec<Adapter>,
    #[module(skip)]
    pub(crate) config: BottleneckConfig,
}

/// The function `f(h) = act(h D + a) U + b`.
#[derive(Module, Debug)]
pub struct Adapter {
    /// D and a: from `d_model` to `bottleneck_dim`.
    pub down: Linear,
    /// U and b: from `bottleneck_dim` to `d_model`.
    pub up: Linear,
}

impl Activation {
    fn forward(self, input: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Relu => activation::relu(input),
            Self::Gelu => gelu(input),
            Self::Silu => activation::silu(input),
            Self::Tanh => input.tanh(),
        }
    }
}

impl Adapter {
    /// # Shapes
    ///
    /// - input and output: `[n_batch, n_seq, d_model]`
    pub fn forward(&self, input: Tensor<3>, activation: Activation) -> Tensor<3> {
        self.up
            .forward(activation.forward(self.down.forward(input)))
    }
}

impl Tuner for Bottleneck {
    fn sublayer_output(
        &self,
        layer: usize,
        sublayer: Sublayer,
        input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        let adapters = match sublayer {
            Sublayer::Attention => &self.attention,
            Sublayer::FeedForward => &self.feed_forward,
        };
        let Some(adapter) = adapters.get(layer) else {
            return output;
        };
        let source = match self.config.kind {
            BottleneckKind::Parallel => input,
            BottleneckKind::Houlsby | BottleneckKind::Pfeiffer => &output,
        };
        let dtype = output.dtype();
        let update = adapter.forward(source.clone().cast(DType::F32), self.config.activation);
        output + update.mul_scalar(self.config.scale()).cast(dtype)
    }
}
