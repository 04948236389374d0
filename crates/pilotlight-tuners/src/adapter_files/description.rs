//! What a folder says about its adapter.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{BaseInfo, TaskType};
use crate::{
    error::{Problems, TunerError, list_names},
    files::read,
    peft::PeftFields,
    registry::TunerConfig,
};

/// Our own description.
pub(super) const OWN_CONFIG: &str = "pilotlight.json";
/// Our own tensors, where PEFT could only misread them.
pub(super) const OWN_TENSORS: &str = "adapter.safetensors";
/// PEFT's description.
pub(super) const PEFT_CONFIG: &str = "adapter_config.json";
/// PEFT's tensors.
pub(super) const PEFT_TENSORS: &str = "adapter_model.safetensors";
/// PEFT's tensors of old, which only Python can read.
pub(super) const PEFT_PICKLE: &str = "adapter_model.bin";
/// The version of [`OwnConfig`].
pub(super) const FORMAT: u32 = 1;
/// Modules that PEFT saves whole beside an adapter for classification.
pub(super) const HEADS: [&str; 2] = ["classifier", "score"];
/// What PEFT's field `bias` says where every bias of the base is trained and saved.
pub(crate) const ALL_BIASES: &str = "all";

/// The content of `pilotlight.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnConfig {
    pub(super) format: u32,
    pub(super) base_model_name_or_path: String,
    pub(super) task_type: TaskType,
    /// Modules of the base that stand whole among the tensors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) modules_to_save: Vec<String>,
    /// The file of the tensors.
    pub(super) tensors: String,
    pub(super) tuner: TunerConfig,
}

/// What a folder says about its adapter.
pub(super) struct Description {
    pub(super) config: TunerConfig,
    pub(super) tensors: PathBuf,
    pub(super) modules_to_save: Vec<String>,
    /// Whether biases of the base stand among the tensors.
    pub(super) has_biases: bool,
}

pub(super) fn describe(folder: &Path) -> Result<Description, TunerError> {
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
        has_biases: false,
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
    let has_biases = fields.get("bias").and_then(Value::as_str) == Some(ALL_BIASES);
    let (_, problems) = fields.into_parts();
    problems.in_file(path)?;
    match config {
        Some(config) => Ok(Description {
            config,
            tensors,
            modules_to_save,
            has_biases,
        }),
        None => Err(no_adapter(
            folder,
            "its fields are incomplete",
            "save it again",
        )),
    }
}

/// The fields of PEFT's description, sorted as PEFT sorts them.
pub(super) fn peft_json(
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

pub(super) fn no_adapter(
    folder: &Path,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> TunerError {
    TunerError::NoAdapter {
        folder: folder.to_owned(),
        message: message.into(),
        hint: hint.into(),
    }
}
