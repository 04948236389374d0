//! Runs that were begun or are done: their settings and results.

use std::{io, path::Path};

use pilotlight_train::RunFolder;
use toml::{Table, Value};

use crate::{error::CompareError, experiment::ExperimentConfig, result::RunResult};

pub(super) fn resolved(
    config: &ExperimentConfig,
    folder: &RunFolder,
) -> Result<String, CompareError> {
    toml::to_string(config).map_err(|error| CompareError::Content {
        path: folder.resolved(),
        message: format!("the settings cannot be written: {error}"),
        hint: "a path that is not Unicode cannot stand in a TOML file".into(),
    })
}

/// Says if the run in the folder, as far as it got, is one of other settings.
pub(super) fn check_settings(folder: &RunFolder, resolved: &str) -> Result<(), CompareError> {
    let mut traces = [folder.metrics(), folder.checkpoints(), folder.result()].into_iter();
    if !traces.any(|trace| trace.exists()) {
        // A run that failed before its first step may be mended.
        return Ok(());
    }
    let path = folder.resolved();
    let before = match std::fs::read_to_string(&path) {
        Ok(before) => before,
        // The trainer still compares the checkpoint.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.result().exists() => {
            return Ok(());
        }
        Err(source) => return Err(CompareError::file(path, source)),
    };
    let read = |text: &str| -> Result<Table, CompareError> {
        let mut settings: Table = toml::from_str(text).map_err(|error| CompareError::Content {
            path: path.clone(),
            message: format!("is not the settings of a run: {error}"),
            hint: "choose another folder, or remove it".into(),
        })?;
        if let Some(Value::Table(train)) = settings.get_mut("train") {
            // How often a checkpoint is written changes no result.
            train.remove("checkpoint_every");
        }
        Ok(settings)
    };
    match first_difference(&read(&before)?, &read(resolved)?) {
        Some(key) => Err(CompareError::OtherRun {
            folder: folder.path().to_owned(),
            key,
        }),
        None => Ok(()),
    }
}

fn first_difference(before: &Table, now: &Table) -> Option<String> {
    let mut keys = now.keys().chain(before.keys());
    keys.find_map(|key| match (before.get(key), now.get(key)) {
        (Some(Value::Table(before)), Some(Value::Table(now))) => {
            first_difference(before, now).map(|below| format!("{key}.{below}"))
        }
        (before, now) => (before != now).then(|| key.clone()),
    })
}

/// The result of a finished run.
pub(super) fn finished(folder: &RunFolder) -> Result<Option<RunResult>, CompareError> {
    let path = folder.result();
    path.exists().then(|| read_result(&path)).transpose()
}

/// Reads a `result.json`.
///
/// # Errors
///
/// If it cannot be read or is not one.
pub fn read_result(path: &Path) -> Result<RunResult, CompareError> {
    let bytes = std::fs::read(path).map_err(|source| CompareError::file(path, source))?;
    serde_json::from_slice(&bytes).map_err(|error| CompareError::Content {
        path: path.into(),
        message: format!("is not the result of a run: {error}"),
        hint: "remove it and run again".into(),
    })
}
