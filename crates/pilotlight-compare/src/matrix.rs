//! Several methods, each with several seeds, on the same task.

use std::path::{Path, PathBuf};

use pilotlight_tuners::TunerConfig;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    error::CompareError,
    experiment::{Axis, AxisValues, Comparison, Point},
    figure::{FIGURE_FILE, accuracy_figure, has_figure, subject},
    launch::{Launcher, PlannedRun, RunKind},
    result::RunResult,
    run::{RESOLVED_FILE, read_result},
    table::Table,
};

/// Folder of all runs inside that of a comparison.
pub const RUNS_FOLDER: &str = "runs";

/// What a comparison is doing.
#[derive(Debug)]
#[non_exhaustive]
pub enum CompareEvent<'a> {
    /// A run begins, or is found to be finished.
    Run {
        /// The run.
        run: &'a PlannedRun,
        /// Its number, from 1.
        number: usize,
        /// Number of runs.
        n_runs: usize,
        /// Whether it was finished before.
        is_finished: bool,
    },
    /// A run is done.
    Done {
        /// The run.
        run: &'a PlannedRun,
        /// What came out.
        result: &'a RunResult,
    },
    /// A run failed; the others go on.
    Failed {
        /// The run.
        run: &'a PlannedRun,
        /// Why.
        message: &'a str,
    },
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
    /// The table.
    pub table: Table,
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

/// The runs of a comparison: the untuned base first, then every method with the first seed, with the second, and so
/// on, so that what is done first is a table already.
///
/// All runs have the same data: those that the first seed draws, unless `data.seed` says otherwise.
pub fn plan(comparison: &Comparison, out: &Path) -> Vec<PlannedRun> {
    let first_seed = comparison.seeds.first().copied().unwrap_or_default();
    let mut runs = Vec::new();
    let mut add = |method: &str, label: &str, kind, point: &Point| {
        let mut run = PlannedRun {
            method: method.to_owned(),
            label: label.to_owned(),
            kind,
            point: point.values.clone(),
            config: point.config.clone(),
            folder: PathBuf::new(),
        };
        run.folder = out.join(RUNS_FOLDER).join(folder_name(&run));
        runs.push(run);
    };
    if let Some(method) = comparison.methods.values().next() {
        let mut config = method.first().clone();
        config.tuner = TunerConfig::default();
        config.base.train = Vec::new();
        config.base.save = None;
        config.train = pilotlight_train::TrainConfig {
            eval_batch_size: config.train.eval_batch_size,
            ..pilotlight_train::TrainConfig::default()
        };
        config.report.test_only = true;
        config.seed = first_seed;
        config.data.seed.get_or_insert(first_seed);
        if config.base.init == crate::BaseInit::Pretrained {
            let values = AxisValues::new();
            let point = Point { values, config };
            add("", "untuned", RunKind::Baseline, &point);
        }
    }
    for seed in &comparison.seeds {
        for (name, method) in &comparison.methods {
            for point in &method.points {
                let mut point = point.clone();
                point.config.seed = *seed;
                point.config.data.seed.get_or_insert(first_seed);
                add(name, &method.label, RunKind::Method, &point);
            }
        }
    }
    runs
}

/// Carries out all runs of a comparison that are not finished yet, and writes `report.md`, `accuracy.svg`,
/// `table.csv` and `report.json` into `out`; the picture where a method has an accuracy.
///
/// A run that fails does not keep the others from being done; it is reported at the end.
///
/// # Errors
///
/// If the folder cannot be written. What keeps a single run from being done is part of the report.
pub fn compare(
    comparison: &Comparison,
    out: &Path,
    launcher: &mut dyn Launcher,
    observe: &mut dyn FnMut(&CompareEvent<'_>),
) -> Result<Report, CompareError> {
    let runs = plan(comparison, out);
    let n_runs = runs.len();
    let mut finished = Vec::new();
    let mut failures = Vec::new();
    for (index, run) in runs.into_iter().enumerate() {
        let before = prepare(&run)?;
        observe(&CompareEvent::Run {
            run: &run,
            number: index + 1,
            n_runs,
            is_finished: before.is_some(),
        });
        let result = match before {
            Some(result) => Ok(result),
            None => launcher.launch(&run),
        };
        match result {
            Ok(result) => {
                observe(&CompareEvent::Done {
                    run: &run,
                    result: &result,
                });
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
                failures.push(Failure {
                    method: run.label,
                    seed: run.config.seed,
                    folder: run.folder,
                    message,
                });
            }
        }
    }
    let report = Report {
        name: comparison.name.clone(),
        subject: subject(comparison),
        axes: comparison.axes.clone(),
        table: Table::of_runs(&finished)?,
        failures,
    };
    write_report(&report, &finished, out)?;
    Ok(report)
}

/// Makes the folder of a run with its settings in it; a result that is there already is returned.
fn prepare(run: &PlannedRun) -> Result<Option<RunResult>, CompareError> {
    let result = run.folder.join("result.json");
    if result.exists() {
        // The folder's name holds a hash of the settings: they are the same.
        return read_result(&result).map(Some);
    }
    let folder = &run.folder;
    std::fs::create_dir_all(folder).map_err(|source| CompareError::file(folder, source))?;
    write(&folder.join(RESOLVED_FILE), &settings(run))?;
    Ok(None)
}

fn settings(run: &PlannedRun) -> String {
    // What cannot be written as TOML (a path that is not Unicode) is told by the run itself.
    toml::to_string(&run.config).unwrap_or_default()
}

/// `METHOD-seedN-HASH`: to be read by people, and different for different settings.
fn folder_name(run: &PlannedRun) -> String {
    let digest = Sha256::digest(settings(run).as_bytes());
    let hash: String = digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let method: String = match run.method.as_str() {
        "" => "untuned".into(),
        method => method
            .chars()
            .map(|character| if is_plain(character) { character } else { '-' })
            .collect(),
    };
    format!("{method}-seed{}-{hash}", run.config.seed)
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
        if has_figure(&self.table) {
            text += &format!(
                "\n![Test accuracy against the share of trained parameters]({FIGURE_FILE})\n"
            );
        }
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
            *method == planned.method && group[0].planned.point == planned.point
        };
        match groups.iter_mut().find(same) {
            Some((_, group)) => group.push(run),
            None => groups.push((&planned.method, vec![run])),
        }
    }
    groups
}
