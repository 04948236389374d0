//! What methods cost and reach, side by side.

mod columns;
mod costs;
mod majority;
mod pairs;
mod scores;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use self::{
    majority::majorities,
    pairs::{compared, stand},
};
use crate::{
    experiment::{AxisValues, ReportConfig},
    finished::{FinishedRun, Group},
    forgetting::differences,
    generated::{TextScores, perplexities, text_scores},
    result::{RunResult, TestResult},
    statistics::{Comparison, Interval, mean, median, summarize},
};

/// The table of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The baselines, then the methods.
    pub rows: Vec<Row>,
    /// Every row against every later one on the same test examples; `first` and `second` are places in `rows`.
    pub comparisons: Vec<Comparison>,
    /// Share that intervals cover.
    pub confidence: f64,
    /// Test examples of a run, from the fewest to the most; then the same of the whole test set where that was asked for.
    pub n_examples: Vec<RangeInclusive<usize>>,
}

/// A baseline or a method.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Row {
    /// Its name, with its values of the axes.
    pub label: String,
    /// Its name alone.
    pub name: String,
    /// Name of the method in the comparison; empty for a baseline.
    pub method: String,
    /// Its values of the axes.
    pub point: AxisValues,
    /// Parameters that are trained.
    pub trained: Option<usize>,
    /// Their share in all, in percent.
    pub percent: Option<f64>,
    /// Bytes on disk of what was trained.
    pub adapter_bytes: Option<u64>,
    /// Median seconds of a training step; the median over seeds.
    pub step_seconds: Option<f64>,
    /// Seconds of all training steps; the median over seeds.
    pub training_seconds: Option<f64>,
    /// Largest resident memory while training; the largest over seeds.
    pub peak_memory_bytes: Option<u64>,
    /// Tokens of the training texts in a second of the steps; this and what follows is the median over seeds.
    pub tokens_per_second: Option<f64>,
    /// Operations of training for a token of the texts.
    pub operations_per_token: Option<f64>,
    /// Operations in a second of the steps.
    pub operations_per_second: Option<f64>,
    /// Operations in a second of the device's matrix products.
    pub peak_operations_per_second: Option<f64>,
    /// The steps' operations in a second in parts of these.
    pub peak_share: Option<f64>,
    /// Seconds of a request with the adapter.
    pub request_seconds: Option<f64>,
    /// Seconds of a request in parts of those of the base alone.
    pub latency_ratio: Option<f64>,
    /// Positions that the adapter adds to a request, the same for all seeds.
    pub extra_positions: Option<usize>,
    /// Bytes of their keys and values.
    pub extra_kv_bytes: Option<u64>,
    /// Accuracy on the test examples: the mean over seeds and examples, with the interval over both.
    pub accuracy: Option<Interval>,
    /// The same of macro-F1.
    pub macro_f1: Option<Interval>,
    /// The same of Matthews' correlation coefficient.
    pub mcc: Option<Interval>,
    /// Accuracy on the whole test set.
    pub whole_accuracy: Option<Interval>,
    /// Standard deviation of the accuracy over seeds.
    pub deviation: Option<f64>,
    /// Perplexity of the test texts: the mean over seeds, with the interval over seeds and texts.
    #[serde(default)]
    pub perplexity: Option<Interval>,
    /// The same of what generated texts are worth.
    #[serde(default)]
    pub generated: Option<TextScores>,
    /// By how much training raised the mean loss per token on general text, with the interval over seeds and texts.
    #[serde(default)]
    pub general_loss: Option<Interval>,
    /// That loss of the base alone.
    #[serde(default)]
    pub general_loss_before: Option<f64>,
    /// Mean loss on the test examples.
    pub loss: Option<f64>,
    /// Mean of the lowest validation losses.
    pub validation_loss: Option<f64>,
    /// Seeds that it was run with.
    pub seeds: Vec<u64>,
    /// Where it stands against the best row with the same test examples.
    pub standing: Option<Standing>,
}

/// Where a row stands against the best one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It has the best accuracy.
    Best,
    /// The difference to the best is within noise.
    Tied,
    /// The best is better.
    Behind,
}

impl Table {
    /// The table of finished runs.
    pub fn of_runs(runs: &[FinishedRun]) -> Self {
        let report = runs.first().map(|run| &run.planned.config.report);
        let report = report.cloned().unwrap_or_default();
        let groups = Group::all(runs);
        let mut rows: Vec<Row> = groups.iter().map(|group| row(group, &report)).collect();
        let mut comparisons = compared(&groups, &report.bootstrap());
        stand(&mut rows, &comparisons);

        let majorities = majorities(runs);
        for comparison in &mut comparisons {
            comparison.first += majorities.len();
            comparison.second += majorities.len();
        }
        rows.splice(0..0, majorities);
        let tests: [fn(&RunResult) -> Option<TestResult>; 2] = [|it| it.test, |it| it.whole_test];
        let n_examples = tests.map(|test| {
            let results = runs.iter().map(|run| &run.result);
            range(results.filter_map(|result| Some(test(result)?.n_examples)))
        });
        Self {
            rows,
            comparisons,
            confidence: report.confidence,
            n_examples: n_examples.into_iter().flatten().collect(),
        }
    }

    /// The comparison of two rows, the first one's difference to the second.
    pub fn comparison(&self, first: usize, second: usize) -> Option<Comparison> {
        let mut comparisons = self.comparisons.iter();
        let found = comparisons.find(|it| {
            let places = (it.first, it.second);
            places == (first, second) || places == (second, first)
        })?;
        Some(match found.first == first {
            true => found.clone(),
            false => found.reversed(),
        })
    }
}

impl Row {
    /// Whether figures show it. Of several rows of the majority, each of which is a bound for few others, they show none.
    pub(crate) fn is_drawn(&self) -> bool {
        !self.seeds.is_empty() || self.point.is_empty()
    }
}

/// From the least to the largest of some numbers.
fn range(numbers: impl Iterator<Item = usize>) -> Option<RangeInclusive<usize>> {
    numbers
        .map(|it| it..=it)
        .reduce(|all, it| *all.start().min(it.start())..=*all.end().max(it.end()))
}

fn row(group: &Group<'_>, report: &ReportConfig) -> Row {
    let bootstrap = report.bootstrap();
    let planned = &group.first().planned;
    let result = &group.first().result;
    let tested = summarize(&group.outcomes(|run| &run.outcomes), &bootstrap);
    let whole = summarize(&group.outcomes(|run| &run.whole_outcomes), &bootstrap);
    let [macro_f1, mcc] =
        scores::of_classes(group, &bootstrap).map_or([None; 2], |it| it.map(Some));
    let texts = group.each(|run| &run.texts);
    let before = group.values(|result| Some(result.forgetting.as_ref()?.before));
    Row {
        label: planned.title(),
        name: planned.label.clone(),
        method: planned.method.clone(),
        point: planned.point.clone(),
        trained: Some(result.parameters.trained),
        percent: Some(result.parameters.percent),
        adapter_bytes: group
            .values(|result| result.adapter_bytes)
            .into_iter()
            .max(),
        step_seconds: median(&group.values(|result| result.step_seconds)),
        training_seconds: median(&group.values(|result| {
            let seconds = result.seconds.training;
            (seconds > 0.0).then_some(seconds)
        })),
        peak_memory_bytes: group
            .values(|result| result.peak_memory_bytes)
            .into_iter()
            .max(),
        tokens_per_second: median(&group.values(|result| result.tokens_per_second)),
        operations_per_token: median(&group.values(|result| Some(result.operations?.per_token))),
        operations_per_second: median(&group.values(|result| result.operations?.per_second)),
        peak_operations_per_second: median(
            &group.values(|result| result.operations?.peak_per_second),
        ),
        peak_share: median(&group.values(|result| result.operations?.peak_share())),
        request_seconds: median(&group.values(|result| Some(result.request?.latency?.seconds))),
        latency_ratio: median(&group.values(|result| Some(result.request?.latency?.ratio))),
        extra_positions: result.request.map(|request| request.extra_positions),
        extra_kv_bytes: result.request.and_then(|request| request.extra_kv_bytes),
        accuracy: tested.map(|it| it.mean),
        macro_f1,
        mcc,
        whole_accuracy: whole.map(|it| it.mean),
        deviation: tested.and_then(|it| it.deviation),
        perplexity: perplexities(&texts, &bootstrap),
        generated: text_scores(&texts, &bootstrap),
        general_loss: differences(&group.each(|run| &run.general), &bootstrap),
        general_loss_before: mean(&before),
        loss: mean(&group.values(|result| Some(result.test?.loss))),
        validation_loss: mean(&group.values(|result| result.loss.validation)),
        seeds: group
            .runs()
            .iter()
            .map(|run| run.planned.config.seed)
            .collect(),
        standing: None,
    }
}
