//! Import of GGUF files: one file of llama.cpp's family to a Hugging Face folder.
//!
//! The weights of such a file are mostly quantised; they are written dequantised, so that the folder holds what
//! llama.cpp computes with, not the checkpoint that was quantised.

mod container;
mod error;
mod llama;
mod rope;
mod tokenizer;
mod value;
mod weights;

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use burn::tensor::DType;
use serde_json::json;

pub use error::GgufError;

use self::{
    container::Container, llama::Llama, tokenizer::Tokenizer, value::Metadata, weights::Written,
};

/// How to write an imported model.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportOptions {
    /// The number type of the weights: f32 (the default, which loses nothing), f16 or bf16.
    pub dtype: DType,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self { dtype: DType::F32 }
    }
}

/// What was imported.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ImportReport {
    /// The model's name, where the file gives one.
    pub name: Option<String>,
    /// The folder.
    pub folder: PathBuf,
    /// Number of tensors.
    pub n_tensors: usize,
    /// Number of parameters.
    pub n_parameters: usize,
    /// Whether the output head is the word embeddings.
    pub tied: bool,
    /// Number of tensors by the type that they were stored in.
    pub stored: BTreeMap<String, usize>,
    /// What the tokenizer is.
    pub tokenizer: String,
    /// What the file does not say and was assumed.
    pub notes: Vec<String>,
}

/// Imports `gguf` into the new folder `out`, with weights in f32; see [`import_with`].
///
/// # Errors
///
/// See [`import_with`].
pub fn import(gguf: &Path, out: &Path) -> Result<ImportReport, GgufError> {
    import_with(gguf, out, &ImportOptions::default())
}

/// Imports the model in `gguf` into the new folder `out`: `config.json`, `generation_config.json`,
/// `model.safetensors`, `tokenizer.json` and `tokenizer_config.json`.
///
/// The folder appears when it is complete, or not at all.
///
/// # Errors
///
/// Fails if `gguf` cannot be read, is damaged, or holds something other than a `llama` model with a known
/// tokenizer (all reasons at once); if `out` exists and is not an empty folder; and if it cannot be written.
pub fn import_with(
    gguf: &Path,
    out: &Path,
    options: &ImportOptions,
) -> Result<ImportReport, GgufError> {
    let written = Written::new(options.dtype)?;
    if !is_free(out)? {
        return Err(GgufError::OutputExists {
            path: out.to_path_buf(),
        });
    }
    let container = Container::open(gguf)?;
    let mut metadata = Metadata::new(&container.metadata);
    let model = Llama::read(&container, &mut metadata)?;
    let tokenizer = model
        .as_ref()
        .and_then(|model| Tokenizer::read(&mut metadata, model.n_vocab, model.n_positions));
    let name = metadata.text("general.name").map(str::to_string);
    let (Some(model), Some(tokenizer), true) = (model, tokenizer, metadata.problems.is_empty())
    else {
        return Err(GgufError::Unsupported {
            path: gguf.to_path_buf(),
            problems: metadata.problems,
        });
    };

    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs_err::create_dir_all(parent)?;
    let staging = staging_folder(parent)?;
    let special = tokenizer.special;
    let ends: Vec<usize> = special.eos.into_iter().chain(special.end_of_turn).collect();
    let generation = json!({
        "bos_token_id": special.bos,
        "eos_token_id": ends,
        "pad_token_id": special.pad,
    });
    let config = model.config(&special, written.torch_name());
    for (name, content) in [
        ("config.json", format!("{config:#}")),
        ("generation_config.json", format!("{generation:#}")),
        ("tokenizer_config.json", format!("{:#}", tokenizer.config)),
        // Hundreds of thousands of values: one a line would be no help to anyone.
        ("tokenizer.json", tokenizer.definition.to_string()),
    ] {
        let mut file = fs_err::File::create(staging.path().join(name))?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
    }
    let file = fs_err::File::create(staging.path().join("model.safetensors"))?;
    weights::write(&container, &model, written, file)?;
    if out.exists() {
        fs_err::remove_dir(out)?;
    }
    fs_err::rename(staging.path(), out)?;
    // The folder is no longer where its guard would remove it.
    let _ = staging.keep();

    let mut stored = BTreeMap::new();
    for tensor in &model.tensors {
        if let Ok(kind) = container.tensors[&tensor.source].stored {
            *stored.entry(format!("{kind:?}")).or_insert(0) += 1;
        }
    }
    let sizes = model.tensors.iter().map(|tensor| &tensor.shape);
    Ok(ImportReport {
        name,
        folder: out.to_path_buf(),
        n_tensors: model.tensors.len(),
        n_parameters: sizes.map(|shape| shape.iter().product::<usize>()).sum(),
        tied: model.tied,
        stored,
        tokenizer: tokenizer.description,
        notes: tokenizer.notes,
    })
}

/// Whether nothing would be lost by putting a folder there.
fn is_free(out: &Path) -> Result<bool, GgufError> {
    if out.symlink_metadata().is_err() {
        return Ok(true);
    }
    Ok(out.is_dir() && fs_err::read_dir(out)?.next().is_none())
}

/// A folder beside the output that vanishes unless it is renamed.
fn staging_folder(parent: &Path) -> Result<tempfile::TempDir, GgufError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".import-");
    // Temporary folders are private by default; this one becomes an ordinary one, within the user's umask.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    Ok(builder.tempdir_in(parent)?)
}

#[cfg(test)]
mod tests;
