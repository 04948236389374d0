//! Runs that are finished, with all that a report says of them.

use std::path::Path;

use pilotlight_train::{ConfusionMatrix, METRICS_FILE, Metric};
use serde::de::DeserializeOwned;

use crate::{
    error::CompareError,
    forgetting::GeneralOutcome,
    generated::TextOutcome,
    launch::{PlannedRun, RunKind},
    result::{RunResult, TestOutcome},
    run::{GENERAL_FILE, PREDICTIONS_FILE, WHOLE_PREDICTIONS_FILE},
    statistics::SeedOutcomes,
};

/// A run that is finished.
#[derive(Debug, Clone, PartialEq)]
pub struct FinishedRun {
    /// The run.
    pub planned: PlannedRun,
    /// What came out.
    pub result: RunResult,
    /// The outcomes on the test examples; none in a task without classes.
    pub outcomes: Vec<TestOutcome>,
    /// The same on the whole test set, where that was asked for.
    pub whole_outcomes: Vec<TestOutcome>,
    /// The outcomes on the test examples in a task of texts; none in other tasks, and in runs of older versions.
    pub texts: Vec<TextOutcome>,
    /// The outcomes on general text, where that was asked for.
    pub general: Vec<GeneralOutcome>,
    /// Its steps and evaluations; none where nothing was trained.
    pub history: Vec<Metric>,
}

impl FinishedRun {
    /// Reads what the folder of a run holds beside its result.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or is not what a run writes.
    pub fn read(planned: PlannedRun, result: RunResult) -> Result<Self, CompareError> {
        let folder = &planned.folder;
        let has_classes = |test: Option<crate::result::TestResult>| {
            test.is_some_and(|test| test.accuracy.is_some())
        };
        let outcomes = |is_there, file| lines_of(is_there, &folder.join(file));
        let has_texts = result.test.is_some_and(|test| test.perplexity.is_some());
        Ok(Self {
            texts: lines_of(has_texts, &folder.join(PREDICTIONS_FILE))?,
            general: lines_of(result.forgetting.is_some(), &folder.join(GENERAL_FILE))?,
            outcomes: outcomes(has_classes(result.test), PREDICTIONS_FILE)?,
            whole_outcomes: outcomes(has_classes(result.whole_test), WHOLE_PREDICTIONS_FILE)?,
            history: match result.steps {
                0 => Vec::new(),
                _ => lines(&folder.join(METRICS_FILE))?,
            },
            planned,
            result,
        })
    }

    /// The classes in their order. Results of older versions do not name them: those that occur, by the alphabet.
    pub fn labels(&self) -> Vec<String> {
        if !self.result.labels.is_empty() {
            return self.result.labels.clone();
        }
        let outcomes = self.outcomes.iter().chain(&self.whole_outcomes);
        let mut labels: Vec<String> = outcomes
            .flat_map(|outcome| [outcome.label.clone(), outcome.prediction.clone()])
            .collect();
        labels.sort();
        labels.dedup();
        labels
    }

    /// The right and the predicted class of each test example, as places among `labels`; an example of another class is
    /// left out.
    pub fn classes(&self, labels: &[String]) -> Vec<(usize, usize)> {
        let place = |label: &str| labels.iter().position(|known| known == label);
        let outcomes = self.outcomes.iter();
        let pairs =
            outcomes.map(|outcome| Some((place(&outcome.label)?, place(&outcome.prediction)?)));
        pairs.flatten().collect()
    }
}

/// Right or wrong, for each example.
pub(crate) fn right(outcomes: &[TestOutcome], seed: Option<u64>) -> SeedOutcomes {
    let value = |outcome: &TestOutcome| f64::from(u8::from(outcome.label == outcome.prediction));
    SeedOutcomes {
        seed,
        examples: outcomes.iter().map(|outcome| outcome.line).collect(),
        values: outcomes.iter().map(value).collect(),
    }
}

/// Finished runs that differ in nothing but their seeds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group<'a>(Vec<&'a FinishedRun>);

impl<'a> Group<'a> {
    /// The groups of runs, in the order of their first ones.
    pub(crate) fn all(runs: &'a [FinishedRun]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for run in runs {
            let same = |group: &&mut Self| {
                let [first, run] = [group.first(), run].map(|run| &run.planned);
                (first.kind, &first.method, &first.label, &first.point)
                    == (run.kind, &run.method, &run.label, &run.point)
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.0.push(run),
                None => groups.push(Self(vec![run])),
            }
        }
        groups
    }

    pub(crate) fn first(&self) -> &'a FinishedRun {
        self.0[0]
    }

    pub(crate) fn runs(&self) -> &[&'a FinishedRun] {
        &self.0
    }

    /// What the runs say of something that all of them may have.
    pub(crate) fn values<T>(&self, value: impl Fn(&RunResult) -> Option<T>) -> Vec<T> {
        self.0.iter().filter_map(|run| value(&run.result)).collect()
    }

    /// The outcomes of each run that has any. A baseline of one run stands beside every seed of a method.
    pub(crate) fn outcomes(
        &self,
        outcomes: impl Fn(&FinishedRun) -> &[TestOutcome],
    ) -> Vec<SeedOutcomes> {
        let has_seeds = self.0.len() > 1 || self.first().planned.kind == RunKind::Method;
        let runs = self.0.iter().filter(|run| !outcomes(run).is_empty());
        runs.map(|run| {
            let seed = has_seeds.then_some(run.planned.config.seed);
            right(outcomes(run), seed)
        })
        .collect()
    }

    /// The outcomes of each run that has any of a kind.
    pub(crate) fn each<T>(&self, outcomes: impl Fn(&'a FinishedRun) -> &'a [T]) -> Vec<&'a [T]> {
        let runs = self.0.iter().map(|run| outcomes(run));
        runs.filter(|outcomes| !outcomes.is_empty()).collect()
    }

    /// How often each class was taken for each other one, over all seeds; `None` without classes.
    pub(crate) fn confusion(&self) -> Option<(Vec<String>, ConfusionMatrix)> {
        let labels = self.first().labels();
        let pairs: Vec<_> = self.0.iter().flat_map(|run| run.classes(&labels)).collect();
        (!pairs.is_empty()).then(|| {
            let matrix = ConfusionMatrix::new(labels.len(), pairs);
            (labels, matrix)
        })
    }
}

/// The values of a file of JSON lines, if it is there.
fn lines_of<T: DeserializeOwned>(is_there: bool, path: &Path) -> Result<Vec<T>, CompareError> {
    match is_there {
        true => lines(path),
        false => Ok(Vec::new()),
    }
}

/// The values of a file of JSON lines.
fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, CompareError> {
    let text = std::fs::read_to_string(path).map_err(|source| CompareError::file(path, source))?;
    let values = text.lines().enumerate().map(|(index, line)| {
        serde_json::from_str(line).map_err(|error| CompareError::Content {
            path: path.to_owned(),
            message: format!("line {} is not what a run writes: {error}", index + 1),
            hint: "remove the folder of the run and run it again".into(),
        })
    });
    values.collect()
}
