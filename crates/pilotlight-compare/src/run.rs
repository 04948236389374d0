//! One run: from an experiment to a folder with a trained tuner and what it cost and reached.

mod costs;
mod finished;
mod general;
mod model;
mod save;
mod test;
mod watch;

use std::{path::Path, time::Instant};

use burn::{module::Module, tensor::Device};
use pilotlight_data::{Split, Target, TaskData};
use pilotlight_train::{Job, Outcome, RunFolder, SplitName, Tuned, train_with};
use pilotlight_tuners::TunerConfig;

use crate::{
    base::Base,
    error::CompareError,
    experiment::ExperimentConfig,
    generated::Writer,
    layers::Origins,
    machine::Machine,
    memory,
    result::{BaseHash, Losses, Parameters, RunResult, Seconds, TestResult, Truncated},
    sources::{Resolver, data_hash},
    statistics::majority_accuracy,
};
pub use finished::read_result;
use finished::{check_settings, finished, resolved};
pub use model::{tuned, untuned};
use save::save;
use test::Ensemble;
use watch::Watch;
pub use watch::{RunObserver, Stage, Unwatched};

/// The resolved settings of a run.
pub const RESOLVED_FILE: &str = "resolved.toml";
/// What came out of a run.
pub const RESULT_FILE: &str = "result.json";
/// Outcomes on the test examples, one JSON object a line.
pub const PREDICTIONS_FILE: &str = "predictions.jsonl";
/// The same on the whole test set.
pub const WHOLE_PREDICTIONS_FILE: &str = "predictions-whole.jsonl";
/// The task of an adapter, in its folder: a section `[task]`.
pub const TASK_FILE: &str = "task.toml";
/// How likely general texts are before and after training, one JSON object a line.
pub const GENERAL_FILE: &str = "general.jsonl";
/// Why a run failed.
pub const ERROR_FILE: &str = "error.txt";
/// The whole model, where `base.save` asks for it.
pub const MODEL_FOLDER: &str = "model";

/// Seed of bootstrap intervals: equal outcomes have equal intervals.
pub(crate) const BOOTSTRAP_SEED: u64 = 0;

/// How a run is done, beyond its settings.
#[derive(Clone, Copy)]
pub struct RunOptions<'a> {
    /// Finds models and devices.
    pub resolver: &'a dyn Resolver,
    /// Where the settings were written, for messages.
    pub origins: &'a Origins,
    /// Whether to go on with a run that was stopped.
    pub resume: bool,
    /// Whether the untuned base is tested too.
    pub untuned: bool,
    /// Whether checkpoints outlive the run.
    pub keep_checkpoints: bool,
    /// Where the peaks of devices are [kept](crate::peaks) for other runs; without it they are measured anew.
    pub peaks: Option<&'a Path>,
}

/// Trains, tests and saves what `config` describes in the folder `out`.
///
/// With `report.test_only` nothing is trained or saved: the model is tested as it is, or the `ensemble` of others. With `report.trial` it is trained,
/// and neither tested nor saved.
///
/// # Errors
///
/// If the settings do not fit each other, the model or the data; if a model, data or a device is not there; if
/// training fails; if a run of other settings is in the folder.
pub fn run(
    config: &ExperimentConfig,
    out: &Path,
    options: &RunOptions<'_>,
    observer: &mut dyn RunObserver,
) -> Result<RunResult, CompareError> {
    let folder = match options.resume {
        true => RunFolder::open(out)?,
        false => RunFolder::create(out)?,
    };
    let resolved = resolved(config, &folder)?;
    check_settings(&folder, &resolved)?;
    if let Some(result) = finished(&folder)? {
        return Ok(result);
    }
    folder.write(RESOLVED_FILE, resolved.as_bytes())?;
    let result = Run {
        config,
        folder: &folder,
        options,
        seconds: Seconds::default(),
        ensemble: None,
        writer: None,
    }
    .execute(observer);
    match &result {
        Ok(result) => {
            folder.write_json(RESULT_FILE, result)?;
            if !options.keep_checkpoints {
                folder.remove_checkpoints()?;
            }
            // A failure of an earlier try.
            let _ = std::fs::remove_file(out.join(ERROR_FILE));
        }
        Err(error) => folder.write(ERROR_FILE, format!("{error}\n").as_bytes())?,
    }
    result
}

/// A run that goes on.
struct Run<'a> {
    config: &'a ExperimentConfig,
    folder: &'a RunFolder,
    options: &'a RunOptions<'a>,
    seconds: Seconds,
    /// What is tested in place of the one model, if it is several.
    ensemble: Option<Ensemble>,
    /// Writes texts for the test examples, where that is asked for.
    writer: Option<Writer>,
}

impl Run<'_> {
    fn execute(mut self, observer: &mut dyn RunObserver) -> Result<RunResult, CompareError> {
        let config = self.config;
        let start = Instant::now();
        observer.stage(Stage::Load);
        let resolver = self.options.resolver;
        let device = resolver.device(&config.device, config.base.dtype)?;
        let helpers = resolver.helpers(&config.device, config.base.dtype)?;
        let base = Base::load(&config.base, config.seed, resolver, &device)?;
        self.seconds.load = start.elapsed().as_secs_f64();

        observer.stage(Stage::Prepare);
        let preparing = Instant::now();
        let data = base.prepare(config, self.options.origins)?;
        let whole = self.whole_test(&base)?;
        let tuned = tuned(&base, config, &data)?;
        self.writer = Writer::new(&base, config, SplitName::Test)?;
        self.seconds.prepare = preparing.elapsed().as_secs_f64();

        let untuned = match self.options.untuned {
            true => self.test_untuned(&base, &data, observer)?,
            false => None,
        };
        if let Some(ensemble) = &config.ensemble {
            self.ensemble = Some(Ensemble::load(&base, ensemble, self.folder.path())?);
        }
        let hash_before = tuned.base.parameter_hash();
        let can_test = !config.report.trial
            && (!config.report.test_only
                || self.ensemble.is_some()
                || matches!(config.tuner, TunerConfig::Saved(_))
                || model::untuned(&base, config, &data)?.is_some());
        let Base { source, family, .. } = &base;
        let (source, family) = (source.clone(), (*family).to_owned());
        let general = self.general(&base, observer)?;
        // Trained parameters are copies: with the base's own beside them, training would seem to need more memory.
        drop(base);
        let (outcome, watch, peak_memory_bytes) = self.train(tuned, &data, &helpers, observer)?;

        observer.stage(Stage::Test);
        let testing = Instant::now();
        let tuned = &outcome.tuned;
        let mut test = |split, data: &TaskData, name| match can_test {
            true => self.test(tuned, data, split, name, observer),
            false => Ok(None),
        };
        let tested = test(&data.test, &data, Some(PREDICTIONS_FILE))?;
        let whole_test = match &whole {
            Some(whole) => test(&whole.test, whole, Some(WHOLE_PREDICTIONS_FILE))?,
            None => None,
        };
        let (test_result, generation) =
            tested.map_or((None, 0.0), |it| (Some(it.result), it.generation));
        self.seconds.generation = generation;
        self.seconds.test = testing.elapsed().as_secs_f64() - generation;
        let forgetting = self.forgetting(general, tuned, observer)?;

        let adapter_bytes = match config.report.test_only || config.report.trial {
            true => None,
            false => {
                observer.stage(Stage::Save);
                Some(save(self.folder, config, tuned, &source, &data.labels)?)
            }
        };
        let mut devices = vec![&device];
        devices.extend(&helpers);
        let costs = self.costs(tuned, &data, &watch, &devices, observer)?;
        self.seconds.training = outcome.seconds.training;
        self.seconds.validation = outcome.seconds.evaluation;
        self.seconds.checkpoints = outcome.seconds.checkpointing;
        self.seconds.total = start.elapsed().as_secs_f64();
        let total = tuned.num_params();
        let n_trained = match &self.ensemble {
            Some(ensemble) => ensemble.n_trained(),
            None => outcome.n_trained,
        };
        Ok(RunResult {
            method: config.tuner.method().to_owned(),
            seed: config.seed,
            model: config.base.model.clone(),
            family,
            parameters: Parameters {
                trained: n_trained,
                total,
                percent: 100.0 * n_trained as f64 / total as f64,
            },
            adapter_bytes,
            steps: outcome.steps,
            best_step: outcome.best.map_or(outcome.steps, |best| best.step),
            step_seconds: watch.median_step(&outcome),
            tokens_per_second: watch.tokens_per_second(&data.train),
            operations: costs.operations,
            request: costs.request,
            peak_memory_bytes,
            loss: losses(&outcome, test_result.as_ref()),
            validation_accuracy: validation_accuracy(&outcome),
            test: test_result,
            whole_test: whole_test.map(|tested| tested.result),
            forgetting,
            untuned,
            majority_accuracy: majority_accuracy(&classes(&data.train), &classes(&data.test)),
            labels: data.labels.clone(),
            base_hash: BaseHash {
                after: tuned.base.parameter_hash(),
                before: hash_before,
            },
            data_hash: Some(data_hash(&config.data)?),
            seconds: self.seconds,
            truncated: truncated(&data),
            machine: Some(Machine::with(&device)),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// The data without the limit of the test set, where both are asked for.
    fn whole_test(&self, base: &Base) -> Result<Option<TaskData>, CompareError> {
        let mut config = self.config.clone();
        if !config.report.whole_test || config.data.limit_test.take().is_none() {
            return Ok(None);
        }
        base.prepare(&config, self.options.origins).map(Some)
    }

    fn test_untuned(
        &mut self,
        base: &Base,
        data: &TaskData,
        observer: &mut dyn RunObserver,
    ) -> Result<Option<TestResult>, CompareError> {
        let Some(untuned) = untuned(base, self.config, data)? else {
            return Ok(None);
        };
        observer.stage(Stage::Untuned);
        let start = Instant::now();
        let result = self.test(&untuned, data, &data.test, None, observer)?;
        self.seconds.untuned = start.elapsed().as_secs_f64();
        Ok(result.map(|tested| tested.result))
    }

    fn train(
        &self,
        tuned: Tuned,
        data: &TaskData,
        helpers: &[Device],
        observer: &mut dyn RunObserver,
    ) -> Result<(Outcome, Watch, Option<u64>), CompareError> {
        let config = self.config;
        let mut watch = Watch::default();
        if config.report.test_only {
            let outcome = Outcome {
                tuned,
                history: Vec::new(),
                steps: 0,
                best: None,
                stopped_early: false,
                seconds: pilotlight_train::Seconds::default(),
                n_trained: 0,
            };
            return Ok((outcome, watch, None));
        }
        observer.stage(Stage::Train);
        let is_reset = memory::reset_peak();
        let job = Job {
            data,
            config: &config.train,
            seed: config.seed,
            run: self.folder,
            resume: self.options.resume,
            observer: &mut watch.in_front_of(observer),
        };
        let outcome = train_with(tuned, job, helpers)?;
        let peak = memory::peak_bytes().filter(|_| is_reset);
        Ok((outcome, watch, peak))
    }
}

fn losses(outcome: &Outcome, test: Option<&TestResult>) -> Losses {
    let trained = outcome.history.iter().rev();
    let last = trained
        .filter(|metric| metric.split == SplitName::Train)
        .map(|metric| metric.loss)
        .next();
    Losses {
        train: last,
        validation: outcome.best.map(|best| best.loss),
        test: test.map(|test| test.loss),
    }
}

/// That of the step whose parameters were kept.
fn validation_accuracy(outcome: &Outcome) -> Option<f64> {
    let step = outcome.best?.step;
    let mut validated = outcome.history.iter().rev();
    let best =
        validated.find(|metric| metric.split == SplitName::Validation && metric.step == step);
    best?.accuracy
}

fn truncated(data: &TaskData) -> Truncated {
    let splits = [&data.train, &data.validation, &data.test];
    Truncated {
        examples: splits.iter().map(|split| split.truncation.examples).sum(),
        tokens: splits.iter().map(|split| split.truncation.tokens_cut).sum(),
    }
}

/// The classes of the examples of a split, where they have any.
pub(crate) fn classes(split: &Split) -> Vec<usize> {
    let classes = split
        .examples
        .iter()
        .filter_map(|example| match example.target {
            Target::Class(class) => Some(class),
            _ => None,
        });
    classes.collect()
}
