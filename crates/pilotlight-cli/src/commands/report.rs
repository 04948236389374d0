//! `pilot report`: the report on runs that are there already.

use std::path::PathBuf;

use clap::Args;
use pilotlight_compare::{Report, report::Found};

use crate::{console::Console, failure::Failure, results};

/// Make the report on finished runs again, of one comparison or of several
#[derive(Debug, Args)]
#[command(after_help = "\
A folder is that of a comparison, of runs, or of one run. Runs that lie in several folders, because a comparison was \
shared out among machines, count once. The report is report.html, report.md, figures/, results.csv, results.json and \
table.tex.

Examples:
  pilot report runs/default
  pilot report machine-1/runs machine-2/runs --out runs/merged
  pilot report runs/first runs/second --out runs/side-by-side")]
pub(crate) struct RawReport {
    /// Folders of comparisons or of runs
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Where the report goes [default: the folder, if it is one]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(raw: RawReport, console: &Console) -> Result<(), Failure> {
    let out = match (raw.out, raw.folders.as_slice()) {
        (Some(out), _) => out,
        (None, [folder]) => folder.clone(),
        (None, _) => {
            return Err(
                Failure::input("the report on several folders needs a place")
                    .hint("name a folder by `--out DIR`"),
            );
        }
    };
    let Found {
        report,
        runs,
        damages,
    } = Report::read(&raw.folders)?;
    report.write(&runs, &out)?;
    results::report(&report, raw.json, console)?;
    console.note(&format!("written to {}", out.display()));
    for failure in &report.failures {
        console.warn(&format!(
            "left out: {}, seed {} ({}): {}",
            failure.method,
            failure.seed,
            failure.folder.display(),
            failure.message
        ));
    }
    if damages.is_empty() {
        return Ok(());
    }
    let messages: Vec<String> = damages.iter().map(ToString::to_string).collect();
    Err(Failure::input(format!(
        "the report lacks what could not be read:\n{}",
        messages.join("\n")
    )))
}
