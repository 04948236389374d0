//! What methods cost and reach, side by side.

mod text;

pub(crate) use text::{bytes, count, quoted};

use serde::{Deserialize, Serialize};

use crate::{
    error::CompareError,
    matrix::{FinishedRun, by_method},
    result::{RunResult, TestOutcome, TestResult},
    run::{BOOTSTRAP_SEED, PREDICTIONS_FILE, WHOLE_PREDICTIONS_FILE},
    statistics::{
        Interval, PairedComparison, accuracy, bootstrap_mean, mean, median, paired,
        standard_deviation,
    },
};

/// The table of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The baselines, then the methods.
    pub rows: Vec<Row>,
    /// Every further method against the first one, on the same test examples.
    pub pairs: Vec<Pair>,
    /// Share that intervals cover.
    pub confidence: f64,
    /// Test examples; of the whole test set where that was asked for.
    pub n_examples: Vec<usize>,
}

/// A baseline or a method.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub label: String,
    /// Parameters that are trained.
    pub trained: Option<usize>,
    /// Their share in all, in percent.
    pub percent: Option<f64>,
    /// Bytes on disk of what was trained.
    pub adapter_bytes: Option<u64>,
    /// Median seconds of a training step; the median over seeds.
    pub step_seconds: Option<f64>,
    /// Largest resident memory while training; the largest over seeds.
    pub peak_memory_bytes: Option<u64>,
    /// Accuracy on the test examples: the mean over seeds, with the interval over examples.
    pub accuracy: Option<Interval>,
    /// The same on the whole test set.
    pub whole_accuracy: Option<Interval>,
    /// Standard deviation of the accuracy over seeds.
    pub deviation: Option<f64>,
    /// Mean loss on the test examples.
    pub loss: Option<f64>,
    /// Seeds that it was run with.
    pub seeds: Vec<u64>,
}

/// Two methods on the same test examples, with the same seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Name of the first.
    pub first: String,
    /// Name of the second.
    pub second: String,
    /// How they compare.
    pub comparison: PairedComparison,
}

impl Table {
    /// The table of finished runs; the untuned base is the run without a method's name.
    ///
    /// # Errors
    ///
    /// If the predictions of a run cannot be read.
    pub fn of_runs(runs: &[FinishedRun]) -> Result<Self, CompareError> {
        let mut rows = Vec::new();
        let majority = runs.iter().find_map(|run| run.result.majority_accuracy);
        rows.extend(majority.map(|value| Row {
            label: "majority".into(),
            accuracy: Some(Interval {
                value,
                low: value,
                high: value,
            }),
            ..Row::default()
        }));
        let groups = by_method(runs);
        for (_, group) in &groups {
            rows.push(row(group)?);
        }
        let of_test = |test: fn(&RunResult) -> Option<TestResult>| {
            let mut tests = runs.iter().filter_map(|run| test(&run.result));
            tests.next().map(|test| test.n_examples)
        };
        let n_examples = [of_test(|run| run.test), of_test(|run| run.whole_test)];
        let report = runs.first().map(|run| &run.planned.config.report);
        Ok(Self {
            rows,
            pairs: pairs(&groups)?,
            confidence: report.map_or(0.95, |report| report.confidence),
            n_examples: n_examples.into_iter().flatten().collect(),
        })
    }
}

fn row(group: &[&FinishedRun]) -> Result<Row, CompareError> {
    let results = || group.iter().map(|run| &run.result);
    let values =
        |value: fn(&RunResult) -> Option<f64>| results().filter_map(value).collect::<Vec<_>>();
    let accuracies = values(|result| Some(result.test?.accuracy?.value));
    let first = results().next();
    Ok(Row {
        label: group[0].planned.title(),
        trained: first.map(|result| result.parameters.trained),
        percent: first.map(|result| result.parameters.percent),
        adapter_bytes: results().filter_map(|result| result.adapter_bytes).max(),
        step_seconds: median(&values(|result| result.step_seconds)),
        peak_memory_bytes: results()
            .filter_map(|result| result.peak_memory_bytes)
            .max(),
        accuracy: over_seeds(group, PREDICTIONS_FILE, |result| result.test)?,
        whole_accuracy: over_seeds(group, WHOLE_PREDICTIONS_FILE, |result| result.whole_test)?,
        deviation: standard_deviation(&accuracies),
        loss: mean(&values(|result| Some(result.test?.loss))),
        seeds: group.iter().map(|run| run.planned.config.seed).collect(),
    })
}

/// The mean accuracy of runs that differ in their seeds. Its interval is over the test examples, each of which counts
/// by the share of seeds that got it right.
fn over_seeds(
    group: &[&FinishedRun],
    file: &str,
    test: impl Fn(&RunResult) -> Option<TestResult>,
) -> Result<Option<Interval>, CompareError> {
    if let [run] = group {
        return Ok(test(&run.result).and_then(|test| test.accuracy));
    }
    let tests = group.iter().filter(|run| test(&run.result).is_some());
    let outcomes = tests.map(|run| correct(run, file));
    let outcomes: Vec<Vec<bool>> = outcomes.collect::<Result<_, _>>()?;
    let Some(first) = outcomes.first() else {
        return Ok(None);
    };
    if outcomes.iter().any(|other| other.len() != first.len()) {
        // Each seed has its own test examples (`data.seed` differs by method): the mean stands alone.
        let values: Vec<f64> = outcomes
            .iter()
            .filter_map(|outcome| accuracy(outcome))
            .collect();
        return Ok(mean(&values).map(|value| Interval {
            value,
            low: value,
            high: value,
        }));
    }
    let shares: Vec<f64> = (0..first.len())
        .map(|example| {
            let right = outcomes.iter().filter(|outcome| outcome[example]).count();
            right as f64 / outcomes.len() as f64
        })
        .collect();
    let report = &group[0].planned.config.report;
    Ok(bootstrap_mean(
        &shares,
        report.resamples,
        report.confidence,
        BOOTSTRAP_SEED,
    ))
}

/// Which examples a run got right.
fn correct(run: &FinishedRun, file: &str) -> Result<Vec<bool>, CompareError> {
    let path = run.planned.folder.join(file);
    let text =
        std::fs::read_to_string(&path).map_err(|source| CompareError::file(&path, source))?;
    let outcomes = text.lines().enumerate().map(|(index, line)| {
        let outcome: TestOutcome =
            serde_json::from_str(line).map_err(|error| CompareError::Content {
                path: path.clone(),
                message: format!("line {} is no prediction: {error}", index + 1),
                hint: "remove the folder of the run and compare again".into(),
            })?;
        Ok(outcome.label == outcome.prediction)
    });
    outcomes.collect()
}

fn pairs(groups: &[(&str, Vec<&FinishedRun>)]) -> Result<Vec<Pair>, CompareError> {
    let mut methods = groups.iter().filter(|(method, _)| !method.is_empty());
    let Some((_, first)) = methods.next() else {
        return Ok(Vec::new());
    };
    let tested = |run: &&FinishedRun| run.result.test.is_some_and(|test| test.accuracy.is_some());
    let mut pairs = Vec::new();
    for (_, second) in methods {
        let same_seed = first.iter().filter(|run| tested(run)).find_map(|run| {
            let seed = run.planned.config.seed;
            let other = second
                .iter()
                .find(|other| other.planned.config.seed == seed);
            other.filter(|run| tested(run)).map(|other| (*run, *other))
        });
        let Some((first, second)) = same_seed else {
            continue;
        };
        let report = &first.planned.config.report;
        let comparison = paired(
            &correct(first, PREDICTIONS_FILE)?,
            &correct(second, PREDICTIONS_FILE)?,
            report.resamples,
            report.confidence,
            BOOTSTRAP_SEED,
        );
        pairs.extend(comparison.map(|comparison| Pair {
            first: first.planned.title(),
            second: second.planned.title(),
            comparison,
        }));
    }
    Ok(pairs)
}
