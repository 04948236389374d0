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

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use burn::tensor::{Device, TensorData};
use pilotlight_core::ModelSpec;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    error::{Problems, TunerError, list_names},
    files::{read, remove, write, write_json},
    method::Tensors,
    peft::PeftFields,
    registry::{AnyTuner, TunerConfig},
    tensor_file,
};

/// Our own description.
const OWN_CONFIG: &str = "pilotlight.json";
/// Our own tensors, where PEFT could only misread them.
const OWN_TENSORS: &str = "adapter.safetensors";
/// PEFT's description.
const PEFT_CONFIG: &str = "adapter_config.json";
/// PEFT's tensors.
const PEFT_TENSORS: &str = "adapter_model.safetensors";
/// PEFT's tensors of old, which only Python can read.
const PEFT_PICKLE: &str = "adapter_model.bin";
/// The version of [`OwnConfig`].
const FORMAT: u32 = 1;
/// Modules that PEFT saves whole beside an adapter for classification.
const HEADS: [&str; 2] = ["classifier", "score"];

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

/// The content of `pilotlight.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnConfig {
    format: u32,
    base_model_name_or_path: String,
    task_type: TaskType,
    /// Modules of the base that stand whole among the tensors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    modules_to_save: Vec<String>,
    /// The file of the tensors.
    tensors: String,
    tuner: TunerConfig,
}

/// What a folder says about its adapter.
struct Description {
    config: TunerConfig,
    tensors: PathBuf,
    modules_to_save: Vec<String>,
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
    for (name, data) in rest {
        let inner = name.strip_prefix(config.head_prefix());
        let module = inner.and_then(|inner| inner.split('.').next());
        match (inner, module) {
            (Some(inner), Some(module)) if modules_to_save.iter().any(|known| known == module) => {
                head.push((inner.to_owned(), data));
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
        }),
        None => Err(no_adapter(
            folder,
            "its tensors are incomplete",
            "save it again",
        )),
    }
}

/// Reads the method and the keys of an adapter, without its tensors.
///
/// # Errors
///
/// If the description is missing, unreadable or not supported.
pub fn read_config(folder: &Path) -> Result<TunerConfig, TunerError> {
    Ok(describe(folder)?.config)
}

fn describe(folder: &Path) -> Result<Description, TunerError> {
    let own = folder.join(OWN_CONFIG);
    if own.exists() {
        return describe_own(folder, &own);
    }
    let peft = folder.join(PEFT_CONFIG);
    if peft.exists() {
        return describe_peft(folder, &peft);
    }
    Err(no_adapter(
        folder,
        format!("there is neither `{OWN_CONFIG}` nor `{PEFT_CONFIG}`"),
        "name the folder that holds the adapter, such as `RUN/adapter`",
    ))
}

fn describe_own(folder: &Path, path: &Path) -> Result<Description, TunerError> {
    let own: OwnConfig = serde_json::from_slice(&read(path)?).map_err(|error| {
        let mut problems = Problems::default();
        problems.push("content", format!("is not as expected: {error}"));
        TunerError::File {
            path: path.to_owned(),
            problems,
        }
    })?;
    let mut problems = Problems::default();
    if own.format != FORMAT {
        problems.push(
            "format",
            format!(
                "is {}, expected {FORMAT}\nhint: use the version that wrote it",
                own.format
            ),
        );
    }
    if ![OWN_TENSORS, PEFT_TENSORS].contains(&own.tensors.as_str()) {
        problems.push(
            "tensors",
            format!(
                "is `{}`, expected {}",
                own.tensors,
                list_names([OWN_TENSORS, PEFT_TENSORS])
            ),
        );
    }
    if own.tuner.names_folder() {
        problems.push(
            "tuner",
            "names another adapter, expected a method and its keys",
        );
    }
    problems.in_file(path)?;
    Ok(Description {
        config: own.tuner,
        tensors: folder.join(own.tensors),
        modules_to_save: own.modules_to_save,
    })
}

fn describe_peft(folder: &Path, path: &Path) -> Result<Description, TunerError> {
    let tensors = folder.join(PEFT_TENSORS);
    if !tensors.exists() && folder.join(PEFT_PICKLE).exists() {
        return Err(no_adapter(
            folder,
            format!("`{PEFT_PICKLE}` is a pickle, which can run any program and is never read"),
            format!(
                "convert it: load it in PEFT and call `save_pretrained`, which writes `{PEFT_TENSORS}`"
            ),
        ));
    }
    let fields: Map<String, Value> = serde_json::from_slice(&read(path)?).map_err(|error| {
        let mut problems = Problems::default();
        problems.push("content", format!("is no JSON object: {error}"));
        TunerError::File {
            path: path.to_owned(),
            problems,
        }
    })?;
    let mut fields = PeftFields::new(fields);
    let known = TunerConfig::peft_types();
    let config = match fields.text("peft_type") {
        Some(peft_type) if known.contains(&peft_type.as_str()) => {
            TunerConfig::from_peft(&peft_type, &mut fields)
        }
        _ => {
            let expected = format!("one of {}", list_names(known));
            fields.expected("peft_type", &expected);
            None
        }
    };
    let mut modules_to_save: Vec<String> = HEADS.map(str::to_owned).into();
    if let Some(Value::Array(more)) = fields.get("modules_to_save") {
        modules_to_save.extend(
            more.iter()
                .filter_map(|name| name.as_str().map(str::to_owned)),
        );
    }
    let (_, problems) = fields.into_parts();
    problems.in_file(path)?;
    match config {
        Some(config) => Ok(Description {
            config,
            tensors,
            modules_to_save,
        }),
        None => Err(no_adapter(
            folder,
            "its fields are incomplete",
            "save it again",
        )),
    }
}

/// The fields of PEFT's description, sorted as PEFT sorts them.
fn peft_json(
    config: &TunerConfig,
    fields: PeftFields,
    modules_to_save: &[String],
    base: &BaseInfo,
) -> Value {
    let modules_to_save = match modules_to_save {
        [] => Value::Null,
        modules => modules.into(),
    };
    let fields = fields
        .with("peft_type", config.peft_type())
        .with(
            "task_type",
            serde_json::to_value(base.task_type).unwrap_or_default(),
        )
        .with("base_model_name_or_path", base.name_or_path.as_str())
        .with("inference_mode", true)
        .with("revision", Value::Null)
        .with("modules_to_save", modules_to_save);
    let (mut fields, _) = fields.into_parts();
    fields.sort_keys();
    Value::Object(fields)
}

fn no_adapter(folder: &Path, message: impl Into<String>, hint: impl Into<String>) -> TunerError {
    TunerError::NoAdapter {
        folder: folder.to_owned(),
        message: message.into(),
        hint: hint.into(),
    }
}
