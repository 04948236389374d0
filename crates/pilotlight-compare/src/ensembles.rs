//! Ensembles of the runs of several seeds (Lester et al. 2021, section 5): one frozen base answers with all of them.

use std::path::PathBuf;

use pilotlight_train::Combination;
use pilotlight_train::TrainConfig;
use serde::{Deserialize, Serialize};

use crate::experiment::ExperimentConfig;

/// Section `[ensembles]` of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnsemblesConfig {
    /// How many members ensembles have: the runs of the first so many seeds.
    pub sizes: Vec<usize>,
    /// How the members come to one class.
    #[serde(default = "default_combination")]
    pub combination: Combination,
}

/// Section `[ensemble]` of a run that is tested with several adapters and trains none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnsembleConfig {
    /// Folders of the adapters, relative to that of the run.
    pub members: Vec<PathBuf>,
    /// How they come to one class.
    #[serde(default = "default_combination")]
    pub combination: Combination,
}

fn default_combination() -> Combination {
    Combination::Vote
}

impl EnsemblesConfig {
    /// Everything that is wrong with the values for so many seeds, as `(key, what is wrong)`.
    pub(crate) fn problems(&self, n_seeds: usize) -> Vec<(&'static str, String)> {
        let unfit = self
            .sizes
            .iter()
            .find(|size| !(2..=n_seeds).contains(*size));
        let message =
            unfit.map(|size| format!("expected 2 to {n_seeds}, the number of seeds, found {size}"));
        message.into_iter().map(|it| ("sizes", it)).collect()
    }

    /// What an ensemble of a method is called in tables.
    pub(crate) fn label(&self, method: &str, size: usize) -> String {
        let together = match self.combination {
            Combination::Average => "averaged",
            Combination::Vote => "voting",
        };
        format!("{method}, {size} {together}")
    }

    /// The settings of an ensemble of runs with these settings.
    pub(crate) fn of_members(
        &self,
        config: &ExperimentConfig,
        members: Vec<PathBuf>,
    ) -> ExperimentConfig {
        let mut config = config.clone();
        config.train = TrainConfig {
            eval_batch_size: config.train.eval_batch_size,
            ..TrainConfig::default()
        };
        config.report.test_only = true;
        config.report.general = None;
        config.ensemble = Some(EnsembleConfig {
            members,
            combination: self.combination,
        });
        config
    }
}
