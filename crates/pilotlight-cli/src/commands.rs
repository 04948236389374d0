//! One file a command: its raw arguments as they are typed, its validated ones, and what it does with them.

mod devices;
mod fetch;

use clap::Subcommand;

use crate::{arguments::RawArguments, console::Console, failure::Failure};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum RawCommand {
    Fetch(fetch::RawFetch),
    Devices(devices::RawDevices),
}

/// Does what was asked.
pub(crate) fn run(arguments: RawArguments, console: &Console) -> Result<(), Failure> {
    let RawArguments { command, .. } = arguments;
    match command {
        RawCommand::Fetch(raw) => fetch::Fetch::new(raw)?.run(console),
        RawCommand::Devices(raw) => devices::run(&raw, console),
    }
}
