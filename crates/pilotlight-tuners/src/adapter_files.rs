//! Adapters as folders: PEFT's two files where PEFT can express the method, and `pilotlight.json` beside them.
//!
//! | file | what it holds |
//! |---|---|
//! | `pilotlight.json` | the method with all of its keys, and the base it was trained on |
//! | `adapter_config.json` | the same for PEFT, where PEFT can express it |
//! | `adapter_model.safetensors` | the tensors, by PEFT's names |
//! | `adapter.safetensors` | the tensors where PEFT would load them and compute something else |
//!
//! PEFT ignores what it does not know. A prompt behind the input, say, would silently become one in front of it;
//! such an adapter therefore gets no file that PEFT reads.

pub(crate) mod description;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use burn::tensor::{Device, TensorData};
use pilotlight_core::ModelSpec;
use serde::{Deserialize, Serialize};

use self::description::{
    Description, FORMAT, OWN_CONFIG, OWN_TENSORS, OwnConfig, PEFT_CONFIG, PEFT_TENSORS, describe,
    no_adapter, peft_json,
};
use crate::{
    error::{Problems, TunerError},
    files::{remove, write, write_json},
    method::Tensors,
    registry::{AnyTuner, TunerConfig},
    tensor_file,
};

/// Parts of the names under which PEFT's `bias = "all"` saves biases of heads that nobody reads.
const HEAD_COPIES: [&str; 2] = [".original_module.", ".modules_to_save."];

/// What an adapter was trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct BaseInfo {
    /// The model's name on a hub, or its folder.
    pub name_or_path: String,
    /// Its shape.
    pub spec: ModelSpec,
    /// What it was trained to do.
    pub task_type: TaskType,
}

/// PEFT's kinds of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskType {
    /// A decoder that goes on with a text.
    CausalLm,
    /// A classification head on any model.
    SeqCls,
}

/// An adapter out of its folder.
#[derive(Debug)]
pub struct SavedAdapter {
    /// The method and its keys.
    pub config: TunerConfig,
    /// The tuner.
    pub tuner: AnyTuner,
    /// The tensors of a classification head, by their names in transformers (`classifier.weight`), in f32.
    pub head: Vec<(String, TensorData)>,
    /// Biases of the base that take the place of its own, by their names in transformers, in f32: PEFT's
    /// `bias = "all"`.
    pub biases: Vec<(String, TensorData)>,
}

impl SavedAdapter {
    /// The tuner of the adapter in `folder`, which may hold nothing of the base.
    ///
    /// # Errors
    ///
    /// If it holds biases of the base.
    pub(crate) fn tuner_alone(self, folder: &Path) -> Result<AnyTuner, TunerError> {
        match self.biases.as_slice() {
            [] => Ok(self.tuner),
            _ => Err(no_adapter(
                folder,
                "it holds biases of the base too (PEFT's `bias = \"all\"`), which are no part of a tuner",
                "use it as it is, by `--adapter DIR`",
            )),
        }
    }
}

/// The files of a saved adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterFiles {
    /// Our description.
    pub description: PathBuf,
    /// The tensors.
    pub tensors: PathBuf,
    /// PEFT's description; `None` where PEFT cannot express the adapter.
    pub peft_description: Option<PathBuf>,
}

/// Writes an adapter, and says into which files. Each file is replaced as a whole.
///
/// `head` holds the tensors of a classification head by their names in transformers, in PyTorch's layout.
///
/// # Errors
///
/// If a file cannot be written.
pub fn save_adapter(
    folder: &Path,
    tuner: &AnyTuner,
    head: Option<&[(String, TensorData)]>,
    base: &BaseInfo,
) -> Result<AdapterFiles, TunerError> {
    std::fs::create_dir_all(folder).map_err(|source| TunerError::Write {
        path: folder.to_owned(),
        source,
    })?;
    let config = tuner.config().saved();
    let head = head.unwrap_or_default();
    let mut modules_to_save: Vec<String> = head
        .iter()
        .filter_map(|(name, _)| name.split('.').next().map(str::to_owned))
        .collect();
    modules_to_save.dedup();

    let prefix = config.head_prefix();
    let mut tensors = tuner.tensors(&base.spec);
    tensors.extend(
        head.iter()
            .map(|(name, data)| (format!("{prefix}{name}"), data.clone())),
    );
    let peft = config.to_peft(&base.spec);
    let (name, stale) = match peft {
        Some(_) => (PEFT_TENSORS, [OWN_TENSORS].as_slice()),
        None => (OWN_TENSORS, [PEFT_TENSORS, PEFT_CONFIG].as_slice()),
    };
    // An adapter that stood here before under other names must not be taken for this one.
    for name in stale {
        remove(&folder.join(name))?;
    }
    let path = folder.join(name);
    write(&path, &tensor_file::to_bytes(&tensors, &path)?)?;
    let mut files = AdapterFiles {
        description: folder.join(OWN_CONFIG),
        tensors: path,
        peft_description: None,
    };
    if let Some(fields) = peft {
        let json = peft_json(&config, fields, &modules_to_save, base);
        let path = folder.join(PEFT_CONFIG);
        write_json(&path, &json)?;
        files.peft_description = Some(path);
    }
    let own = OwnConfig {
        format: FORMAT,
        base_model_name_or_path: base.name_or_path.clone(),
        task_type: base.task_type,
        modules_to_save,
        tensors: name.to_owned(),
        tuner: config,
    };
    write_json(&files.description, &own)?;
    Ok(files)
}

/// Whether a folder holds an adapter that PEFT can read.
pub fn is_for_peft(folder: &Path) -> bool {
    folder.join(PEFT_CONFIG).exists()
}

/// Reads an adapter of ours or of PEFT's for a model of this shape.
///
/// # Errors
///
/// If a file is missing or unreadable; else all missing, misshapen and unexpected tensors or unsupported fields in
/// one report.
pub fn load_adapter(
    folder: &Path,
    spec: &ModelSpec,
    device: &Device,
) -> Result<SavedAdapter, TunerError> {
    let Description {
        config,
        tensors: path,
        modules_to_save,
        has_biases,
    } = describe(folder)?;
    let mut problems = Problems::default();
    for (key, message) in config.problems(spec) {
        problems.push(key, message);
    }
    problems.in_file(folder)?;

    let mut tensors = Tensors::new(tensor_file::read(&path)?);
    let tuner = config.restore(&mut tensors, spec, device);
    let (rest, mut problems) = tensors.into_rest();
    let mut head = Vec::new();
    let mut biases = Vec::new();
    for (name, data) in rest {
        let inner = name.strip_prefix(config.head_prefix());
        let module = inner.and_then(|inner| inner.split('.').next());
        match (inner, module) {
            // PEFT saves each bias that there is: of a head also the one it replaced, and its own once more.
            (Some(inner), _) if has_biases && HEAD_COPIES.iter().any(|of| inner.contains(of)) => {}
            (Some(inner), Some(module)) if modules_to_save.iter().any(|known| known == module) => {
                head.push((inner.to_owned(), data));
            }
            (Some(inner), _) if has_biases && inner.ends_with(".bias") => {
                biases.push((inner.replace(".base_layer.", "."), data));
            }
            _ => problems.push(
                name,
                "is unexpected: it has no place in this method on this model",
            ),
        }
    }
    problems.in_file(&path)?;
    match tuner {
        Some(tuner) => Ok(SavedAdapter {
            config,
            tuner,
            head,
            biases,
        }),
        None => Err(no_adapter(
            folder,
            "its tensors are incomplete",
            "save it again",
        )),
    }
}

/// Whether an adapter of PEFT's replaces biases of the base.
///
/// # Errors
///
/// If the description is missing, unreadable or not supported.
pub fn replaces_biases(folder: &Path) -> Result<bool, TunerError> {
    Ok(describe(folder)?.has_biases)
}

/// Reads the method and the keys of an adapter, without its tensors.
///
/// # Errors
///
/// If the description is missing, unreadable or not supported.
pub fn read_config(folder: &Path) -> Result<TunerConfig, TunerError> {
    Ok(describe(folder)?.config)
}
