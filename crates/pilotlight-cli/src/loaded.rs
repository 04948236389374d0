//! A model with its tokenizer and, where one is given, an adapter: what most commands begin with.

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};
use clap::{Args, ValueEnum};
use pilotlight_data::Tokenizer;
use pilotlight_train::{Tuned, load_tuned};
use pilotlight_transformer::{LoadOptions, Model, Pretrained, load_folder};
use pilotlight_tuners::{InitContext, NoVocabulary, TunerConfig};

use crate::{console::Console, failure::Failure, models};

/// Which model, and what is put on it.
#[derive(Debug, Args)]
pub(crate) struct RawModel {
    /// Folder of the model, or its name on the Hugging Face Hub
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: String,
    /// Folder of an adapter, ours or PEFT's, or of a run
    #[arg(long, value_name = "DIR")]
    pub(crate) adapter: Option<PathBuf>,
    #[command(flatten)]
    precision: RawPrecision,
}

/// Type in which the model computes.
#[derive(Debug, Args)]
pub(crate) struct RawPrecision {
    /// Type in which the model computes
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = Precision::F32)]
    dtype: Precision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Precision {
    F32,
    F16,
    Bf16,
}

/// A model that is ready to be asked.
pub(crate) struct Loaded {
    pub(crate) tuned: Tuned,
    pub(crate) tokenizer: Tokenizer,
    /// The model's folder.
    pub(crate) folder: PathBuf,
    /// The adapter's folder.
    pub(crate) adapter: Option<PathBuf>,
    /// Names of the classes of the checkpoint's own head.
    pub(crate) labels: Vec<String>,
}

impl RawPrecision {
    pub(crate) fn dtype(&self) -> DType {
        match self.dtype {
            Precision::F32 => DType::F32,
            Precision::F16 => DType::F16,
            Precision::Bf16 => DType::BF16,
        }
    }
}

impl RawModel {
    /// Finds and loads everything.
    pub(crate) fn load(&self, device: &Device, console: &Console) -> Result<Loaded, Failure> {
        let folder = models::folder(&self.model, console)?;
        let adapter = self.adapter.as_deref().map(adapter_folder).transpose()?;
        let tokenizer = Tokenizer::from_folder(&folder)?;
        let options = LoadOptions {
            device: device.clone(),
            dtype: self.precision.dtype(),
        };
        let Pretrained {
            model,
            head,
            labels,
            ..
        } = load_folder(&folder, &options)?;
        check_vocabulary(&tokenizer, &model, &folder)?;
        let mut tuned = match &adapter {
            Some(adapter) => load_tuned(adapter, model)?,
            None => untuned(model)?,
        };
        if tuned.head.is_none() {
            tuned.head = head;
        }
        Ok(Loaded {
            tuned,
            tokenizer,
            folder,
            adapter,
            labels,
        })
    }
}

impl Loaded {
    /// Says if the model predicts no words.
    pub(crate) fn check_words(&self) -> Result<(), Failure> {
        if self.tuned.base.has_language_head() {
            return Ok(());
        }
        Err(Failure::input(format!(
            "{} has no language-model head, so that it predicts no words",
            self.folder.display()
        ))
        .hint("use a decoder, for example Llama, Qwen or GPT-2"))
    }

    /// Says if `n_tokens` and the tuner's vectors do not fit into the model's positions.
    pub(crate) fn check_length(&self, n_tokens: usize) -> Result<(), String> {
        let n_positions = self.tuned.base.spec().n_positions;
        let reserve = self.tuned.tuner.config().reserve();
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
}

/// A model that nothing is put on.
fn untuned(model: Model) -> Result<Tuned, Failure> {
    let words = model.word_embeddings();
    let context = InitContext {
        spec: model.spec(),
        device: &words.device(),
        word_embeddings: words.clone(),
        vocabulary: &NoVocabulary,
        seed: 0,
    };
    let tuner = TunerConfig::default().init(&context)?;
    Ok(Tuned::new(model, tuner, None, None))
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

/// Says if the tokenizer has tokens that the model does not know.
fn check_vocabulary(tokenizer: &Tokenizer, model: &Model, folder: &Path) -> Result<(), Failure> {
    let (n_tokens, n_vocab) = (tokenizer.n_vocab(), model.spec().n_vocab);
    if n_tokens <= n_vocab {
        return Ok(());
    }
    let file = |name: &str| folder.join(name).display().to_string();
    Err(Failure::input(format!(
        "tokenizer and model do not match: {} has {n_tokens} tokens, {} has `vocab_size` = {n_vocab}",
        file("tokenizer.json"),
        file("config.json"),
    ))
    .hint("copy both from the same model's repository"))
}
