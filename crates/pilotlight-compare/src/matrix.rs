//! Several methods, each with several seeds, on the same task.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    error::CompareError,
    experiment::{Axis, Comparison},
    figure::{FIGURE_FILE, accuracy_figure, has_figure, subject},
    launch::{Launcher, PlannedRun, RunKind},
    plan::{Known, Outcome, Plan, plan, settings},
    result::RunResult,
    run::RESOLVED_FILE,
    search::{self, Chosen, Validation},
    standing::Ended,
    table::Table,
};

/// What a comparison is doing.
#[derive(Debug)]
#[non_exhaustive]
pub enum CompareEvent<'a> {
    /// What is to be run, as far as it is known; it comes again whenever more is.
    Plan(&'a Plan),
    /// A run begins, or is found to have ended before.
    Run {
        /// The run.
        run: &'a PlannedRun,
        /// Its number, from 1.
        number: usize,
        /// Number of runs.
        n_runs: usize,
        /// How it ended before, if it did.
        before: Option<Outcome>,
    },
    /// A run is done.
    Done {
        /// The run.
        run: &'a PlannedRun,
        /// What came out.
        result: &'a RunResult,
    },
    /// A run failed, now or before; the others go on.
    Failed {
        /// The run.
        run: &'a PlannedRun,
        /// Why.
        message: &'a str,
    },
}

/// How a comparison is carried out, beyond its settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CompareOptions {
    /// Whether runs that failed before are done again.
    pub retry: bool,
}

/// What came out of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Name of the preset or file.
    pub name: String,
    /// The model and the data in a few words; empty in reports of older versions.
    #[serde(default)]
    pub subject: String,
    /// The settings that have several values.
    #[serde(default)]
    pub axes: Vec<Axis>,
    /// How the methods were treated alike, a sentence each.
    #[serde(default)]
    pub protocol: Vec<String>,
    /// The table.
    pub table: Table,
    /// The learning rates that were tried and chosen.
    #[serde(default)]
    pub chosen: Vec<Chosen>,
    /// The runs that failed.
    pub failures: Vec<Failure>,
}

/// A run that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Name of its method.
    pub method: String,
    /// Its seed.
    pub seed: u64,
    /// Its folder.
    pub folder: PathBuf,
    /// Why it failed.
    pub message: String,
}

/// A run that is finished.
#[derive(Debug, Clone, PartialEq)]
pub struct FinishedRun {
    /// The run.
    pub planned: PlannedRun,
    /// What came out.
    pub result: RunResult,
}

/// Carries out all runs of a comparison that have not ended yet, and writes `report.md`, `accuracy.svg`, `table.csv` and
/// `report.json` into `out`; the picture where a method has an accuracy.
///
/// A run that fails does not keep the others from being done; it is reported at the end. One that failed before is
/// reported again, and done again only if `options` say so; a trial that failed is reported where all of them did.
///
/// # Errors
///
/// If the folder cannot be written. What keeps a single run from being done is part of the report.
pub fn compare(
    comparison: &Comparison,
    out: &Path,
    options: CompareOptions,
    launcher: &mut dyn Launcher,
    observe: &mut dyn FnMut(&CompareEvent<'_>),
) -> Result<Report, CompareError> {
    let mut known = Known::default();
    let mut finished: Vec<FinishedRun> = Vec::new();
    let mut failed: Vec<(PlannedRun, String)> = Vec::new();
    let mut n_planned = 0;
    let chosen = loop {
        // What the trials have chosen is known behind them.
        let plan = plan(comparison, out, &known);
        if plan.runs.len() > n_planned {
            observe(&CompareEvent::Plan(&plan));
            n_planned = plan.runs.len();
        }
        let Some(run) = plan.next(&known).cloned() else {
            break plan.chosen;
        };
        let before = match Ended::read(&run.folder)? {
            Some(Ended::Failed(_)) if options.retry => None,
            before => before,
        };
        observe(&CompareEvent::Run {
            run: &run,
            number: 1 + finished.len() + failed.len(),
            n_runs: plan.n_runs(),
            before: before.as_ref().map(Ended::outcome),
        });
        let result = match before {
            Some(Ended::Finished(result)) => Ok(*result),
            Some(Ended::Failed(message)) => Err(message),
            None => {
                prepare(&run)?;
                launcher.launch(&run)
            }
        };
        match result {
            Ok(result) => {
                observe(&CompareEvent::Done {
                    run: &run,
                    result: &result,
                });
                let validation = Validation::of(&result);
                known.insert(run.folder.clone(), Outcome::Finished(validation));
                finished.push(FinishedRun {
                    planned: run,
                    result,
                });
            }
            Err(message) => {
                observe(&CompareEvent::Failed {
                    run: &run,
                    message: &message,
                });
                known.insert(run.folder.clone(), Outcome::Failed);
                failed.push((run, message));
            }
        }
    };
    // Trials are not tested.
    finished.retain(|run| run.planned.kind != RunKind::Trial);
    // Among learning rates one may be too high: that is what trials are for.
    failed.retain(|(run, _)| run.kind != RunKind::Trial || !chosen.iter().any(|it| it.is_of(run)));
    let failures = failed.into_iter().map(|(run, message)| Failure {
        method: run.title(),
        seed: run.config.seed,
        folder: run.folder,
        message,
    });
    let report = Report {
        name: comparison.name.clone(),
        subject: subject(comparison),
        axes: comparison.axes.clone(),
        protocol: comparison.protocol(),
        table: Table::of_runs(&finished)?,
        chosen,
        failures: failures.collect(),
    };
    write_report(&report, &finished, out)?;
    Ok(report)
}

/// Makes the folder of a run with its settings in it.
fn prepare(run: &PlannedRun) -> Result<(), CompareError> {
    let folder = &run.folder;
    std::fs::create_dir_all(folder).map_err(|source| CompareError::file(folder, source))?;
    write(&folder.join(RESOLVED_FILE), &settings(run))
}

/// Writes all files of a report; `_runs` are the finished runs that it is about.
fn write_report(report: &Report, _runs: &[FinishedRun], out: &Path) -> Result<(), CompareError> {
    let csv = report.table.to_csv();
    let json = serde_json::to_string_pretty(report)
        .map_err(|error| CompareError::file(out, error.into()))?;
    write(&out.join("report.md"), &report.to_markdown())?;
    write(&out.join("table.csv"), &csv)?;
    write(&out.join("report.json"), &(json + "\n"))?;
    let path = out.join(FIGURE_FILE);
    match accuracy_figure(report)? {
        Some(figure) => write(&path, &figure),
        // That of an earlier comparison would contradict the report.
        None => match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(CompareError::file(path, error))
            }
            _ => Ok(()),
        },
    }
}

/// Writes a file as a whole: beside its place, synced and renamed.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), CompareError> {
    use std::io::Write as _;
    let folder = path.parent().unwrap_or(Path::new(""));
    let write = || {
        std::fs::create_dir_all(folder)?;
        let mut builder = tempfile::Builder::new();
        // Temporary files are private by default; this one becomes an ordinary one, within the user's umask.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source| CompareError::file(path, source))
}

impl Report {
    /// The report as a Markdown document.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n\n{}", self.name, self.table.to_markdown());
        for sentence in &self.protocol {
            text += &format!("\n{sentence}\n");
        }
        if has_figure(&self.table) {
            text += &format!(
                "\n![Test accuracy against the share of trained parameters]({FIGURE_FILE})\n"
            );
        }
        text += &search::to_markdown(&self.chosen);
        if !self.failures.is_empty() {
            text += "\n## Failed runs\n";
        }
        for failure in &self.failures {
            text += &format!(
                "\n**{}, seed {}** ({}):\n\n```text\n{}\n```\n",
                failure.method,
                failure.seed,
                failure.folder.display(),
                failure.message
            );
        }
        text
    }
}

/// Finished runs that differ in nothing but their seeds, with the name of their method, in the order of the first.
pub(crate) fn by_method(runs: &[FinishedRun]) -> Vec<(&str, Vec<&FinishedRun>)> {
    let mut groups: Vec<(&str, Vec<&FinishedRun>)> = Vec::new();
    for run in runs {
        let planned = &run.planned;
        let same = |(method, group): &&mut (&str, Vec<&FinishedRun>)| {
            let first = &group[0].planned;
            *method == planned.method
                && first.label == planned.label
                && first.point == planned.point
        };
        match groups.iter_mut().find(same) {
            Some((_, group)) => group.push(run),
            None => groups.push((&planned.method, vec![run])),
        }
    }
    groups
}
