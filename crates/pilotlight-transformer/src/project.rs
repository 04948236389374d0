//! A linear projection with the tuner's hooks around it.

use burn::{nn::Linear, tensor::Tensor};
use pilotlight_core::{Projection, Site, Tuner};

/// # Shapes
///
/// - input: `[n_batch, n_seq, d_input]`
/// - output: `[n_batch, n_seq, d_output]`
pub(crate) fn project(
    linear: &Linear,
    layer: usize,
    projection: Projection,
    input: Tensor<3>,
    tuner: &dyn Tuner,
) -> Tensor<3> {
    let site = Site { layer, projection };
    let input = tuner.project_input(site, input);
    let output = linear.forward(input.clone());
    tuner.project_output(site, linear, &input, output)
}
