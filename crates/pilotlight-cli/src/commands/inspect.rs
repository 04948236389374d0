//! `pilot inspect`: what a model is, and what each method would train of it.

use std::path::{Path, PathBuf};

use burn::module::Module;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{BinaryBytes, HumanCount};
use pilotlight_compare::{ModelSource, Precision};
use pilotlight_core::ModelSpec;
use pilotlight_data::Tokenizer;
use pilotlight_transformer::Model;
use pilotlight_tuners::{BaseInfo, InitContext, TaskType, TunerConfig, Vocabulary, save_adapter};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    console::{Console, Output},
    devices::DeviceChoice,
    failure::Failure,
    loaded::load_base,
};

/// Show a model's shape, and what methods would train of it
#[derive(Debug, Args)]
#[command(after_help = "\
For every method: trained parameters, their share, and the size of what is saved. Without --method these are full \
fine-tuning, a soft prompt of 20 vectors and LoRA of rank 8.

Examples:
  pilot inspect HuggingFaceTB/SmolLM2-135M
  pilot inspect models/smollm2 --parameters
  pilot inspect models/smollm2 --method experiment.toml --json")]
pub(crate) struct RawInspect {
    /// Folder of the model, or its name on the Hugging Face Hub
    model: String,
    /// Experiment file with a tuner: count what this method trains
    #[arg(long, value_name = "FILE")]
    method: Vec<PathBuf>,
    /// List the names of the parameters, for `base.train`
    #[arg(long)]
    parameters: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A model and the methods that are counted on it.
pub(crate) struct Inspect {
    /// The model's folder, or its name inside this program.
    name: String,
    model: Model,
    family: &'static str,
    /// Names of the classes of its head.
    labels: Vec<String>,
    words: ModelWords,
    methods: Vec<(String, TunerConfig)>,
    parameters: bool,
    json: bool,
}

/// What a method trains and saves.
#[derive(Serialize)]
struct Row {
    method: String,
    trainable: usize,
    percent: f64,
    bytes: u64,
}

impl Inspect {
    pub(crate) fn new(
        raw: RawInspect,
        device: DeviceChoice,
        console: &Console,
    ) -> Result<Self, Failure> {
        let mut methods = Vec::new();
        for file in &raw.method {
            methods.push(read_method(file)?);
        }
        // Half the memory: nothing is computed here.
        let base = load_base(&raw.model, Precision::Bf16, device, console)?;
        if methods.is_empty() {
            for (name, section) in USUAL {
                methods.push((
                    name.to_owned(),
                    toml::from_str(section).map_err(Failure::run)?,
                ));
            }
        }
        Ok(Self {
            name: match &base.source {
                ModelSource::Folder(folder) => folder.to_string_lossy().into_owned(),
                ModelSource::Embedded(_) => raw.model,
            },
            model: base.model,
            family: base.family,
            labels: base.labels,
            words: ModelWords(base.tokenizer),
            methods,
            parameters: raw.parameters,
            json: raw.json,
        })
    }

    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        let rows = self.rows()?;
        let spec = self.model.spec();
        let n_parameters = self.model.n_parameters();
        let mut output = Output::open();
        if self.json {
            output.json(&json!({
                "model": self.name,
                "family": self.family,
                "architecture": self.architecture(),
                "n_parameters": n_parameters,
                "n_layers": spec.n_layers,
                "d_model": spec.d_model,
                "n_heads": spec.n_heads,
                "n_kv_heads": spec.n_kv_heads,
                "d_head": spec.d_head,
                "d_ff": spec.d_ff,
                "n_vocab": spec.n_vocab,
                "n_positions": spec.n_positions,
                "labels": self.labels,
                "parameters": self.parameters.then(|| self.model.parameter_names()),
                "methods": rows,
            }))?;
            return output.flush();
        }
        let strong = |text: &str| console.output_style().strong(text);
        output.line(&format!(
            "{}  {}, {}, {} parameters",
            strong(&self.name),
            self.family,
            self.architecture(),
            HumanCount(n_parameters as u64),
        ))?;
        output.line(&shape(spec))?;
        if !self.labels.is_empty() {
            output.line(&format!("head: {}", self.labels.join(", ")))?;
        }
        output.line("")?;
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["method", "trainable", "share", "saved as"].map(strong));
        for row in &rows {
            table.add_row([
                row.method.clone(),
                HumanCount(row.trainable as u64).to_string(),
                format!("{:.4} %", row.percent),
                BinaryBytes(row.bytes).to_string(),
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        output.line(&table.trim_fmt())?;
        if self.parameters {
            output.line("")?;
            for name in self.model.parameter_names() {
                output.line(&name)?;
            }
        }
        output.flush()
    }

    fn architecture(&self) -> &'static str {
        match self.model.is_decoder() {
            true => "decoder",
            false => "encoder",
        }
    }

    fn rows(&self) -> Result<Vec<Row>, Failure> {
        let n_parameters = self.model.n_parameters();
        let row = |method: String, trainable: usize, bytes: u64| Row {
            method,
            trainable,
            percent: 100.0 * trainable as f64 / n_parameters as f64,
            bytes,
        };
        // Trained base parameters are saved in f32.
        let mut rows = vec![row(
            "full fine-tuning".to_owned(),
            n_parameters,
            4 * n_parameters as u64,
        )];
        for (name, config) in &self.methods {
            let (trainable, bytes) = self.count(config).map_err(|failure| failure.at(name))?;
            rows.push(row(name.clone(), trainable, bytes));
        }
        Ok(rows)
    }

    /// Makes and saves an adapter: trained parameters, and bytes of its files.
    fn count(&self, config: &TunerConfig) -> Result<(usize, u64), Failure> {
        let model = &self.model;
        let tuner = config.init(&InitContext {
            base: model,
            device: &model.word_embeddings().device(),
            vocabulary: &self.words,
            seed: 0,
        })?;
        let unwritable = |error: std::io::Error| {
            Failure::run(format!("cannot write a temporary folder: {error}"))
                .hint("set TMPDIR to a folder with room")
        };
        let folder = tempfile::tempdir().map_err(unwritable)?;
        let base = BaseInfo {
            name_or_path: self.name.clone(),
            spec: model.spec().clone(),
            task_type: TaskType::CausalLm,
        };
        save_adapter(folder.path(), &tuner, None, &base)?;
        let mut bytes = 0;
        for entry in fs_err::read_dir(folder.path()).map_err(unwritable)? {
            bytes += entry
                .and_then(|entry| entry.metadata())
                .map_err(unwritable)?
                .len();
        }
        Ok((tuner.num_params(), bytes))
    }
}

/// The methods that are counted where none is asked for, as sections `[tuner]`.
const USUAL: [(&str, &str); 2] = [
    (
        "soft prompt, 20 vectors",
        "method = \"soft-prompt\"\nprompt_length = 20",
    ),
    ("LoRA, rank 8", "method = \"lora\"\nrank = 8"),
];

/// The section `[tuner]` of a file; its other sections are not looked at.
fn read_method(file: &Path) -> Result<(String, TunerConfig), Failure> {
    #[derive(Deserialize)]
    struct Sections {
        tuner: TunerConfig,
    }
    let text = fs_err::read_to_string(file).map_err(|error| {
        Failure::input(error).hint("give an experiment file by `--method FILE`")
    })?;
    let sections: Sections = toml::from_str(&text).map_err(|error| {
        Failure::input(format!(
            "{}: {}",
            file.display(),
            error.to_string().trim_end()
        ))
        .hint("write a section like [tuner] with `method = \"lora\"` and `rank = 8`")
    })?;
    let mut tuner = sections.tuner;
    tuner.anchor_paths(file.parent().unwrap_or(Path::new("")));
    Ok((format!("{tuner} ({})", file.display()), tuner))
}

/// The words of a model without a task: how a method begins changes none of the numbers.
#[derive(Debug)]
struct ModelWords(Tokenizer);

impl Vocabulary for ModelWords {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        self.0
            .encode(text, false)
            .map_err(|error| error.to_string())
    }

    fn is_special(&self, id: u32) -> bool {
        self.0.is_special(id)
    }

    fn frequencies(&self) -> Vec<(u32, usize)> {
        Vec::new()
    }

    fn label_words(&self) -> Vec<Vec<u32>> {
        Vec::new()
    }
}

fn shape(spec: &ModelSpec) -> String {
    format!(
        "n_layers {}, d_model {}, n_heads {}, n_kv_heads {}, d_head {}, d_ff {}, n_vocab {}, n_positions {}",
        spec.n_layers,
        spec.d_model,
        spec.n_heads,
        spec.n_kv_heads,
        spec.d_head,
        spec.d_ff,
        spec.n_vocab,
        spec.n_positions
    )
}
