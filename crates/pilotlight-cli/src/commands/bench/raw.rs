//! The arguments of `pilot bench`.

use std::path::PathBuf;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
    value_parser,
};
use pilotlight_compare::{Precision, bench::BENCH_METHODS};

use crate::loaded::TypeChoice;

/// Measure a training step of several methods on several devices
#[derive(Debug, Args)]
#[command(after_help = "\
A step is a forward pass, the loss of the one token that follows each text, a backward pass and the optimizer's update. \
Models of random weights have the shapes of tiny (the default), smollm2-135m, smollm2-360m, tinyllama-1.1b, smollm2-1.7b.
Arguments that take several values, --device too, take them separated by commas; all combinations are measured, each in \
a process of its own.
The folder gets bench.json (which --compare reads), bench.csv and bench.svg.

Examples:
  pilot bench
  pilot bench --device cpu,wgpu --out runs/bench
  pilot bench --model smollm2-135m --methods prompt-tuning,lora --batch 1,8 --tokens 128
  pilot bench --compare before/bench.json after/bench.json")]
pub(crate) struct RawBench {
    /// Shapes of random weights, folders of models, names on the hub, or embedded:NAME
    #[arg(
        long,
        value_name = "MODEL",
        value_delimiter = ',',
        default_value = "tiny"
    )]
    model: Vec<String>,
    /// Methods [default: all but the last three]
    #[arg(long, value_name = "METHOD", value_delimiter = ',', value_parser = method_name())]
    methods: Vec<String>,
    /// Texts of a batch
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "8", value_parser = count())]
    batch: Vec<u32>,
    /// Tokens of a text
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "64", value_parser = count())]
    tokens: Vec<u32>,
    /// Vectors of prompts and prefixes
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "20", value_parser = count())]
    prompt_length: Vec<u32>,
    /// Types in which the model computes
    #[arg(
        long,
        value_name = "TYPE",
        value_delimiter = ',',
        value_enum,
        default_value = "f32"
    )]
    dtype: Vec<TypeChoice>,
    /// Steps that are measured
    #[arg(long, value_name = "N", default_value = "20", value_parser = count())]
    steps: u32,
    /// Steps before them, in which kernels are made and memory is taken
    #[arg(long, value_name = "N", default_value = "3", value_parser = value_parser!(u32).range(..=MOST))]
    warm_up: u32,
    /// Folder for the results
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Compare two results instead: how many times as long the second one's steps take
    #[arg(
        long,
        num_args = 2,
        value_names = ["A.json", "B.json"],
        conflicts_with_all = ["model", "methods", "batch", "tokens", "prompt_length", "dtype", "steps", "warm_up", "out"]
    )]
    compare: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Measure what the process that started this one says
    #[arg(long, hide = true)]
    child: bool,
}

/// More than anybody waits for.
const MOST: i64 = 1_000_000;

fn count() -> impl TypedValueParser<Value = u32> {
    value_parser!(u32).range(1..=MOST)
}

fn method_name() -> PossibleValuesParser {
    PossibleValuesParser::new(BENCH_METHODS.iter().map(|method| method.name))
}

/// What is asked.
pub(super) enum Asked {
    /// Steps are measured for the process that started this one.
    Child,
    /// Two results are compared.
    Compare {
        first: PathBuf,
        second: PathBuf,
        json: bool,
    },
    /// Steps are measured.
    Measure(Measure),
}

/// The steps to be measured: all combinations of these.
pub(super) struct Measure {
    pub(super) models: Vec<String>,
    pub(super) methods: Vec<String>,
    pub(super) batches: Vec<usize>,
    pub(super) tokens: Vec<usize>,
    pub(super) prompt_lengths: Vec<usize>,
    pub(super) dtypes: Vec<Precision>,
    pub(super) n_steps: usize,
    pub(super) n_warm_up: usize,
    pub(super) out: Option<PathBuf>,
    pub(super) json: bool,
}

impl RawBench {
    pub(super) fn asked(self) -> Asked {
        if self.child {
            return Asked::Child;
        }
        if let [first, second] = self.compare.as_slice() {
            return Asked::Compare {
                first: first.clone(),
                second: second.clone(),
                json: self.json,
            };
        }
        let usual = BENCH_METHODS.iter().filter(|method| method.is_usual);
        let sizes = |sizes: Vec<u32>| sizes.into_iter().map(|size| size as usize).collect();
        Asked::Measure(Measure {
            models: self.model,
            methods: match self.methods.is_empty() {
                true => usual.map(|method| method.name.to_owned()).collect(),
                false => self.methods,
            },
            batches: sizes(self.batch),
            tokens: sizes(self.tokens),
            prompt_lengths: sizes(self.prompt_length),
            dtypes: self.dtype.into_iter().map(Precision::from).collect(),
            n_steps: self.steps as usize,
            n_warm_up: self.warm_up as usize,
            out: self.out,
            json: self.json,
        })
    }
}
