//! `pilot inspect`: what a model is, and what each method would train of it.

mod methods;

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};
use clap::Args;
use indicatif::{BinaryBytes, HumanCount};
use pilotlight_compare::ModelSource;
use pilotlight_core::ModelSpec;
use pilotlight_data::Tokenizer;
use pilotlight_transformer::Model;
use pilotlight_tuners::{BaseInfo, InitContext, TaskType, Vocabulary, save_adapter};
use serde::Serialize;
use serde_json::json;

use self::methods::{Counted, read_methods, usual};
use crate::{
    console::{Console, Output},
    devices::DeviceChoice,
    failure::Failure,
    grid::grid,
    loaded::load_base,
};

/// Show a model's shape, and what methods would train of it
#[derive(Debug, Args)]
#[command(after_help = "\
For every method: trained parameters, their share, and the size of what is saved. Without --method these are the \
methods of this program with usual settings, as far as the model has what they train.

Examples:
  pilot inspect HuggingFaceTB/SmolLM2-135M
  pilot inspect models/smollm2 --parameters
  pilot inspect models/smollm2 --method smollm2-sentences
  pilot inspect models/smollm2 --method experiment.toml --json")]
pub(crate) struct RawInspect {
    /// Folder of the model, or its name on the Hugging Face Hub
    model: String,
    /// Experiment file or preset: count what its methods train
    #[arg(long, value_name = "FILE|PRESET")]
    method: Vec<String>,
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
    methods: Vec<Counted>,
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
        for what in &raw.method {
            methods.extend(read_methods(what)?);
        }
        let base = load_base(&raw.model, None, device, console)?;
        if methods.is_empty() {
            methods = usual(&base.model)?;
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
        let titles = [
            ("method", false),
            ("trainable", true),
            ("share", true),
            ("saved as", true),
        ];
        let cells = rows.iter().map(|row| {
            vec![
                row.method.clone(),
                HumanCount(row.trainable as u64).to_string(),
                format!("{:.4} %", row.percent),
                BinaryBytes(row.bytes).to_string(),
            ]
        });
        output.line(&grid(&titles, cells.collect(), console.output_style()))?;
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
        let row = |method: &str, trainable: usize, bytes: u64| Row {
            method: method.to_owned(),
            trainable,
            percent: 100.0 * trainable as f64 / n_parameters as f64,
            bytes,
        };
        let mut rows = Vec::new();
        for method in &self.methods {
            let counted = self.count(method);
            let (trainable, bytes) = counted.map_err(|failure| failure.at(&method.name))?;
            rows.push(row(&method.name, trainable, bytes));
        }
        if rows.iter().all(|row| row.trainable < n_parameters) {
            // To compare with.
            rows.insert(
                0,
                row(
                    "full fine-tuning",
                    n_parameters,
                    IN_F32 * n_parameters as u64,
                ),
            );
        }
        Ok(rows)
    }

    /// Makes and saves an adapter: trained parameters, and bytes of its files.
    fn count(&self, method: &Counted) -> Result<(usize, u64), Failure> {
        let model = &self.model;
        let tuner = method.tuner.init(&InitContext {
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
        let of_base = n_trained(method.on(model)?);
        Ok((n_trained(tuner) + of_base, bytes + IN_F32 * of_base as u64))
    }
}

/// Number of values that are trained.
fn n_trained(module: impl Module) -> usize {
    struct Count(usize);
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                self.0 += param.dims().iter().product::<usize>();
            }
        }
    }
    let mut count = Count(0);
    // Only a module with autodiff knows.
    module.train().visit(&mut count);
    count.0
}

/// Bytes of a value of the base that was trained.
const IN_F32: u64 = 4;

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
        // Any word will do.
        vec![vec![0]]
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
