//! One file a command: its raw arguments as they are typed, its validated ones, and what it does with them.

mod bench;
mod compare;
mod data;
mod devices;
mod eval;
mod fetch;
mod generate;
mod import;
mod inspect;
mod merge;
mod predict;
mod prompt;
mod report;
mod score;
mod train;

use clap::Subcommand;

use crate::{
    arguments::RawArguments,
    console::Console,
    devices::{DeviceChoice, DeviceList},
    failure::Failure,
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum RawCommand {
    Compare(compare::RawCompare),
    Bench(bench::RawBench),
    Report(report::RawReport),
    Train(train::RawTrain),
    Eval(eval::RawEval),
    Predict(predict::RawPredict),
    Score(score::RawScore),
    Generate(generate::RawGenerate),
    Prompt(prompt::RawPrompt),
    Merge(merge::RawMerge),
    Inspect(inspect::RawInspect),
    Data(data::RawData),
    Import(import::RawImport),
    Fetch(fetch::RawFetch),
    Devices(devices::RawDevices),
}

/// Does what was asked.
pub(crate) fn run(arguments: RawArguments, console: &Console) -> Result<(), Failure> {
    let RawArguments { global, command } = arguments;
    let given = match command {
        // It takes several, one after the other.
        RawCommand::Bench(_) => None,
        RawCommand::Compare(_) | RawCommand::Train(_) => global.devices()?,
        _ => global.device()?.map(DeviceList::from),
    };
    let device = given.as_ref().map_or(DeviceChoice::Auto, |it| it.first);
    match command {
        RawCommand::Compare(raw) => compare::Compare::new(&raw, given)?.run(console),
        RawCommand::Bench(raw) => bench::run(raw, &global.device, console),
        RawCommand::Report(raw) => report::run(raw, console),
        RawCommand::Train(raw) => train::Train::new(raw, given)?.run(console),
        RawCommand::Eval(raw) => eval::Eval::new(&raw, given)?.run(console),
        RawCommand::Predict(raw) => predict::Predict::new(&raw, device, console)?.run(console),
        RawCommand::Score(raw) => score::Score::new(&raw, device, console)?.run(console),
        RawCommand::Generate(raw) => generate::Generate::new(&raw, device, console)?.run(),
        RawCommand::Prompt(raw) => prompt::run(raw, device, console),
        RawCommand::Merge(raw) => merge::Merge::new(raw)?.run(device, console),
        RawCommand::Inspect(raw) => inspect::Inspect::new(raw, device, console)?.run(console),
        RawCommand::Data(raw) => data::run(&raw, given, console),
        RawCommand::Import(raw) => import::Import::new(raw)?.run(console),
        RawCommand::Fetch(raw) => fetch::Fetch::new(raw)?.run(console),
        RawCommand::Devices(raw) => devices::run(&raw, console),
    }
}
