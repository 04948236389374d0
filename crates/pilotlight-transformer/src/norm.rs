//! The normalisations between sublayers.

use burn::{
    module::Module,
    nn::{LayerNorm, LayerNormConfig, RmsNorm, RmsNormConfig},
    tensor::{Device, Tensor},
};

/// Which normalisation a model uses, with its term against division by zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NormConfig {
    /// `x / sqrt(mean(x^2) + epsilon) * gamma`.
    Rms(f64),
    /// `(x - mean(x)) / sqrt(var(x) + epsilon) * gamma + beta`.
    Layer(f64),
}

/// A normalisation over the last dimension.
#[derive(Module, Debug)]
pub(crate) enum Norm {
    Rms(RmsNorm),
    Layer(LayerNorm),
}

impl NormConfig {
    /// A norm over `width` elements.
    pub(crate) fn init(self, width: usize, device: &Device) -> Norm {
        match self {
            Self::Rms(epsilon) => {
                Norm::Rms(RmsNormConfig::new(width).with_epsilon(epsilon).init(device))
            }
            Self::Layer(epsilon) => Norm::Layer(
                LayerNormConfig::new(width)
                    .with_epsilon(epsilon)
                    .init(device),
            ),
        }
    }
}

impl Norm {
    /// # Shapes
    ///
    /// - input and output: `[..., width]`
    pub(crate) fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Rms(norm) => norm.forward(input),
            Self::Layer(norm) => norm.forward(input),
        }
    }
}
