//! What can be wrong with a GGUF file or its import.

use std::{io, path::PathBuf};

/// Why a GGUF file was not imported. Nothing is left at the place of the output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file is something else.
    #[error("{}: not a GGUF file: it starts with {found:?}\nhint: name a file that ends in .gguf", path.display())]
    NotGguf {
        /// The file.
        path: PathBuf,
        /// Its first bytes.
        found: String,
    },
    /// The file is a GGUF, but broken: cut short, or with numbers that cannot be true.
    #[error("{}: byte {offset}: {message}\nhint: the file is damaged or was not downloaded to its end; fetch it again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where the problem was met.
        offset: u64,
        /// What is wrong there.
        message: String,
    },
    /// The file is sound, but holds no model that can be imported; every reason is listed.
    #[error("{}: cannot be imported:{}\nhint: GGUF files of the architecture `llama` with F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 or K-quant weights can be imported", path.display(), list(problems))]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What stands in the way.
        problems: Vec<String>,
    },
    /// The weights cannot be written as asked.
    #[error("{}: tensor {tensor}: {message}\nhint: {hint}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The tensor, as the file names it.
        tensor: String,
        /// What is wrong with it.
        message: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// The output's place is taken.
    #[error("{}: exists and is not an empty folder\nhint: name a new folder or remove this one", path.display())]
    OutputExists {
        /// The output.
        path: PathBuf,
    },
    /// A number type that weights cannot be written in.
    #[error("weights cannot be written as {found}\nhint: choose f32, f16 or bf16")]
    Dtype {
        /// The type asked for.
        found: String,
    },
}

/// One line a problem, the first twenty of them.
fn list(problems: &[String]) -> String {
    const MAX: usize = 20;
    let mut text: String = problems
        .iter()
        .take(MAX)
        .map(|problem| format!("\n  - {problem}"))
        .collect();
    if problems.len() > MAX {
        text += &format!("\n  - and {} more", problems.len() - MAX);
    }
    text
}
