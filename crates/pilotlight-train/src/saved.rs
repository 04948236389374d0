//! A tuned model as a folder: the adapter, and what else was trained.
//!
//! | file | what it holds |
//! |---|---|
//! | those of [`save_adapter`](pilotlight_tuners::save_adapter) | the tuner, and the head where there is one |
//! | `base.safetensors` | the base's trained parameters by their Hugging Face names, where there are any |
//! | `head.json` | which state the head reads |

use std::{collections::BTreeMap, path::Path};

use burn::tensor::TensorData;
use pilotlight_data::Pooling;
use pilotlight_transformer::{ClassificationHead, Model};
use pilotlight_tuners::{BaseInfo, load_adapter, replaces_biases, save_adapter};
use serde::{Deserialize, Serialize};

use crate::{
    error::TrainError,
    run_folder::write_json,
    tensor_file::{self, Stored},
    tuned::Tuned,
};

const BASE: &str = "base.safetensors";
const HEAD: &str = "head.json";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadFile {
    pooling: Pooling,
}

/// Writes the tuner, the head and the base's parameters of which `trained` knows the Hugging Face name.
///
/// # Errors
///
/// If a file cannot be written.
pub fn save_tuned(
    folder: &Path,
    tuned: &Tuned,
    base: &BaseInfo,
    trained: &dyn Fn(&str) -> bool,
) -> Result<(), TrainError> {
    let head = tuned.head.as_ref().map(ClassificationHead::export);
    save_adapter(folder, &tuned.tuner, head.as_deref(), base)?;
    let parameters = tuned.base.export(trained).into_iter();
    let parameters: BTreeMap<String, Stored> =
        parameters.map(|(name, data)| (name, data.into())).collect();
    if parameters.is_empty() {
        remove(&folder.join(BASE))?;
    } else {
        tensor_file::write(&folder.join(BASE), &parameters)?;
    }
    match tuned.head {
        Some(_) => {
            let pooling = tuned.pooling();
            write_json(&folder.join(HEAD), &HeadFile { pooling })
        }
        None => remove(&folder.join(HEAD)),
    }
}

/// Puts what [`save_tuned`] wrote, or an adapter of PEFT's, on a base.
///
/// # Errors
///
/// If a file is missing or damaged, or its content does not fit the base.
pub fn load_tuned(folder: &Path, base: Model) -> Result<Tuned, TrainError> {
    let device = base.word_embeddings().device();
    let adapter = load_adapter(folder, base.spec(), &device)?;
    let head = match adapter.head {
        tensors if tensors.is_empty() => None,
        tensors => Some(load_head(folder, &base, tensors)?),
    };
    let path = folder.join(HEAD);
    let pooling = match path.exists() {
        true => {
            let file: HeadFile =
                serde_json::from_slice(&fs_err::read(&path)?).map_err(|error| {
                    TrainError::file(
                        &path,
                        format!("is not as expected: {error}"),
                        "save the model again",
                    )
                })?;
            Some(file.pooling)
        }
        false => None,
    };
    let path = folder.join(BASE);
    let base = base.import(adapter.biases)?;
    let base = match path.exists() {
        true => base.import(tensor_file::read(&path)?.into_iter().collect())?,
        false => base,
    };
    Ok(Tuned::new(base, adapter.tuner, head, pooling))
}

/// Whether an adapter's folder holds parameters of the base, which were trained beside the tuner.
pub fn trains_base(folder: &Path) -> bool {
    folder.join(BASE).exists() || replaces_biases(folder).unwrap_or(false)
}

fn load_head(
    folder: &Path,
    base: &Model,
    tensors: Vec<(String, TensorData)>,
) -> Result<ClassificationHead, TrainError> {
    // A head of one class shows by its shape which tensor has a row for each class.
    let by_class = base.fresh_head(1, 0).export().into_iter();
    let by_class = by_class.filter(|(_, data)| data.rank() == 2 && data.shape()[0] == 1);
    let names: Vec<String> = by_class.map(|(name, _)| name).collect();
    let n_classes = tensors
        .iter()
        .find(|(name, data)| names.contains(name) && data.rank() == 2 && data.shape()[0] > 0)
        .map(|(_, data)| data.shape()[0]);
    let Some(n_classes) = n_classes else {
        let found: Vec<_> = tensors.iter().map(|(name, _)| name.as_str()).collect();
        return Err(TrainError::file(
            folder,
            format!(
                "its head has {} and not {}",
                found.join(", "),
                names.join(", ")
            ),
            "was the adapter made for another model?",
        ));
    };
    Ok(base.fresh_head(n_classes, 0).import(tensors)?)
}

fn remove(path: &Path) -> Result<(), TrainError> {
    if path.exists() {
        fs_err::remove_file(path)?;
    }
    Ok(())
}
