//! What a run leaves behind.

use std::path::Path;

use pilotlight_data::TaskConfig;
use pilotlight_train::{RunFolder, Tuned, save_tuned};
use pilotlight_tuners::{BaseInfo, TaskType};

use super::{MODEL_FOLDER, TASK_FILE};
use crate::{
    base::trained_names,
    error::CompareError,
    experiment::{BaseInit, ExperimentConfig},
    model_folder::save_model,
    sources::ModelSource,
};

/// Writes what was trained, with the task beside it, and says how many bytes the adapter is without the task.
pub(super) fn save(
    folder: &RunFolder,
    config: &ExperimentConfig,
    tuned: &Tuned,
    source: &ModelSource,
    labels: &[String],
) -> Result<u64, CompareError> {
    let base = &config.base;
    let info = BaseInfo {
        name_or_path: base.model.clone(),
        spec: tuned.base.spec().clone(),
        task_type: match tuned.head {
            Some(_) => TaskType::SeqCls,
            None => TaskType::CausalLm,
        },
    };
    let adapter = folder.adapter();
    save_tuned(&adapter, tuned, &info, &trained_names(base)?)?;
    let bytes = folder_bytes(&adapter)?;
    save_task(folder, &config.task, labels)?;
    let is_new = base.init == BaseInit::Random;
    let precision = base.save.or(is_new.then_some(base.dtype));
    if let Some(precision) = precision {
        let out = folder.path().join(MODEL_FOLDER);
        save_model(&tuned.base, None, source, &out, precision)?;
    }
    Ok(bytes)
}

/// Writes the task beside the adapter, its classes named: with it, new records become inputs and classes labels
/// wherever the adapter goes.
fn save_task(folder: &RunFolder, task: &TaskConfig, labels: &[String]) -> Result<(), CompareError> {
    #[derive(serde::Serialize)]
    struct Sections {
        task: TaskConfig,
    }
    let mut task = task.clone();
    if task.labels.is_empty() {
        task.label_names = labels.to_vec();
    }
    let text = toml::to_string(&Sections { task }).map_err(|error| CompareError::Content {
        path: folder.adapter().join(TASK_FILE),
        message: format!("the task cannot be written: {error}"),
        hint: "label names and templates must be text".into(),
    })?;
    folder.write(&format!("adapter/{TASK_FILE}"), text.as_bytes())?;
    Ok(())
}

/// Writes values as a file of JSON lines.
pub(super) fn save_lines<T: serde::Serialize>(
    folder: &RunFolder,
    file: &str,
    values: &[T],
) -> Result<(), CompareError> {
    let mut lines = Vec::new();
    for value in values {
        serde_json::to_writer(&mut lines, value)
            .map_err(|error| CompareError::file(folder.path().join(file), error.into()))?;
        lines.push(b'\n');
    }
    folder.write(file, &lines)?;
    Ok(())
}

fn folder_bytes(folder: &Path) -> Result<u64, CompareError> {
    let read = || {
        let mut bytes = 0;
        for entry in std::fs::read_dir(folder)? {
            bytes += entry?.metadata()?.len();
        }
        Ok(bytes)
    };
    read().map_err(|source| CompareError::file(folder, source))
}
