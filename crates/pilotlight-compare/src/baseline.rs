//! What methods are compared with: the base without training.

use pilotlight_data::{DataConfig, Head, TaskKind};
use pilotlight_train::TrainConfig;
use pilotlight_tuners::TunerConfig;

use crate::experiment::{AxisValues, BaseInit, Comparison, ExperimentConfig};

/// The untuned base of every point, each once, with the values of the axes that matter to it.
///
/// What is trained on does not: where training data are an axis, it is the same at every point.
pub(crate) fn untuned(comparison: &Comparison) -> Vec<(AxisValues, ExperimentConfig)> {
    distinct(comparison, |config| {
        let mut config = test_only(config)?;
        config.data = DataConfig {
            where_train: Default::default(),
            limit: None,
            limit_validation: None,
            limit_per_class: None,
            ..config.data
        };
        Some(config)
    })
}

/// The base that is shown `shots` examples of each class in front of every input, at every point, each once.
pub(crate) fn few_shot(
    comparison: &Comparison,
    shots: usize,
) -> Vec<(AxisValues, ExperimentConfig)> {
    distinct(comparison, |config| {
        let task = &config.task;
        if task.kind != TaskKind::Classification
            || task.head == Some(Head::Linear)
            || task.shots > 0
        {
            return None;
        }
        let mut config = test_only(config)?;
        config.task.shots = shots;
        // The examples are drawn from all: they are a baseline of the task, not of what a method learns from.
        config.data.limit = None;
        config.data.limit_validation = None;
        config.data.limit_per_class = None;
        Some(config)
    })
}

/// The name of that baseline in tables.
pub(crate) fn few_shot_label(config: &ExperimentConfig) -> String {
    format!("few-shot, {} per class", config.task.shots)
}

/// The settings with which the base alone is tested; nothing for one that is trained from nothing.
fn test_only(config: &ExperimentConfig) -> Option<ExperimentConfig> {
    if config.base.init == BaseInit::Random {
        return None;
    }
    let mut config = config.clone();
    config.tuner = TunerConfig::default();
    config.base.train = Vec::new();
    config.base.save = None;
    config.train = TrainConfig {
        eval_batch_size: config.train.eval_batch_size,
        ..TrainConfig::default()
    };
    config.report.test_only = true;
    // It has learned nothing and forgets nothing.
    config.report.general = None;
    Some(config)
}

/// The different settings that `baseline` makes of all points, each with the values that all points that lead to it
/// have in common.
fn distinct(
    comparison: &Comparison,
    baseline: impl Fn(&ExperimentConfig) -> Option<ExperimentConfig>,
) -> Vec<(AxisValues, ExperimentConfig)> {
    let mut found: Vec<(AxisValues, ExperimentConfig)> = Vec::new();
    let points = comparison.methods.values().flat_map(|it| &it.points);
    for point in points {
        let Some(mut config) = baseline(&point.config) else {
            continue;
        };
        // That of the run takes its place.
        config.seed = 0;
        match found.iter_mut().find(|(_, known)| *known == config) {
            Some((common, _)) => common.retain(|key, value| point.values.get(key) == Some(value)),
            None => found.push((point.values.clone(), config)),
        }
    }
    found
}
