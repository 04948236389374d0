//! What is tested at the end of a run: one tuner, or several together.

use std::path::Path;

use burn::module::Module;
use pilotlight_data::{Split, TaskData};
use pilotlight_train::{
    Adapters, Combination, Evaluation, Observer, TrainError, Tuned, evaluate, evaluate_ensemble,
};
use pilotlight_tuners::AnyTuner;

use crate::{base::Base, ensembles::EnsembleConfig, error::CompareError};

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

/// Evaluates the ensemble, where there is one, else `tuned`.
pub(super) fn evaluated(
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
