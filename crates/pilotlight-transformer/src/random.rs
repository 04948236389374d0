//! Seeded random parameters.

use rand::Rng;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::parameters::Init;

/// A seeded source of normally distributed numbers, the same on every machine.
pub(crate) struct Normal {
    source: ChaCha8Rng,
}

impl Normal {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            source: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// `n` initial values; `standard_deviation` is that of a matrix with no factor of its own.
    pub(crate) fn values(&mut self, init: Init, standard_deviation: f64, n: usize) -> Vec<f32> {
        match init {
            Init::Ones => vec![1.0; n],
            Init::Zeros => vec![0.0; n],
            Init::Normal(factor) => {
                let scale = factor * standard_deviation;
                // Two at a time, by Box and Muller.
                let mut values: Vec<f32> = (0..n.div_ceil(2))
                    .flat_map(|_| {
                        let radius = (-2.0 * self.uniform().ln()).sqrt();
                        let angle = std::f64::consts::TAU * self.uniform();
                        [radius * angle.cos(), radius * angle.sin()]
                    })
                    .map(|value| (value * scale) as f32)
                    .collect();
                values.truncate(n);
                values
            }
        }
    }

    /// A number above 0 and up to 1.
    fn uniform(&mut self) -> f64 {
        ((self.source.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}
