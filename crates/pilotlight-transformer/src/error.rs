//! What can go wrong when a model is read from or written to disk.

use std::{fmt, path::PathBuf};

use burn::tensor::DType;

/// A model could not be loaded, changed or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The device does not compute in the element type that is asked for.
    #[error("the device does not compute models in {dtype:?}\nhint: it computes in {usable:?}")]
    Type {
        /// The element type.
        dtype: DType,
        /// Those in which the device computes.
        usable: Vec<DType>,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as "read" or "write".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A folder holds no model.
    #[error("no model in {}: {problem}\nhint: {hint}", path.display())]
    NoModel {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A file is damaged or not of the expected format.
    #[error("{} {problem}\nhint: {hint}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// `config.json` has values with which no model can be built.
    #[error("{} cannot be used:{problems}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it.
        problems: List,
    },
    /// The model is of a family that is not implemented.
    #[error("{} has model_type {model_type:?}, which is not supported\nhint: supported are {}", path.display(), known.join(", "))]
    Family {
        /// The file `config.json`.
        path: PathBuf,
        /// Its `model_type`.
        model_type: String,
        /// The model types that are supported.
        known: Vec<&'static str>,
    },
    /// The tensors of a checkpoint are not those of the model that `config.json` describes.
    #[error(
        "the tensors in {} do not fit its config.json:{problems}\nhint: is the download complete, and are both files of the same model?",
        path.display()
    )]
    Tensors {
        /// The folder or file.
        path: PathBuf,
        /// Every missing, unexpected, misshapen or unreadable tensor.
        problems: List,
    },
    /// A tuner is to be folded into words and head that are one matrix.
    #[error(
        "the base's head is tied: it is the word embeddings, of which the tuner changes {changed}\n\
         hint: keep the adapter beside the base, or merge it into a base whose head has weights of its own"
    )]
    TiedHead {
        /// What the tuner changes.
        changed: &'static str,
    },
    /// Tensors to be put into a model do not fit it.
    #[error("the tensors do not fit the model:{0}")]
    Import(List),
}

/// Several problems, each on its own line when shown; a long list is cut with a count of the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List(pub Vec<String>);

impl fmt::Display for List {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        for problem in self.0.iter().take(SHOWN) {
            write!(formatter, "\n  {problem}")?;
        }
        if self.0.len() > SHOWN {
            write!(formatter, "\n  ... and {} more", self.0.len() - SHOWN)?;
        }
        Ok(())
    }
}
