//! `pilot data`: what becomes of records.

mod show;

use clap::{Args, Subcommand};

use crate::{console::Console, devices::DeviceList, failure::Failure};

/// Look at the data of an experiment
#[derive(Debug, Args)]
pub(crate) struct RawData {
    #[command(subcommand)]
    command: RawDataCommand,
}

#[derive(Debug, Subcommand)]
enum RawDataCommand {
    Show(show::RawShow),
}

/// Does what was asked.
pub(crate) fn run(
    raw: &RawData,
    device: Option<DeviceList>,
    console: &Console,
) -> Result<(), Failure> {
    match &raw.command {
        RawDataCommand::Show(raw) => show::Show::new(raw, device)?.run(console),
    }
}
