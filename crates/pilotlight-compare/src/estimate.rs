//! How long runs will take and how much memory they will need.
//!
//! Operations come from [formulas](crate::arithmetic); how many are done in a second comes from finished runs, of the
//! same method where there are any, or from a forward pass that was timed. Peak memory comes from finished runs of
//! the same method, or from a formula.

use serde::{Deserialize, Serialize};

use crate::{
    experiment::ExperimentConfig,
    launch::{PlannedRun, RunKind},
    result::RunResult,
    statistics::median,
    survey::{Survey, Work},
};

/// What a run is expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Seconds from its start to its result.
    pub seconds: f64,
    /// What they are told by.
    pub seconds_from: Evidence,
    /// Largest memory while it trains, in bytes; nothing for a run that is only tested.
    pub memory_bytes: Option<f64>,
    /// What it is told by.
    pub memory_from: Evidence,
}

/// What a number is told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Finished runs of the same method at the same point.
    SameMethod,
    /// Finished runs of others.
    OtherRuns,
    /// A forward pass of the model that was timed.
    TimedPass,
    /// A formula.
    Formula,
}

/// What is known of the runs of a comparison: how much they compute, and how fast those that are finished were.
#[derive(Debug)]
pub struct Estimates<'a> {
    survey: &'a Survey,
    seen: Vec<Seen>,
}

/// A run that is finished.
#[derive(Debug)]
struct Seen {
    config: ExperimentConfig,
    /// Operations in a second.
    speed: f64,
    /// Seconds before and behind what is counted in operations.
    rest_seconds: f64,
    memory_bytes: Option<f64>,
}

impl<'a> Estimates<'a> {
    /// Estimates without finished runs.
    pub fn new(survey: &'a Survey) -> Self {
        let seen = Vec::new();
        Self { survey, seen }
    }

    /// Takes notice of a finished run.
    pub fn learn(&mut self, run: &PlannedRun, result: &RunResult) {
        let Some(work) = self.survey.work(&run.config) else {
            return;
        };
        let seconds = &result.seconds;
        let computing = seconds.training + seconds.validation + seconds.test;
        let computing = computing + seconds.generation + seconds.general;
        let operations = operations(run, work, result.steps);
        if computing > 0.0 && operations > 0.0 {
            self.seen.push(Seen {
                config: comparable(&run.config),
                speed: operations / computing,
                rest_seconds: (seconds.total - computing).max(0.0),
                memory_bytes: result.peak_memory_bytes.map(|bytes| bytes as f64),
            });
        }
    }

    /// What a run is expected to take; nothing if it is not among those that were surveyed.
    pub fn of(&self, run: &PlannedRun) -> Option<Estimate> {
        let work = self.survey.work(&run.config)?;
        let operations = operations(run, work, run.config.train.n_steps(work.n_train));
        let wanted = comparable(&run.config);
        let same = |seen: &&Seen| seen.config == wanted;
        let model = |seen: &&Seen| {
            seen.config.base.model == wanted.base.model && seen.config.device == wanted.device
        };
        let of = |is: &dyn Fn(&&Seen) -> bool, value: fn(&Seen) -> f64| {
            median(&self.seen.iter().filter(is).map(value).collect::<Vec<_>>())
        };
        let speed = |seen: &Seen| seen.speed;
        let (speed, seconds_from) = match (of(&same, speed), of(&model, speed)) {
            (Some(speed), _) => (speed, Evidence::SameMethod),
            (None, Some(speed)) => (speed, Evidence::OtherRuns),
            (None, None) => (self.survey.speed(&run.config)?, Evidence::TimedPass),
        };
        let rest = of(&same, |seen| seen.rest_seconds);
        let rest = rest.or(of(&model, |seen| seen.rest_seconds));
        let peaks = self.seen.iter().filter(same);
        let peaks: Vec<f64> = peaks.filter_map(|seen| seen.memory_bytes).collect();
        let (memory_bytes, memory_from) = match median(&peaks) {
            Some(peak) => (Some(peak), Evidence::SameMethod),
            None => (memory(run, work), Evidence::Formula),
        };
        Some(Estimate {
            seconds: operations / speed + rest.unwrap_or(work.start_seconds),
            seconds_from,
            memory_bytes,
            memory_from,
        })
    }
}

/// Settings that take as long at a step: seeds, rates and what is done with the result make no difference.
fn comparable(config: &ExperimentConfig) -> ExperimentConfig {
    let mut config = config.clone();
    config.seed = 0;
    config.train = Default::default();
    config.report = Default::default();
    config
}

/// What a run computes with so many steps.
fn operations(run: &PlannedRun, work: &Work, n_steps: usize) -> f64 {
    let train = &run.config.train;
    let test = work.test_operations + work.generation_operations;
    let test = match run.kind {
        RunKind::Trial => 0.0,
        RunKind::Baseline => test,
        RunKind::Method => test + work.general_operations,
        RunKind::Ensemble => {
            let members = run.config.ensemble.iter().flat_map(|it| &it.members);
            test * members.count() as f64
        }
    };
    if run.config.report.test_only {
        return test;
    }
    let rows = (train.batch_size * train.accumulate).min(work.n_train.max(1) * train.accumulate);
    let n_validations = train.eval_every.map_or(0, |every| n_steps / every);
    let ends_with_one = train
        .eval_every
        .is_some_and(|every| n_steps.is_multiple_of(every));
    let n_validations = n_validations + usize::from(!ends_with_one);
    n_steps as f64 * rows as f64 * work.step_operations
        + n_validations as f64 * work.validation_operations
        + test
}

/// What the program needs by itself, most of it held in reserve for tensors.
const PROGRAM_BYTES: f64 = 64.0 * 1024.0 * 1024.0;

/// The largest memory of a run that trains.
fn memory(run: &PlannedRun, work: &Work) -> Option<f64> {
    let rows = run.config.train.batch_size as f64;
    let training = work.trained_bytes + rows * work.example_bytes;
    let training = PROGRAM_BYTES + work.base_bytes + training;
    (!run.config.report.test_only).then_some(training)
}
