//! What an optimizer step does with the gradients of its batches.

use burn::tensor::Tensor;

use crate::{
    error::TrainError,
    loss::BatchLoss,
    optimizer::Optimizer,
    parameters::{clip_factor, gradient_norm},
    tuned::Tuned,
};

/// What an optimizer step leaves behind.
pub(crate) struct Updated {
    pub(crate) tuned: Tuned,
    pub(crate) loss: f64,
    /// The gradient's norm before clipping, where it is clipped.
    pub(crate) norm: Option<f64>,
}

/// Clips the gradients, changes the parameters and reads the loss; `step` counts from 1.
pub(crate) fn update(
    tuned: Tuned,
    optimizer: &mut Optimizer,
    BatchLoss { loss, gradients }: BatchLoss,
    grad_clip: Option<f64>,
    learning_rate: f64,
    step: usize,
) -> Result<Updated, TrainError> {
    let norm = grad_clip.and_then(|_| gradient_norm(&tuned, &gradients));
    let scale = grad_clip.zip(norm.clone());
    let scale = scale.map(|(largest, norm)| clip_factor(norm, largest));
    let tuned = optimizer.step(tuned, gradients, scale, learning_rate);
    // The only value that is read from the device in a step, so that the device does not wait for us before.
    let values = Tensor::cat([Some(loss), norm].into_iter().flatten().collect(), 0);
    let values = values.try_into_vec_as::<f32>();
    let values = values.map_err(|error| TrainError::Device(error.to_string()))?;
    let loss = f64::from(values[0]);
    let norm = values.get(1).map(|&norm| f64::from(norm));
    if !loss.is_finite() || norm.is_some_and(|norm| !norm.is_finite()) {
        return Err(TrainError::NotFinite { step, loss });
    }
    Ok(Updated { tuned, loss, norm })
}
