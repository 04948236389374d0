//! `pilot devices`: which devices there are.

use clap::Args;
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::{
    console::{Console, Output},
    devices::{Backend, DeviceChoice},
    failure::Failure,
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
}

/// Prints all backends and their devices.
pub(crate) fn run(raw: &RawDevices, console: &Console) -> Result<(), Failure> {
    let rows: Vec<Row> = Backend::ALL.into_iter().rev().flat_map(rows).collect();
    let mut output = Output::open();
    if raw.json {
        output.json(&rows)?;
    } else {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let heading = |text: &str| console.output_style().strong(text);
        table.set_header([heading("device"), heading("hardware"), String::new()]);
        for row in rows {
            let remark = match (row.compiled, &row.device) {
                (false, _) => format!(
                    "not compiled in: build with --features {}",
                    row.backend.name()
                ),
                (true, None) => format!("not found: it needs {}", row.backend.needs()),
                (true, Some(_)) => String::new(),
            };
            table.add_row([
                row.device.unwrap_or_else(|| row.backend.name().to_owned()),
                row.name.unwrap_or_else(|| "-".to_owned()),
                remark,
            ]);
        }
        output.line(&table.trim_fmt())?;
    }
    output.flush()
}

fn rows(backend: Backend) -> Vec<Row> {
    let found = backend.devices().into_iter().enumerate();
    let rows: Vec<Row> = found
        .map(|(index, found)| Row {
            backend,
            compiled: true,
            device: Some(DeviceChoice::Given { backend, index }.to_string()),
            name: Some(found.name),
        })
        .collect();
    if rows.is_empty() {
        return vec![Row {
            backend,
            compiled: backend.is_compiled(),
            device: None,
            name: None,
        }];
    }
    rows
}
