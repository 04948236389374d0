//! What is tested at the end of a run: one tuner, or several together.

use std::{path::Path, time::Instant};

use burn::module::Module;
use pilotlight_data::{Split, TaskData};
use pilotlight_train::{
    Adapters, Combination, Evaluation, Observer, TrainError, Tuned, evaluate, evaluate_ensemble,
};
use pilotlight_tuners::AnyTuner;

use super::{PREDICTIONS_FILE, Run, RunObserver, Stage, classes, save::save_lines};
use crate::{
    base::Base,
    ensembles::EnsembleConfig,
    error::CompareError,
    generated::TextOutcome,
    result::{TestOutcome, TestResult},
};

/// Several adapters that answer together.
pub(super) struct Ensemble {
    adapters: Adapters,
    combination: Combination,
}

impl Ensemble {
    /// Loads the members of an ensemble onto a base; their folders are relative to `folder`.
    pub(super) fn load(
        base: &Base,
        config: &EnsembleConfig,
        folder: &Path,
    ) -> Result<Self, CompareError> {
        let (model, head) = (base.model.clone(), base.head.clone());
        let mut adapters = Adapters::new(Tuned::new(model, AnyTuner::default(), head, None));
        for member in &config.members {
            adapters.load(&folder.join(member))?;
        }
        Ok(Self {
            adapters,
            combination: config.combination,
        })
    }

    /// Parameters of all members together.
    pub(super) fn n_trained(&self) -> usize {
        let members = 0..self.adapters.len();
        let tuned = members.map(|member| self.adapters.get(Some(member)));
        tuned.map(|tuned| tuned.tuner.num_params()).sum()
    }
}

/// What a test said.
pub(super) struct Tested {
    pub(super) result: TestResult,
    /// Seconds in which texts were written.
    pub(super) generation: f64,
}

impl Run<'_> {
    /// Tests on a split and writes the outcomes to the file of this name. On the whole test set, which may be large, no
    /// texts are written.
    pub(super) fn test(
        &self,
        tuned: &Tuned,
        data: &TaskData,
        split: &Split,
        file: Option<&str>,
        observer: &mut dyn RunObserver,
    ) -> Result<Option<Tested>, CompareError> {
        if split.examples.is_empty() {
            return Ok(None);
        }
        let batch_size = self.config.train.eval_batch_size;
        let ensemble = self.ensemble.as_ref();
        let evaluation = evaluated(ensemble, tuned, data, split, batch_size, observer)?;
        let writer = self.writer.as_ref();
        let writer = writer.filter(|_| file.is_none_or(|file| file == PREDICTIONS_FILE));
        let start = Instant::now();
        let written = match writer {
            Some(writer) => {
                observer.stage(Stage::Generate);
                writer.write(tuned, split, batch_size, observer)?
            }
            None => Vec::new(),
        };
        let generation = writer.map_or(0.0, |_| start.elapsed().as_secs_f64());
        let texts = TextOutcome::all(&evaluation, split, written);
        if let Some(file) = file {
            match texts.is_empty() {
                false => save_lines(self.folder, file, &texts)?,
                true => save_lines(self.folder, file, &of_classes(&evaluation, data, split))?,
            }
        }
        let bootstrap = self.config.report.bootstrap();
        Ok(Some(Tested {
            result: TestResult::new(&evaluation, &texts, data, split, &bootstrap),
            generation,
        }))
    }
}

/// The outcomes of a classification.
fn of_classes(evaluation: &Evaluation, data: &TaskData, split: &Split) -> Vec<TestOutcome> {
    let found = evaluation.predictions.iter().zip(classes(split));
    let found = found.zip(&split.examples);
    let outcomes = found.map(|((found, gold), example)| TestOutcome {
        line: example.origin,
        label: data.labels[gold].clone(),
        prediction: data.labels[found.class].clone(),
        log_probabilities: found.log_probabilities.clone(),
    });
    outcomes.collect()
}

/// Evaluates the ensemble, where there is one, else `tuned`.
fn evaluated(
    ensemble: Option<&Ensemble>,
    tuned: &Tuned,
    data: &TaskData,
    split: &Split,
    batch_size: usize,
    observer: &mut dyn Observer,
) -> Result<Evaluation, TrainError> {
    match ensemble {
        None => evaluate(tuned, data, split, batch_size, observer),
        Some(Ensemble {
            adapters,
            combination,
        }) => evaluate_ensemble(adapters, *combination, data, split, batch_size, observer),
    }
}
