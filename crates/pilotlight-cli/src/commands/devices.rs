//! `pilot devices`: which devices there are.

use clap::Args;
use pilotlight_compare::Precision;
use serde::Serialize;

use crate::{
    console::{Console, Output},
    devices::Backend,
    failure::Failure,
    grid::grid,
};

/// List the devices that `--device` can name
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pilot devices\n  pilot devices --json | jq -r '.[].device'")]
pub(crate) struct RawDevices {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A backend and, where one was found, a device of it.
#[derive(Serialize)]
struct Row {
    backend: Backend,
    compiled: bool,
    device: Option<String>,
    name: Option<String>,
    memory_bytes: Option<u64>,
    dtypes: Vec<Precision>,
}

/// Prints all backends and their devices.
pub(crate) fn run(raw: &RawDevices, console: &Console) -> Result<(), Failure> {
    let rows: Vec<Row> = Backend::ALL.into_iter().rev().flat_map(rows).collect();
    let mut output = Output::open();
    match raw.json {
        true => output.json(&rows)?,
        false => output.line(&table(&rows, console))?,
    }
    output.flush()
}

fn rows(backend: Backend) -> Vec<Row> {
    let found = backend.devices().map(|found| Row {
        backend,
        compiled: true,
        device: Some(found.choice.to_string()),
        name: Some(found.name),
        memory_bytes: found.memory_bytes,
        dtypes: found.dtypes,
    });
    let rows: Vec<Row> = found.collect();
    if rows.is_empty() {
        return vec![Row {
            backend,
            compiled: backend.is_compiled(),
            device: None,
            name: None,
            memory_bytes: None,
            dtypes: Vec::new(),
        }];
    }
    rows
}

fn table(rows: &[Row], console: &Console) -> String {
    let titles = ["device", "hardware", "memory", "computes in", ""].map(|title| (title, false));
    let cells = rows.iter().map(|row| {
        let remark = match (row.compiled, &row.device) {
            (false, _) => format!(
                "not compiled in: build with --features {}",
                row.backend.name()
            ),
            (true, None) => format!("not found: it needs {}", row.backend.needs()),
            (true, Some(_)) => String::new(),
        };
        let dtypes: Vec<String> = row.dtypes.iter().map(Precision::to_string).collect();
        let memory = row.memory_bytes.map(gibibytes);
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        vec![
            or_dash(
                row.device
                    .clone()
                    .or_else(|| Some(row.backend.name().to_owned())),
            ),
            or_dash(row.name.clone()),
            or_dash(memory),
            or_dash(Some(dtypes.join(", ")).filter(|dtypes| !dtypes.is_empty())),
            remark,
        ]
    });
    grid(&titles, cells.collect(), console.output_style())
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}
