//! `pilot bench`: what a training step costs, by method and device.

mod child;
mod plan;
mod raw;

use std::{env, thread};

use pilotlight_compare::{
    TextTable,
    bench::{BenchDocument, BenchRow, Outcome, Ratios},
    statistics::Bootstrap,
};
use serde::Serialize;

pub(crate) use raw::RawBench;

use crate::{
    console::{Console, Output},
    devices::DeviceChoice,
    failure::Failure,
    grid::grid,
};
use child::Children;
use plan::Plan;
use raw::Asked;

/// The bootstrap of the ratios of two documents.
const BOOTSTRAP: Bootstrap = Bootstrap {
    resamples: 10_000,
    confidence: 0.95,
    seed: 1,
};

/// Does what was asked.
pub(crate) fn run(
    raw: RawBench,
    devices: &[DeviceChoice],
    console: &Console,
) -> Result<(), Failure> {
    match raw.asked() {
        Asked::Child => child::serve(console),
        Asked::Compare {
            first,
            second,
            json,
        } => {
            let (of_first, of_second) =
                (BenchDocument::read(&first)?, BenchDocument::read(&second)?);
            let name = |path: &std::path::Path| path.display().to_string();
            let ratios = Ratios::of(
                (&name(&first), &of_first),
                (&name(&second), &of_second),
                &BOOTSTRAP,
            )?;
            print(&ratios, ratios.table(), json, console)
        }
        Asked::Measure(asked) => {
            let plan = Plan::new(&asked, devices, console)?;
            if let Some(folder) = &asked.out {
                // Found out before and not after the measuring.
                fs_err::create_dir_all(folder).map_err(|error| {
                    Failure::input(error).hint("name a folder that can be written to by `--out`")
                })?;
            }
            let document = measure(&plan, console)?;
            print(&document, document.table(), asked.json, console)?;
            if let Some(folder) = &asked.out {
                document.save(folder)?;
                console.note(&format!("written to {}", folder.display()));
            }
            match failures(&document) {
                0 => Ok(()),
                n_failed => Err(Failure::run(format!(
                    "{n_failed} of {} measurements failed",
                    document.rows.len()
                ))
                .hint("where memory ran out, a smaller --batch or --tokens needs less")),
            }
        }
    }
}

fn failures(document: &BenchDocument) -> usize {
    let failed = |row: &&BenchRow| row.measured().is_none();
    document.rows.iter().filter(failed).count()
}

fn measure(plan: &Plan, console: &Console) -> Result<BenchDocument, Failure> {
    let children = Children::new(console)?;
    let mut rows = Vec::new();
    for place in &plan.places {
        console.note(&format!(
            "{}: the fastest matrix product in {}",
            place.choice, place.dtype
        ));
        let peak = match children.peak(place) {
            Ok(peak) => Some(peak),
            Err(problem) => {
                console.warn(&format!("it could not be measured: {problem}"));
                None
            }
        };
        for settings in &place.settings {
            let number = rows.len() + 1;
            let title = format!("[{number}/{}] {settings}", plan.n_rows());
            console.note(&console.error_style().strong(&title));
            let outcome = match children.step(settings, plan.n_warm_up, plan.n_steps) {
                Ok(mut measured) => {
                    measured.peak_operations_per_second = peak;
                    Outcome::Measured(measured)
                }
                Err(problem) => {
                    console.warn(&format!("it failed: {problem}"));
                    Outcome::Failed(problem)
                }
            };
            rows.push(BenchRow {
                settings: settings.clone(),
                hardware: place.hardware.clone(),
                outcome,
            });
        }
    }
    let program = format!("pilot {}", env!("CARGO_PKG_VERSION"));
    Ok(BenchDocument::new(program, machine(), rows))
}

fn machine() -> String {
    let n_threads = thread::available_parallelism().map_or(1, usize::from);
    let (system, processor) = (env::consts::OS, env::consts::ARCH);
    format!("{system}, {processor}, {n_threads} threads")
}

fn print(
    value: &impl Serialize,
    table: TextTable,
    json: bool,
    console: &Console,
) -> Result<(), Failure> {
    let mut output = Output::open();
    if json {
        output.json(value)?;
        return output.flush();
    }
    output.line(&grid(&table.titles, table.cells, console.output_style()))?;
    for note in table.notes {
        output.line("")?;
        output.line(&note)?;
    }
    output.flush()
}
