//! Percentile bootstrap intervals over test examples, and over seeds and test examples.

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::{Deserialize, Serialize};

use super::descriptive::{quantile, sorted};

/// A value and the interval around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The value itself.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Interval {
    /// A value that is known exactly.
    pub fn exact(value: f64) -> Self {
        Self {
            value,
            low: value,
            high: value,
        }
    }

    /// The same in another unit, of which `factor` make one of this.
    pub(crate) fn times(self, factor: f64) -> Self {
        Self {
            value: factor * self.value,
            low: factor * self.low,
            high: factor * self.high,
        }
    }

    /// The value, and the middle `confidence` of what it became in the resamples.
    pub(super) fn percentile(value: f64, resampled: &[f64], confidence: f64) -> Self {
        let resampled = sorted(resampled);
        let tail = (1.0 - confidence) / 2.0;
        Self {
            value,
            low: quantile(&resampled, tail).unwrap_or(value),
            high: quantile(&resampled, 1.0 - tail).unwrap_or(value),
        }
    }
}

/// How a bootstrap is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Number of resamples.
    pub resamples: usize,
    /// Share of the resamples that an interval holds.
    pub confidence: f64,
    /// The same seed draws the same resamples.
    pub seed: u64,
}

/// Which test examples the runs of several seeds have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Examples {
    /// All runs have the same, so many.
    Shared(usize),
    /// Each run has its own, so many.
    Own(Vec<usize>),
}

impl Bootstrap {
    pub(super) fn random(&self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.seed)
    }

    /// Intervals of `K` statistics over the seeds and the test examples of `n_runs` runs that differ in their seeds.
    ///
    /// `statistics(run, examples)` computes them of some examples (by index, with repetitions) of one run; the value is
    /// their mean over the runs. In each resample as many runs are drawn with replacement as there are, then as many
    /// examples as there are: the same for all runs where they share their examples (the pigeonhole bootstrap of
    /// Owen 2007 for crossed factors, whose variance is never too small for many of both), else for each drawn run its
    /// own. With one run only the examples are drawn (Efron 1979).
    ///
    /// `None` of no runs, or of a run without examples.
    pub fn intervals<const K: usize>(
        &self,
        n_runs: usize,
        examples: &Examples,
        statistics: impl Fn(usize, &[usize]) -> [f64; K],
    ) -> Option<[Interval; K]> {
        let sizes = match examples {
            Examples::Shared(size) => vec![*size; n_runs],
            Examples::Own(sizes) => sizes.clone(),
        };
        if n_runs == 0 || sizes.len() != n_runs || sizes.contains(&0) {
            return None;
        }
        let add = |sums: &mut [f64; K], run: usize, examples: &[usize]| {
            let found = statistics(run, examples);
            for (sum, found) in sums.iter_mut().zip(found) {
                *sum += found / n_runs as f64;
            }
        };
        let mut values = [0.0; K];
        for (run, size) in sizes.iter().enumerate() {
            add(&mut values, run, &(0..*size).collect::<Vec<_>>());
        }
        let mut random = self.random();
        let mut resampled = vec![Vec::with_capacity(self.resamples); K];
        let mut runs = vec![0; n_runs];
        let mut drawn = Vec::new();
        let draw = |random: &mut ChaCha8Rng, drawn: &mut Vec<usize>, size: usize| {
            drawn.clear();
            drawn.extend((0..size).map(|_| random.random_range(0..size)));
        };
        for _ in 0..self.resamples {
            if n_runs > 1 {
                runs.fill_with(|| random.random_range(0..n_runs));
            }
            if let Examples::Shared(size) = examples {
                draw(&mut random, &mut drawn, *size);
            }
            let mut sums = [0.0; K];
            for &run in &runs {
                if let Examples::Own(sizes) = examples {
                    draw(&mut random, &mut drawn, sizes[run]);
                }
                add(&mut sums, run, &drawn);
            }
            for (all, sum) in resampled.iter_mut().zip(sums) {
                all.push(sum);
            }
        }
        Some(std::array::from_fn(|index| {
            Interval::percentile(values[index], &resampled[index], self.confidence)
        }))
    }
}

/// Percentile bootstrap interval of the mean over examples; `None` of nothing.
fn bootstrap_mean(values: &[f64], bootstrap: &Bootstrap) -> Option<Interval> {
    let mean = |_, examples: &[usize]| {
        let sum: f64 = examples.iter().map(|&example| values[example]).sum();
        [sum / examples.len() as f64]
    };
    let [interval] = bootstrap.intervals(1, &Examples::Shared(values.len()), mean)?;
    Some(interval)
}

/// The accuracy of each example's outcome with its bootstrap interval; `None` of nothing.
pub fn bootstrap_accuracy(correct: &[bool], bootstrap: &Bootstrap) -> Option<Interval> {
    let values: Vec<f64> = correct
        .iter()
        .map(|hit| f64::from(u8::from(*hit)))
        .collect();
    bootstrap_mean(&values, bootstrap)
}
