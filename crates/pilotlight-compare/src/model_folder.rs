//! A model as a folder of its own.

use std::path::Path;

use pilotlight_transformer::{ClassificationHead, Model, save_classifier, save_folder};

use crate::{error::CompareError, experiment::Precision, sources::ModelSource};

/// What a model's folder holds beside configuration and weights, where it is there: its words, and how it writes.
const FILES: [&str; 9] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "generation_config.json",
];

/// Writes a model as a Hugging Face folder, with the configuration and the tokenizer of the one that it was made of; a
/// `head` with the names of its classes makes it a classifier.
///
/// # Errors
///
/// If a file of the source cannot be read or the folder cannot be written.
pub fn save_model(
    model: &Model,
    head: Option<(&ClassificationHead, &[String])>,
    source: &ModelSource,
    out: &Path,
    precision: Precision,
) -> Result<(), CompareError> {
    let save = |config: &Path| match head {
        Some((head, labels)) => {
            save_classifier(model, head, labels, config, out, precision.dtype())
        }
        None => save_folder(model, config, out, precision.dtype()),
    };
    match source {
        ModelSource::Folder(folder) => {
            save(folder)?;
            for name in FILES {
                let from = folder.join(name);
                if from.exists() {
                    let copied = std::fs::copy(&from, out.join(name));
                    copied.map_err(|error| CompareError::file(&from, error))?;
                }
            }
        }
        ModelSource::Embedded(embedded) => {
            let folder = tempfile::tempdir()
                .map_err(|error| CompareError::file(std::env::temp_dir(), error))?;
            let write = |path: &Path, bytes: &[u8]| {
                std::fs::write(path, bytes).map_err(|error| CompareError::file(path, error))
            };
            let config = folder.path().join("config.json");
            write(&config, embedded.config)?;
            save(&config)?;
            write(&out.join("tokenizer.json"), embedded.tokenizer)?;
            write(
                &out.join("tokenizer_config.json"),
                embedded.tokenizer_config,
            )?;
        }
    }
    Ok(())
}
