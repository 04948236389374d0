//! `pilot`: prompt tuning and its rivals for real pretrained transformers.
//!
//! The only crate that names a backend, parses arguments or prints.
//!
//! | module | concept |
//! |---|---|
//! | [`arguments`] | the command line as a whole |
//! | [`commands`] | one file a command: its raw arguments, its validated ones, what it does |
//! | [`console`] | what goes to the terminal, and how |
//! | [`failure`] | how a command fails: message, hint, exit code |
//! | [`devices`] | the backends and their devices |
//! | [`cluster`] | scripts for clusters |
//! | [`models`] | from the name of a model to its folder |
//! | [`loaded`] | a model with its tokenizer and an adapter |
//! | [`team`] | a model with several adapters |
//! | [`tasks`] | the tasks of adapters |
//! | [`experiments`] | the settings of runs |
//! | [`grid`] | tables on the terminal |
//! | [`results`] | results as text |
//! | [`records`] | the lines of `--input` |
//! | [`hub`] | the Hugging Face Hub and its cache |
//! | [`progress`] | bars and lines while a run goes on |
//! | [`child`] | a process that another `pilot` has started |
//! | [`user_cache`] | the user's cache folder |
//! | [`allocator`] | the allocator's settings |

mod allocator;
mod arguments;
mod child;
mod cluster;
mod commands;
mod console;
mod devices;
mod experiments;
mod failure;
mod grid;
mod hub;
mod loaded;
mod models;
mod progress;
mod records;
mod results;
mod tasks;
mod team;
mod user_cache;

use std::process::ExitCode;

fn main() -> ExitCode {
    allocator::tune();
    devices::settle();
    let arguments = match arguments::parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let console = arguments.console();
    match commands::run(arguments, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&console),
    }
}
