//! Random numbers for first values, drawn on the CPU so that every backend starts alike.

use std::f64::consts::TAU;

use burn::tensor::TensorData;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Independent standard normal numbers, by the transform of Box and Muller.
pub(crate) fn normal(random: &mut ChaCha8Rng, n: usize) -> Vec<f64> {
    let mut pair = || {
        // The logarithm needs a number above 0.
        let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
        let angle = TAU * random.random::<f64>();
        [radius * angle.cos(), radius * angle.sin()]
    };
    std::iter::repeat_with(&mut pair)
        .flatten()
        .take(n)
        .collect()
}

/// Independent numbers, uniform in `±bound`.
pub(crate) fn uniform(random: &mut ChaCha8Rng, bound: f64, n: usize) -> Vec<f32> {
    (0..n)
        .map(|_| (bound * (2.0 * random.random::<f64>() - 1.0)) as f32)
        .collect()
}

/// A matrix `[d_input, d_output]` uniform in `±1 / sqrt(d_input)`: PyTorch's default for a linear layer.
pub(crate) fn fan_in_uniform(
    random: &mut ChaCha8Rng,
    d_input: usize,
    d_output: usize,
) -> TensorData {
    let bound = (d_input as f64).sqrt().recip();
    let values = uniform(random, bound, d_input * d_output);
    TensorData::new(values, [d_input, d_output])
}
