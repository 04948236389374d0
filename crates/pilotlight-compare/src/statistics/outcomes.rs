//! Outcomes of one method over seeds and test examples, and what they say of it.

use serde::{Deserialize, Serialize};

use super::{
    bootstrap::{Bootstrap, Examples, Interval},
    descriptive::{mean, standard_deviation},
};

/// The outcomes of one run: a number for each of its test examples, of which more is better (1 for a right class and
/// 0 for a wrong one, a ROUGE-L score, a log-likelihood).
#[derive(Debug, Clone, PartialEq)]
pub struct SeedOutcomes {
    /// Seed of the run; `None` where no seed matters, as for a model that is not trained.
    pub seed: Option<u64>,
    /// What tells the examples apart: their lines.
    pub examples: Vec<usize>,
    /// The number of each example.
    pub values: Vec<f64>,
}

/// What one method reaches, over its seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The mean over seeds and examples, with the interval over both.
    pub mean: Interval,
    /// Standard deviation of the seeds' means; `None` with one seed.
    pub deviation: Option<f64>,
    /// Number of seeds.
    pub n_seeds: usize,
    /// Number of test examples of the first seed.
    pub n_examples: usize,
}

/// Summarises the runs of one method; `None` of none, or of one without examples.
pub fn summarize(runs: &[SeedOutcomes], bootstrap: &Bootstrap) -> Option<Summary> {
    let of_run = |run: usize, examples: &[usize]| {
        let values = &runs[run].values;
        let sum: f64 = examples.iter().map(|&example| values[example]).sum();
        [sum / examples.len() as f64]
    };
    let [interval] = bootstrap.intervals(runs.len(), &examples(runs), of_run)?;
    let means: Vec<f64> = runs.iter().filter_map(|run| mean(&run.values)).collect();
    Some(Summary {
        mean: interval,
        deviation: standard_deviation(&means),
        n_seeds: runs.len(),
        n_examples: runs.first()?.values.len(),
    })
}

/// Whether runs share their test examples.
pub fn examples(runs: &[SeedOutcomes]) -> Examples {
    let first = runs.first().map(|run| &run.examples);
    match runs.iter().all(|run| Some(&run.examples) == first) {
        true => Examples::Shared(runs.first().map_or(0, |run| run.values.len())),
        false => Examples::Own(runs.iter().map(|run| run.values.len()).collect()),
    }
}
