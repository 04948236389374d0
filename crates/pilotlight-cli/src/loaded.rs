//! A model with its tokenizer and, where one is given, an adapter: what most commands begin with.

use std::path::{Path, PathBuf};

use burn::tensor::DType;
use clap::{Args, ValueEnum};
use pilotlight_compare::{Base, BaseConfig, BaseInit, ModelSource, Precision};
use pilotlight_data::Tokenizer;
use pilotlight_train::{Tuned, load_tuned};
use pilotlight_tuners::AnyTuner;

use crate::{
    console::Console, devices::DeviceChoice, experiments::Machine, failure::Failure, models,
};

/// What the names of models inside this program begin with.
const EMBEDDED: &str = "embedded:";

/// Which model.
#[derive(Debug, Args)]
pub(crate) struct RawBase {
    /// Folder of the model, or its name on the Hugging Face Hub
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: String,
    #[command(flatten)]
    precision: RawPrecision,
}

/// Which model, and what is put on it.
#[derive(Debug, Args)]
pub(crate) struct RawModel {
    #[command(flatten)]
    pub(crate) base: RawBase,
    /// Folder of an adapter, ours or PEFT's, or of a run
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
}

/// Type in which the model computes.
#[derive(Debug, Args)]
pub(crate) struct RawPrecision {
    /// Type in which the model computes
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = TypeChoice::F32)]
    dtype: TypeChoice,
}

/// A type on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TypeChoice {
    F32,
    F16,
    Bf16,
}

/// A model that is ready to be asked.
pub(crate) struct Loaded {
    /// The model as it is called.
    pub(crate) name: String,
    pub(crate) tuned: Tuned,
    pub(crate) tokenizer: Tokenizer,
    /// The model's folder, unless it is inside this program.
    pub(crate) folder: Option<PathBuf>,
}

impl RawPrecision {
    pub(crate) fn dtype(&self) -> DType {
        self.precision().dtype()
    }

    fn precision(&self) -> Precision {
        self.dtype.into()
    }
}

impl From<TypeChoice> for Precision {
    fn from(choice: TypeChoice) -> Self {
        match choice {
            TypeChoice::F32 => Self::F32,
            TypeChoice::F16 => Self::F16,
            TypeChoice::Bf16 => Self::Bf16,
        }
    }
}

impl RawBase {
    /// The type in which the model computes.
    pub(crate) fn precision(&self) -> Precision {
        self.precision.precision()
    }

    /// Finds and loads the model with its tokenizer.
    pub(crate) fn load(&self, device: DeviceChoice, console: &Console) -> Result<Base, Failure> {
        load_base(&self.model, Some(self.precision()), device, console)
    }
}

impl RawModel {
    /// Finds and loads everything.
    pub(crate) fn load(&self, device: DeviceChoice, console: &Console) -> Result<Loaded, Failure> {
        let adapter = self.adapter.as_deref().map(adapter_folder).transpose()?;
        let base = self.base.load(device, console)?;
        let mut tuned = match &adapter {
            Some(adapter) => load_tuned(adapter, base.model.clone())?,
            None => bare(&base),
        };
        if tuned.head.is_none() {
            tuned.head = base.head;
        }
        Ok(Loaded {
            name: self.base.model.clone(),
            tuned,
            tokenizer: base.tokenizer,
            folder: match base.source {
                ModelSource::Folder(folder) => Some(folder),
                ModelSource::Embedded(_) => None,
            },
        })
    }
}

/// Finds and loads a model with its tokenizer: by its folder, by a name, or from inside this program. Without a `dtype`
/// it takes as little memory as the device allows.
pub(crate) fn load_base(
    model: &str,
    dtype: Option<Precision>,
    device: DeviceChoice,
    console: &Console,
) -> Result<Base, Failure> {
    let found = device.find(console)?;
    if let Some(dtype) = dtype {
        found.check(dtype, "--dtype")?;
    }
    let model = match model.starts_with(EMBEDDED) {
        true => model.to_owned(),
        false => models::folder(model, console)?
            .to_string_lossy()
            .into_owned(),
    };
    let config = BaseConfig {
        model,
        train: Vec::new(),
        dtype: dtype.unwrap_or_else(|| found.smallest()),
        init: BaseInit::Pretrained,
        save: None,
    };
    Ok(Base::load(
        &config,
        0,
        &Machine::new(console),
        &found.device,
    )?)
}

impl Loaded {
    /// Says if the model predicts no words.
    pub(crate) fn check_words(&self) -> Result<(), Failure> {
        check_words(&self.name, &self.tuned)
    }

    /// Says if `n_tokens` and the tuner's vectors do not fit into the model's positions.
    pub(crate) fn check_length(&self, n_tokens: usize) -> Result<(), String> {
        check_length(&self.tuned, n_tokens)
    }
}

/// Says if a model predicts no words.
pub(crate) fn check_words(name: &str, tuned: &Tuned) -> Result<(), Failure> {
    if tuned.base.has_language_head() {
        return Ok(());
    }
    Err(Failure::input(format!(
        "{name} has no language-model head, so that it predicts no words"
    ))
    .hint("use a decoder, for example Llama, Qwen or GPT-2"))
}

/// Says if `n_tokens` and the tuner's vectors do not fit into the model's positions.
pub(crate) fn check_length(tuned: &Tuned, n_tokens: usize) -> Result<(), String> {
    let n_positions = tuned.base.spec().n_positions;
    let reserve = tuned.tuner.config().reserve();
    if n_tokens + reserve <= n_positions {
        return Ok(());
    }
    Err(match reserve {
        0 => format!("{n_tokens} tokens, but the model takes {n_positions}"),
        _ => format!(
            "{n_tokens} tokens and {reserve} vectors of the adapter, but the model takes {n_positions}"
        ),
    })
}

/// The model alone, with the head of its checkpoint.
pub(crate) fn bare(base: &Base) -> Tuned {
    let (model, head) = (base.model.clone(), base.head.clone());
    Tuned::new(model, AnyTuner::default(), head, None)
}

/// Says if something stands at the place of a folder that is to be made.
pub(crate) fn check_free(out: &Path) -> Result<(), Failure> {
    let is_empty = |mut entries: std::fs::ReadDir| entries.next().is_none();
    if !out.exists() || out.read_dir().is_ok_and(is_empty) {
        return Ok(());
    }
    Err(
        Failure::input(format!("{} is there already", out.display()))
            .hint("choose another folder by `--out DIR`, or remove this one"),
    )
}

/// The folder of an adapter; that of a run holds one.
pub(crate) fn adapter_folder(given: &Path) -> Result<PathBuf, Failure> {
    if !given.is_dir() {
        return Err(Failure::input(format!("there is no folder {}", given.display()))
            .hint("an adapter is a folder with pilotlight.json or adapter_config.json: `RUN/adapter` after `pilot train`"));
    }
    let holds = |name: &str| given.join(name).exists();
    let inner = given.join("adapter");
    match !holds("pilotlight.json") && !holds("adapter_config.json") && inner.is_dir() {
        true => Ok(inner),
        false => Ok(given.to_owned()),
    }
}
