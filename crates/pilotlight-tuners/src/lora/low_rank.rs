//! The low-rank update of one projection.

use burn::{
    module::{Module, Param},
    nn::Linear,
    tensor::{DType, Device, Tensor, TensorData, module::linear},
};
use pilotlight_core::Site;

/// The low-rank update `s * x A B` of one projection.
#[derive(Module, Debug)]
pub struct LowRank {
    /// The narrowing factor A `[d_input, rank]`.
    pub a: Param<Tensor<2>>,
    /// The widening factor B `[rank, d_output]`.
    pub b: Param<Tensor<2>>,
    /// The projection.
    #[module(skip)]
    pub site: Site,
    /// The factor s.
    #[module(skip)]
    pub scale: f64,
}

impl LowRank {
    /// The update of the given factors.
    pub fn new(site: Site, a: TensorData, b: TensorData, scale: f64, device: &Device) -> Self {
        Self {
            a: Param::from_data(a, device),
            b: Param::from_data(b, device),
            site,
            scale,
        }
    }

    /// # Shapes
    ///
    /// - input: `[.., d_input]`
    /// - output: `[.., d_output]`
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        // The scale goes to the narrow side, where it costs next to nothing.
        let narrow = linear(input, self.a.val(), None).mul_scalar(self.scale);
        linear(narrow, self.b.val(), None)
    }

    /// The projection with the update added to its weights.
    pub fn merged(&self, base: &Linear) -> Linear {
        let weight = base.weight.val();
        let dtype = weight.dtype();
        let update = self.a.val().matmul(self.b.val()).mul_scalar(self.scale);
        let weight = (weight.cast(DType::F32) + update).cast(dtype).detach();
        Linear {
            weight: Param::from_tensor(weight).set_require_grad(false),
            bias: base.bias.clone(),
        }
    }
}
