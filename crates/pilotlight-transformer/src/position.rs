//! Rotary positions.
//!
//! Su et al. 2021, RoFormer: the pair `(x_i, x_{i + d/2})` of a head of width `d` at position `p` is rotated by the
//! angle `p * f_i`, with `f_i = theta^(-2i/d)`. As in Hugging Face's models, and unlike the paper, the two elements
//! of a pair stand half a head apart, not side by side.

use burn::tensor::{DType, Device, Tensor, TensorData, assert_shape};

use crate::counts::Counts;

/// The frequencies of rotary positions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RotaryConfig {
    /// The base of the frequencies.
    pub(crate) theta: f64,
    /// How low frequencies are slowed down for long sequences.
    pub(crate) scaling: Option<Llama3Scaling>,
}

/// Llama 3.1's scaling: wavelengths beyond `original_positions / low_frequency` are stretched by `factor`, those
/// within `original_positions / high_frequency` are kept, and those between are interpolated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Llama3Scaling {
    pub(crate) factor: f64,
    pub(crate) low_frequency: f64,
    pub(crate) high_frequency: f64,
    pub(crate) original_positions: f64,
}

/// Cosines and sines `[n_batch or 1, 1, n_seq, d_head / 2]` of consecutive positions.
#[derive(Debug, Clone)]
pub(crate) struct Rotary {
    cosine: Tensor<4>,
    sine: Tensor<4>,
}

impl RotaryConfig {
    fn frequencies(&self, d_head: usize) -> Vec<f64> {
        (0..d_head / 2)
            .map(|pair| {
                let frequency = self.theta.powf(-2.0 * pair as f64 / d_head as f64);
                match &self.scaling {
                    Some(scaling) => scaling.apply(frequency),
                    None => frequency,
                }
            })
            .collect()
    }

    /// The tables of each row's positions `first..first + n_seq`, both multiplied by `factor`.
    pub(crate) fn tables(
        &self,
        d_head: usize,
        first: &Counts,
        n_seq: usize,
        factor: f64,
        device: &Device,
        dtype: DType,
    ) -> Rotary {
        let frequencies = self.frequencies(d_head);
        let table = |of: fn(f64) -> f64| {
            let rows = first.as_slice().iter();
            let values: Vec<f32> = rows
                .flat_map(|&first| first..first + n_seq)
                .flat_map(|position| {
                    frequencies
                        .iter()
                        // Angles in f32, as the models were trained with.
                        .map(move |&frequency| position as f32 * frequency as f32)
                })
                .map(|angle| (of(f64::from(angle)) * factor) as f32)
                .collect();
            let data = TensorData::new(values, [first.as_slice().len(), 1, n_seq, d_head / 2]);
            Tensor::from_data(data, (device, dtype))
        };
        Rotary {
            cosine: table(f64::cos),
            sine: table(f64::sin),
        }
    }
}

impl Llama3Scaling {
    fn apply(&self, frequency: f64) -> f64 {
        let wavelength = std::f64::consts::TAU / frequency;
        if wavelength > self.original_positions / self.low_frequency {
            frequency / self.factor
        } else if wavelength < self.original_positions / self.high_frequency {
            frequency
        } else {
            let kept = (self.original_positions / wavelength - self.low_frequency)
                / (self.high_frequency - self.low_frequency);
            (1.0 - kept) * frequency / self.factor + kept * frequency
        }
    }
}

impl Rotary {
    /// Rotates queries or keys.
    ///
    /// # Shapes
    ///
    /// - input and output: `[n_batch, n_heads, n_seq, d_head]`
    pub(crate) fn apply(&self, heads: Tensor<4>) -> Tensor<4> {
        let [_, _, n_seq, half] = self.cosine.dims();
        assert_shape!(heads, [_, _, n_seq, 2 * half]);
        let first = heads.clone().slice_dim(3, 0..half);
        let second = heads.slice_dim(3, half..2 * half);
        let rotated_first =
            first.clone() * self.cosine.clone() - second.clone() * self.sine.clone();
        let rotated_second = second * self.cosine.clone() + first * self.sine.clone();
        Tensor::cat(vec![rotated_first, rotated_second], 3)
    }
}
