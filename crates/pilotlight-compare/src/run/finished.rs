//! Runs that are done: their settings and results.

use std::path::Path;

use pilotlight_train::RunFolder;

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

/// The result of a finished run of the same settings.
pub(super) fn finished(
    folder: &RunFolder,
    resolved: &str,
) -> Result<Option<RunResult>, CompareError> {
    if !folder.result().exists() {
        return Ok(None);
    }
    let path = folder.resolved();
    let before =
        std::fs::read_to_string(&path).map_err(|source| CompareError::file(&path, source))?;
    if before != resolved {
        return Err(CompareError::OtherRun {
            folder: folder.path().to_owned(),
        });
    }
    read_result(&folder.result()).map(Some)
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
