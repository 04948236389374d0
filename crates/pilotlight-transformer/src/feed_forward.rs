//! The feed-forward sublayer.

use burn::{
    module::Module,
    nn::{Linear, LinearConfig},
    tensor::{
        Device, Tensor,
        activation::{gelu_approximate, relu, silu},
    },
};
use pilotlight_core::{Projection, Tuner, activation::gelu};

use crate::project::project;

/// A pointwise non-linearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// `x * sigmoid(x)`.
    Silu,
    /// `x * Phi(x)`.
    Gelu,
    /// GELU by its tanh approximation (`gelu_new`).
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
}

impl Activation {
    /// The activation that a Hugging Face configuration names.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "silu" | "swish" => Some(Self::Silu),
            "gelu" => Some(Self::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Some(Self::GeluTanh),
            "relu" => Some(Self::Relu),
            _ => None,
        }
    }

    fn apply(self, input: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Silu => silu(input),
            Self::Gelu => gelu(input),
            Self::GeluTanh => gelu_approximate(input),
            Self::Relu => relu(input),
        }
    }
}

/// The shape of a feed-forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeedForwardConfig {
    pub(crate) d_model: usize,
    pub(crate) d_ff: usize,
    pub(crate) activation: Activation,
    /// Whether a gate multiplies the inner activations (Shazeer 2020, GLU variants).
    pub(crate) gated: bool,
    pub(crate) bias: bool,
}

/// `down(act(gate(x)) * up(x))`, or `down(act(up(x)))` without a gate.
#[derive(Module, Debug)]
pub(crate) struct FeedForward {
    gate: Option<Linear>,
    up: Linear,
    down: Linear,
    #[module(skip)]
    activation: Activation,
}

impl FeedForwardConfig {
    pub(crate) fn init(&self, device: &Device) -> FeedForward {
        let linear = |d_input, d_output| {
            LinearConfig::new(d_input, d_output)
                .with_bias(self.bias)
                .init(device)
        };
        FeedForward {
            gate: self.gated.then(|| linear(self.d_model, self.d_ff)),
            up: linear(self.d_model, self.d_ff),
            down: linear(self.d_ff, self.d_model),
            activation: self.activation,
        }
    }
}

impl FeedForward {
    /// One of its projections.
    pub(crate) fn projection(&self, projection: Projection) -> Option<&Linear> {
        match projection {
            Projection::Gate => self.gate.as_ref(),
            Projection::Up => Some(&self.up),
            Projection::Down => Some(&self.down),
            _ => None,
        }
    }

    /// # Shapes
    ///
    /// - input and output: `[n_batch, n_seq, d_model]`
    pub(crate) fn forward(&self, layer: usize, input: Tensor<3>, tuner: &dyn Tuner) -> Tensor<3> {
        let inner = match &self.gate {
            Some(gate) => {
                let gate = project(gate, layer, Projection::Gate, input.clone(), tuner);
                let up = project(&self.up, layer, Projection::Up, input, tuner);
                self.activation.apply(gate) * up
            }
            None => {
                let up = project(&self.up, layer, Projection::Up, input, tuner);
                self.activation.apply(up)
            }
        };
        project(&self.down, layer, Projection::Down, inner, tuner)
    }
}
