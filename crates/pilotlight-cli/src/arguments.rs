//! The command line as a whole. Each command's own arguments stand in its file.

use std::{env, process::ExitCode};

use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser};

use crate::{
    commands::RawCommand,
    console::Console,
    devices::{DeviceChoice, DeviceList},
    failure::Failure,
};

/// Prompt tuning and its rivals for real pretrained transformers.
#[derive(Debug, Parser)]
#[command(
    name = "pilot",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  pilot compare                                  compare methods on model and data in this program
  pilot fetch HuggingFaceTB/SmolLM2-135M         bring a model into the cache
  pilot train experiment.toml --out runs/first   train the method that a file describes
  pilot predict --model MODEL --adapter runs/first/adapter --input texts.jsonl

Results go to standard output, everything else to standard error.
Exit codes: 0 done, 1 the run failed, 2 wrong usage or input."
)]
pub(crate) struct RawArguments {
    #[command(flatten)]
    pub(crate) global: RawGlobal,
    #[command(subcommand)]
    pub(crate) command: RawCommand,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct RawGlobal {
    /// Where to compute: auto, cpu, wgpu, cuda, or one of several: wgpu:N, cuda:N. `train` and `compare` share every
    /// batch among devices with commas between, such as cuda:0,cuda:1
    #[arg(
        long,
        visible_alias = "devices",
        global = true,
        value_name = "DEVICE",
        value_delimiter = ',',
        help_heading = "Everywhere"
    )]
    pub(crate) device: Vec<DeviceChoice>,
    /// Say nothing but results and errors
    #[arg(long, short, global = true, help_heading = "Everywhere")]
    quiet: bool,
    /// When to use colors; NO_COLOR is honoured
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Everywhere"
    )]
    color: ColorChoice,
}

impl RawGlobal {
    /// The device that is given, if any is.
    pub(crate) fn device(&self) -> Result<Option<DeviceChoice>, Failure> {
        match self.device.as_slice() {
            [] => Ok(None),
            [device] => Ok(Some(*device)),
            several => {
                let names: Vec<String> = several.iter().map(DeviceChoice::to_string).collect();
                Err(
                    Failure::input(format!("one device is wanted, found {}", names.join(", ")))
                        .hint("`pilot bench`, `pilot compare` and `pilot train` take several"),
                )
            }
        }
    }

    /// The devices that are given to share every batch, if any are.
    pub(crate) fn devices(&self) -> Result<Option<DeviceList>, Failure> {
        DeviceList::new(&self.device)
            .map_err(|problem| Failure::input(problem).hint("`pilot devices` lists them"))
    }
}

impl RawArguments {
    pub(crate) fn console(&self) -> Console {
        Console::new(self.global.quiet, self.global.color)
    }
}

/// The arguments of this process; or the exit code, when help or an error of usage has been printed.
pub(crate) fn parse() -> Result<RawArguments, ExitCode> {
    let arguments: Vec<_> = env::args_os().collect();
    // Help and errors of usage are printed before arguments are parsed: `--color` has to be known by then.
    let words = arguments
        .iter()
        .map(|argument| argument.to_string_lossy().into_owned());
    let command = RawArguments::command().color(color_of(words));
    let parsed = command
        .try_get_matches_from(arguments)
        .and_then(|matches| RawArguments::from_arg_matches(&matches));
    parsed.map_err(|error| {
        // Nobody is left to tell if this fails.
        let _ = error.print();
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

fn color_of(words: impl Iterator<Item = String>) -> ColorChoice {
    let mut words = words.peekable();
    let mut choice = ColorChoice::Auto;
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--color") {
            Some("") => words.peek().map(String::as_str),
            Some(value) => value.strip_prefix('='),
            None => None,
        };
        match value {
            Some("always") => choice = ColorChoice::Always,
            Some("never") => choice = ColorChoice::Never,
            _ => {}
        }
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        RawArguments::command().debug_assert();
    }

    #[test]
    fn color_is_known_before_parsing() {
        let color = |line: &str| color_of(line.split(' ').map(str::to_owned));
        assert_eq!(color("pilot --color never devices"), ColorChoice::Never);
        assert_eq!(color("pilot devices --color=always"), ColorChoice::Always);
        assert_eq!(color("pilot devices"), ColorChoice::Auto);
    }
}
