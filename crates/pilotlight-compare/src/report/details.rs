//! What a report says of one row of its table.

use std::collections::BTreeMap;

use pilotlight_train::{ConfusionMatrix, Metric, SplitName};
use serde::{Deserialize, Serialize};

use super::settings::Setting;
use crate::{
    finished::{FinishedRun, Group},
    statistics::mean,
};

/// Points of a training curve at most: a loss of every step is more noise than curve.
const MOST_POINTS: usize = 60;

/// More about a row of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// The row's place in the table.
    pub row: usize,
    /// Training losses along the steps.
    pub training: Vec<CurvePoint>,
    /// Validation losses along the steps.
    pub validation: Vec<CurvePoint>,
    /// Which classes are taken for which; `None` without classes.
    pub confusion: Option<Confusion>,
    /// The settings that not all rows have alike.
    pub settings: Vec<Setting>,
}

/// A loss at a step, over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The step; of several steps together the last one.
    pub step: usize,
    /// The mean over seeds.
    pub mean: f64,
    /// The lowest of the seeds'.
    pub low: f64,
    /// The highest of the seeds'.
    pub high: f64,
}

/// How often each class was taken for each other one, over all seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// The classes in their order.
    pub labels: Vec<String>,
    /// `counts[gold][predicted]`.
    pub counts: ConfusionMatrix,
}

impl Detail {
    pub(super) fn new(row: usize, group: &Group<'_>, settings: Vec<Setting>) -> Self {
        let confusion = group
            .confusion()
            .map(|(labels, counts)| Confusion { labels, counts });
        Self {
            row,
            training: training(group.runs()),
            validation: validation(group.runs()),
            confusion,
            settings,
        }
    }
}

/// The losses of each run on a split.
fn losses(run: &FinishedRun, split: SplitName) -> impl Iterator<Item = (usize, f64)> {
    let of_split = move |metric: &&Metric| metric.split == split;
    run.history
        .iter()
        .filter(of_split)
        .map(|metric| (metric.step, metric.loss))
}

fn validation(runs: &[&FinishedRun]) -> Vec<CurvePoint> {
    let runs = runs
        .iter()
        .map(|run| losses(run, SplitName::Validation).collect());
    joined(&runs.collect::<Vec<_>>())
}

/// Means over as many neighbouring steps as leave few points enough.
fn training(runs: &[&FinishedRun]) -> Vec<CurvePoint> {
    let last = runs
        .iter()
        .flat_map(|run| losses(run, SplitName::Train))
        .map(|(step, _)| step)
        .max();
    let width = last.unwrap_or(0).div_ceil(MOST_POINTS).max(1);
    let of_run = |run: &&FinishedRun| {
        let mut parts: BTreeMap<usize, (usize, Vec<f64>)> = BTreeMap::new();
        for (step, loss) in losses(run, SplitName::Train) {
            let part = parts.entry(step.saturating_sub(1) / width).or_default();
            part.0 = part.0.max(step);
            part.1.push(loss);
        }
        let means = parts
            .into_values()
            .filter_map(|(step, losses)| Some((step, mean(&losses)?)));
        means.collect()
    };
    joined(&runs.iter().map(of_run).collect::<Vec<_>>())
}

/// The curves of several runs as one.
fn joined(runs: &[Vec<(usize, f64)>]) -> Vec<CurvePoint> {
    let mut steps: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (step, loss) in runs.iter().flatten() {
        steps.entry(*step).or_default().push(*loss);
    }
    let point = |(step, losses): (usize, Vec<f64>)| {
        Some(CurvePoint {
            step,
            mean: mean(&losses)?,
            low: losses.iter().copied().fold(f64::INFINITY, f64::min),
            high: losses.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    };
    steps.into_iter().filter_map(point).collect()
}
