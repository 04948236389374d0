//! `pilot import`: a GGUF file becomes a Hugging Face folder.

use std::path::PathBuf;

use burn::tensor::DType;
use clap::Args;
use pilotlight_transformer::gguf::{ImportOptions, import_with};
use serde_json::json;

use crate::{
    console::{Console, Output},
    failure::Failure,
    loaded::RawPrecision,
};

/// Make a model's folder of a GGUF file
#[derive(Debug, Args)]
#[command(after_help = "\
The file's architecture must be `llama`. Its weights are written dequantised, so that the folder holds what \
llama.cpp computes with and not the checkpoint that was quantised. The tokenizer comes along.

Examples:
  pilot import SmolLM2-135M-Instruct.Q4_1.gguf --out models/smollm2
  pilot import model.gguf --out models/model --dtype bf16")]
pub(crate) struct RawImport {
    /// The GGUF file
    file: PathBuf,
    /// Folder to be made
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    precision: RawPrecision,
    /// Print what was imported as JSON
    #[arg(long)]
    json: bool,
}

/// What is to be imported, and whereto.
pub(crate) struct Import {
    file: PathBuf,
    out: PathBuf,
    dtype: DType,
    json: bool,
}

impl Import {
    pub(crate) fn new(raw: RawImport) -> Result<Self, Failure> {
        if !raw.file.is_file() {
            return Err(
                Failure::input(format!("there is no file {}", raw.file.display()))
                    .hint("name a file that ends in .gguf"),
            );
        }
        Ok(Self {
            dtype: raw.precision.dtype(),
            file: raw.file,
            out: raw.out,
            json: raw.json,
        })
    }

    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        let options = ImportOptions { dtype: self.dtype };
        let report = import_with(&self.file, &self.out, &options)?;
        for note in &report.notes {
            console.warn(note);
        }
        let mut output = Output::open();
        if self.json {
            output.json(&json!({
                "folder": report.folder,
                "name": report.name,
                "n_tensors": report.n_tensors,
                "n_parameters": report.n_parameters,
                "tied": report.tied,
                "stored": report.stored,
                "tokenizer": report.tokenizer,
                "notes": report.notes,
            }))?;
        } else {
            let stored: Vec<String> = report
                .stored
                .iter()
                .map(|(kind, n_tensors)| format!("{n_tensors} {kind}"))
                .collect();
            console.note(&format!(
                "{}: {} parameters in {} tensors ({}), {}; tokenizer: {}",
                report.name.as_deref().unwrap_or("a model without a name"),
                report.n_parameters,
                report.n_tensors,
                stored.join(", "),
                if report.tied {
                    "tied head"
                } else {
                    "untied head"
                },
                report.tokenizer,
            ));
            output.line(&report.folder.to_string_lossy())?;
        }
        output.flush()
    }
}
