//! All methods against each other.

use std::collections::{BTreeSet, HashMap};

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{
    bootstrap::{Bootstrap, Interval},
    outcomes::SeedOutcomes,
    significance::{crossed, holm, mcnemar},
};

/// Two methods on the same test examples, with the same seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Index of the first method.
    pub first: usize,
    /// Index of the second.
    pub second: usize,
    /// The first one's mean minus the second's, with the interval over seeds and examples.
    pub difference: Interval,
    /// Outcomes (one for each seed and example) in which the first was better.
    pub first_better: usize,
    /// Outcomes in which the second was better.
    pub second_better: usize,
    /// Seeds that both have.
    pub n_seeds: usize,
    /// Test examples that all methods have.
    pub n_examples: usize,
    /// How the difference was tested.
    pub test: PairTest,
    /// How likely a difference this large, or larger, would be if the methods were alike.
    pub p_value: f64,
    /// Pairs on the same test examples, for which it is corrected.
    pub n_pairs: usize,
    /// The same after Holm's correction for the number of pairs.
    pub corrected_p_value: f64,
    /// Whether the corrected test does not tell the methods apart: the difference is within noise.
    pub is_tie: bool,
}

/// How a difference between two methods is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairTest {
    /// McNemar's exact test: one seed, right or wrong. It speaks of these two models, not of other seeds.
    McNemar,
    /// The paired t test over examples: one seed. It speaks of these two models, not of other seeds.
    PairedT,
    /// The t test over random seeds crossed with random examples (Dorfman, Berbaum and Metz 1992; Hillis 2007).
    Crossed,
}

impl PairTest {
    /// Its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::McNemar => "McNemar's exact test",
            Self::PairedT => "the paired t test over examples",
            Self::Crossed => "the t test over seeds and examples",
        }
    }
}

impl Comparison {
    /// The same, with the methods in each other's place.
    pub fn reversed(&self) -> Self {
        let Interval { value, low, high } = self.difference;
        Self {
            first: self.second,
            second: self.first,
            difference: Interval {
                value: -value,
                low: -high,
                high: -low,
            },
            first_better: self.second_better,
            second_better: self.first_better,
            ..self.clone()
        }
    }
}

/// Compares every method with every later one, on the test examples that all of them have and the seeds that both have.
///
/// A run whose seed is `None` stands beside every seed of the other method. Pairs without a common seed are left out.
/// Differences are tied unless their test, corrected for the number of pairs, rejects at `1 - bootstrap.confidence`.
pub fn compare_all(methods: &[&[SeedOutcomes]], bootstrap: &Bootstrap) -> Vec<Comparison> {
    let methods = aligned(methods);
    let mut pairs = Vec::new();
    for first in 0..methods.len() {
        for second in first + 1..methods.len() {
            let runs = common_seeds(&methods[first], &methods[second]);
            if runs.iter().any(|(first, _)| !first.values.is_empty()) {
                pairs.push(Pair {
                    first,
                    second,
                    runs,
                });
            }
        }
    }
    let tested: Vec<(PairTest, f64)> = pairs.iter().map(Pair::test).collect();
    let corrected = holm(
        &tested
            .iter()
            .map(|(_, p_value)| *p_value)
            .collect::<Vec<_>>(),
    );
    let differences = intervals(&methods, &pairs, bootstrap);
    let comparisons = pairs.iter().zip(tested).zip(corrected).zip(differences);
    comparisons
        .map(
            |(((pair, (test, p_value)), corrected_p_value), difference)| Comparison {
                first: pair.first,
                second: pair.second,
                difference,
                first_better: pair.count(|difference| difference > 0.0),
                second_better: pair.count(|difference| difference < 0.0),
                n_seeds: pair.runs.len(),
                n_examples: pair.runs[0].0.values.len(),
                test,
                p_value,
                n_pairs: pairs.len(),
                corrected_p_value,
                is_tie: corrected_p_value >= 1.0 - bootstrap.confidence,
            },
        )
        .collect()
}

/// A run with its values in the order of the examples that all methods have.
struct Run {
    seed: Option<u64>,
    values: Vec<f64>,
    /// Its place among all runs of all methods.
    index: usize,
}

struct Pair<'a> {
    first: usize,
    second: usize,
    runs: Vec<(&'a Run, &'a Run)>,
}

/// All runs on the test examples that all of them have.
fn aligned(methods: &[&[SeedOutcomes]]) -> Vec<Vec<Run>> {
    let runs = || methods.iter().copied().flatten();
    let mut common: BTreeSet<usize> = runs()
        .next()
        .map(|run| run.examples.iter().copied().collect())
        .unwrap_or_default();
    for run in runs() {
        let of_run: BTreeSet<usize> = run.examples.iter().copied().collect();
        common.retain(|example| of_run.contains(example));
    }
    let mut n_runs = 0;
    let mut align = |run: &SeedOutcomes| {
        let values: HashMap<_, _> = run.examples.iter().zip(&run.values).collect();
        n_runs += 1;
        Run {
            seed: run.seed,
            values: common.iter().map(|example| *values[example]).collect(),
            index: n_runs - 1,
        }
    };
    methods
        .iter()
        .map(|runs| runs.iter().map(&mut align).collect())
        .collect()
}

/// The runs of two methods that have the same seed.
fn common_seeds<'a>(first: &'a [Run], second: &'a [Run]) -> Vec<(&'a Run, &'a Run)> {
    let pairs = first
        .iter()
        .flat_map(|a| second.iter().map(move |b| (a, b)));
    pairs
        .filter(|(a, b)| a.seed == b.seed || a.seed.is_none() || b.seed.is_none())
        .collect()
}

impl Pair<'_> {
    fn differences(&self) -> impl Iterator<Item = Vec<f64>> {
        self.runs.iter().map(|(first, second)| {
            let values = first.values.iter().zip(&second.values);
            values.map(|(first, second)| first - second).collect()
        })
    }

    fn count(&self, holds: impl Fn(f64) -> bool) -> usize {
        self.differences().flatten().filter(|it| holds(*it)).count()
    }

    fn test(&self) -> (PairTest, f64) {
        let differences: Vec<Vec<f64>> = self.differences().collect();
        let of_classes = |run: &Run| run.values.iter().all(|value| [0.0, 1.0].contains(value));
        let (first_better, second_better) = (self.count(|it| it > 0.0), self.count(|it| it < 0.0));
        if let [(first, second)] = self.runs.as_slice()
            && of_classes(first)
            && of_classes(second)
        {
            return (PairTest::McNemar, mcnemar(first_better, second_better));
        }
        let test = match self.runs.len() {
            1 => PairTest::PairedT,
            _ => PairTest::Crossed,
        };
        let p_value = match crossed(&differences) {
            Some(verdict) => verdict.p_value,
            // Every example differs by the same: what is left is how many of them there are.
            None => mcnemar(
                first_better / self.runs.len(),
                second_better / self.runs.len(),
            ),
        };
        (test, p_value)
    }
}

/// The interval of each pair's difference. All pairs have the same resamples of the examples, so that the sums over them
/// are taken once for each run.
fn intervals(methods: &[Vec<Run>], pairs: &[Pair<'_>], bootstrap: &Bootstrap) -> Vec<Interval> {
    let runs: Vec<&Run> = methods.iter().flatten().collect();
    let n_examples = runs.first().map_or(0, |run| run.values.len());
    let n_seeds = pairs.iter().map(|pair| pair.runs.len()).max().unwrap_or(0);
    let difference = |pair: &Pair<'_>, means: &[f64], draws: &[usize]| {
        let of_seeds = draws.iter().map(|&draw| {
            let (first, second) = pair.runs[draw];
            means[first.index] - means[second.index]
        });
        of_seeds.sum::<f64>() / draws.len() as f64
    };
    let mut random = bootstrap.random();
    let mut resampled = vec![Vec::with_capacity(bootstrap.resamples); pairs.len()];
    let mut counts = vec![0.0; n_examples];
    for _ in 0..bootstrap.resamples {
        let seeds: Vec<f64> = (0..n_seeds).map(|_| random.random::<f64>()).collect();
        counts.fill(0.0);
        (0..n_examples).for_each(|_| counts[random.random_range(0..n_examples)] += 1.0);
        let means: Vec<f64> = runs.iter().map(|run| weighted_mean(run, &counts)).collect();
        for (pair, all) in pairs.iter().zip(&mut resampled) {
            let n_seeds = pair.runs.len();
            let draws = seeds[..n_seeds].iter();
            let draws: Vec<usize> = draws
                .map(|share| (share * n_seeds as f64) as usize)
                .collect();
            all.push(difference(pair, &means, &draws));
        }
    }
    let means: Vec<f64> = runs
        .iter()
        .map(|run| weighted_mean(run, &vec![1.0; n_examples]))
        .collect();
    let pairs = pairs.iter().zip(&resampled);
    pairs
        .map(|(pair, resampled)| {
            let all: Vec<usize> = (0..pair.runs.len()).collect();
            let value = difference(pair, &means, &all);
            Interval::percentile(value, resampled, bootstrap.confidence)
        })
        .collect()
}

/// The mean of a run in which each example counts so many times.
fn weighted_mean(run: &Run, counts: &[f64]) -> f64 {
    let weighted = run.values.iter().zip(counts);
    weighted.map(|(value, count)| value * count).sum::<f64>() / counts.len() as f64
}
