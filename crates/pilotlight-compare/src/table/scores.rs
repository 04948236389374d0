//! Scores of classifiers that are no means over examples, with their intervals.

use pilotlight_train::ConfusionMatrix;

use crate::{
    finished::{FinishedRun, Group},
    statistics::{Bootstrap, Interval, examples},
};

/// Macro-F1 and Matthews' correlation coefficient, each the mean over the seeds, with intervals over seeds and examples;
/// `None` without classes.
pub(super) fn of_classes(group: &Group<'_>, bootstrap: &Bootstrap) -> Option<[Interval; 2]> {
    let runs: Vec<&FinishedRun> = group
        .runs()
        .iter()
        .copied()
        .filter(|run| !run.outcomes.is_empty())
        .collect();
    let labels = group.first().labels();
    let of_runs: Vec<_> = runs.iter().map(|run| run.classes(&labels)).collect();
    let outcomes = group.outcomes(|run| &run.outcomes);
    bootstrap.intervals(runs.len(), &examples(&outcomes), |run, examples| {
        let pairs = examples.iter().map(|&example| of_runs[run][example]);
        let confusion = ConfusionMatrix::new(labels.len(), pairs);
        [confusion.macro_f1(), confusion.mcc()]
    })
}
