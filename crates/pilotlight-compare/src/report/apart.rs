//! Runs of several folders, told apart where they are not the same.

use std::path::PathBuf;

use super::StoredRun;
use crate::{experiment::ExperimentConfig, finished::FinishedRun};

/// Drops what was found twice, and gives runs that differ in more than their seeds different names.
pub(super) fn tell_apart(runs: &mut Vec<FinishedRun>) {
    let mut known: Vec<(StoredRun, String)> = Vec::new();
    let mut seen: Vec<(String, String, u64)> = Vec::new();
    runs.retain_mut(|run| {
        let planned = &mut run.planned;
        let key = StoredRun {
            folder: PathBuf::new(),
            method: planned.method.clone(),
            label: planned.label.clone(),
            kind: planned.kind,
            point: planned.point.clone(),
        };
        let print = fingerprint(&planned.config, &run.result);
        let mut others = known.iter().filter(|(other, _)| *other == key);
        let place = others.position(|(_, other)| *other == print);
        let place = place.unwrap_or_else(|| {
            let place = known.iter().filter(|(other, _)| *other == key).count();
            known.push((key.clone(), print.clone()));
            place
        });
        if place > 0 {
            planned.label = format!("{} ({})", planned.label, place + 1);
            planned.method = format!("{}-{}", planned.method, place + 1);
        }
        let identity = (planned.title(), print, planned.config.seed);
        let is_new = !seen.contains(&identity);
        seen.push(identity);
        is_new
    });
}

/// The settings of a run but for its seed and for what differs between machines.
fn fingerprint(config: &ExperimentConfig, result: &crate::RunResult) -> String {
    let mut config = config.clone();
    config.seed = 0;
    config.data.seed = None;
    config.device = String::new();
    config.train.checkpoint_every = None;
    if let Some(hash) = &result.data_hash {
        let hashes = [
            Some(&hash.train),
            hash.validation.as_ref(),
            hash.test.as_ref(),
        ];
        let [train, validation, test] = hashes.map(|hash| hash.map(PathBuf::from));
        config.data.train = train.unwrap_or_default();
        (config.data.validation, config.data.test) = (validation, test);
    }
    if let (Some(general), Some(forgetting)) = (&mut config.report.general, &result.forgetting) {
        general.path = PathBuf::from(&forgetting.sha256);
    }
    if !result.base_hash.before.is_empty() && config.base.init == crate::BaseInit::Pretrained {
        config.base.model = result.base_hash.before.clone();
    }
    toml::to_string(&config).unwrap_or_default()
}
