//! Reports made again, from what comparisons and runs left in their folders.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{About, Failure, Report, apart};
use crate::{
    error::CompareError,
    experiment::{Axis, AxisValues, ExperimentConfig},
    files::write_whole,
    finished::FinishedRun,
    launch::{PlannedRun, RunKind},
    plan::{Plan, RUNS_FOLDER},
    run::{ERROR_FILE, RESOLVED_FILE, RESULT_FILE, read_result},
    search::Chosen,
};

/// What a comparison is about and which runs are part of it, in its folder.
pub const COMPARISON_FILE: &str = "comparison.json";

/// What stands in [`COMPARISON_FILE`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredComparison {
    /// What it is about.
    pub about: About,
    /// The learning rates that were tried and chosen so far.
    #[serde(default)]
    pub chosen: Vec<Chosen>,
    /// Its runs as far as they are known, trials left out.
    pub runs: Vec<StoredRun>,
}

/// A run of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredRun {
    /// Name of its folder among those of the runs.
    pub folder: PathBuf,
    /// Name of its method in the comparison; empty for a baseline.
    pub method: String,
    /// The method's name in tables.
    pub label: String,
    /// What it is run for.
    pub kind: RunKind,
    /// Its values of the axes.
    pub point: AxisValues,
}

impl StoredComparison {
    pub(crate) fn new(about: &About, plan: &Plan) -> Self {
        let run = |run: &PlannedRun| StoredRun {
            folder: run.folder.file_name().unwrap_or_default().into(),
            method: run.method.clone(),
            label: run.label.clone(),
            kind: run.kind,
            point: run.point.clone(),
        };
        let runs = plan.runs.iter().filter(|run| run.kind != RunKind::Trial);
        Self {
            about: about.clone(),
            chosen: plan.chosen.clone(),
            runs: runs.map(run).collect(),
        }
    }

    /// Writes it into the folder of the comparison.
    pub(crate) fn write(&self, out: &Path) -> Result<(), CompareError> {
        let path = out.join(COMPARISON_FILE);
        let json = serde_json::to_vec_pretty(self)
            .map_err(|error| CompareError::file(&path, error.into()))?;
        write_whole(&path, &json)
    }
}

/// What was found in folders.
#[derive(Debug)]
pub struct Found {
    /// The report on the runs that could be read.
    pub report: Report,
    /// These runs.
    pub runs: Vec<FinishedRun>,
    /// What could not be read.
    pub damages: Vec<CompareError>,
}

impl Report {
    /// The report on the runs in these folders, each of them that of a comparison, of runs, or of a run.
    ///
    /// A run that lies in several folders counts once. Runs of the same method whose settings differ in more than the seed
    /// are told apart.
    ///
    /// # Errors
    ///
    /// If a folder holds no runs, or none that is finished and whole.
    pub fn read(folders: &[PathBuf]) -> Result<Found, CompareError> {
        let mut reader = Reader::default();
        for folder in folders {
            reader.look_into(folder)?;
        }
        reader.found(folders)
    }
}

/// A run that may lie in several folders.
struct Candidate {
    run: StoredRun,
    folders: Vec<PathBuf>,
}

#[derive(Default)]
struct Reader {
    about: Option<About>,
    chosen: Vec<Chosen>,
    candidates: Vec<Candidate>,
    damages: Vec<CompareError>,
}

impl Reader {
    fn look_into(&mut self, folder: &Path) -> Result<(), CompareError> {
        let n_before = (self.candidates.len(), self.damages.len());
        let path = folder.join(COMPARISON_FILE);
        match path.exists().then(|| read_comparison(&path)) {
            Some(Ok(comparison)) => {
                for run in comparison.runs {
                    // Nothing outside of the folder is meant.
                    let name = run.folder.file_name().unwrap_or_default().to_owned();
                    let of_run = folder.join(RUNS_FOLDER).join(name);
                    self.add(run, of_run);
                }
                self.add_about(comparison.about);
                let new = comparison.chosen.into_iter();
                let new = new.filter(|chosen| !self.chosen.contains(chosen));
                self.chosen.extend(new.collect::<Vec<_>>());
                return Ok(());
            }
            Some(Err(damage)) => self.damages.push(damage),
            None => {}
        }
        if folder.join(RESOLVED_FILE).exists() {
            self.add_run(folder);
            return Ok(());
        }
        let runs = folder.join(RUNS_FOLDER);
        let runs = if runs.is_dir() {
            runs
        } else {
            folder.to_owned()
        };
        let entries = std::fs::read_dir(&runs).map_err(|error| CompareError::file(&runs, error))?;
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        paths.sort();
        for path in paths
            .iter()
            .filter(|path| path.join(RESOLVED_FILE).exists())
        {
            self.add_run(path);
        }
        match (self.candidates.len(), self.damages.len()) == n_before {
            true => Err(CompareError::NoRuns {
                folder: folder.to_owned(),
            }),
            false => Ok(()),
        }
    }

    fn add_about(&mut self, about: About) {
        let Some(known) = &mut self.about else {
            self.about = Some(about);
            return;
        };
        for axis in about.axes {
            match known.axes.iter_mut().find(|other| other.key == axis.key) {
                Some(other) => add_values(other, axis),
                None => known.axes.push(axis),
            }
        }
        if known.name != about.name {
            known.name = format!("{}, {}", known.name, about.name);
        }
        if known.subject != about.subject {
            known.subject = format!("{}, {}", known.subject, about.subject);
        }
        for sentence in about.protocol {
            if !known.protocol.contains(&sentence) {
                known.protocol.push(sentence);
            }
        }
        let commands = [known.command.take(), about.command];
        let mut commands: Vec<String> = commands.into_iter().flatten().collect();
        commands.dedup();
        known.command = (!commands.is_empty()).then(|| commands.join("\n"));
    }

    /// A run that no comparison speaks of: its folder is its name.
    fn add_run(&mut self, folder: &Path) {
        let path = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let label = match name.rsplit_once("-seed") {
            Some((method, _)) if !method.is_empty() => method.to_owned(),
            _ => name.clone(),
        };
        let run = StoredRun {
            folder: name.into(),
            method: label.clone(),
            label,
            kind: RunKind::Method,
            point: AxisValues::new(),
        };
        self.candidates.push(Candidate {
            run,
            folders: vec![folder.to_owned()],
        });
    }

    fn add(&mut self, run: StoredRun, folder: PathBuf) {
        match self.candidates.iter_mut().find(|known| known.run == run) {
            Some(known) => known.folders.push(folder),
            None => self.candidates.push(Candidate {
                run,
                folders: vec![folder],
            }),
        }
    }

    fn found(mut self, folders: &[PathBuf]) -> Result<Found, CompareError> {
        let mut runs: Vec<FinishedRun> = Vec::new();
        let mut failures = Vec::new();
        for candidate in &self.candidates {
            match candidate.read(&mut self.damages) {
                Some(Ok(run)) => runs.push(run),
                Some(Err(failure)) => failures.push(failure),
                None => {}
            }
        }
        if runs.is_empty() {
            return Err(self
                .damages
                .into_iter()
                .next()
                .unwrap_or_else(|| CompareError::NoRuns {
                    folder: folders.first().cloned().unwrap_or_default(),
                }));
        }
        apart::tell_apart(&mut runs);
        let about = self.about.unwrap_or_else(|| About {
            name: folders
                .first()
                .and_then(|folder| folder.file_name())
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            ..About::default()
        });
        Ok(Found {
            report: Report::new(about, self.chosen, &runs, failures),
            runs,
            damages: self.damages,
        })
    }
}

impl Candidate {
    /// The run out of the first folder in which it is finished and whole; why there is none.
    fn read(&self, damages: &mut Vec<CompareError>) -> Option<Result<FinishedRun, Failure>> {
        let mut failure = None;
        for folder in &self.folders {
            match self.read_from(folder) {
                Ok(Ok(run)) => return Some(Ok(run)),
                Ok(Err(found)) => failure = failure.or(Some(found)),
                Err(damage) => damages.push(damage),
            }
        }
        failure.map(Err)
    }

    fn read_from(&self, folder: &Path) -> Result<Result<FinishedRun, Failure>, CompareError> {
        let failed = |seed, message: String| Failure {
            method: self.run.label.clone(),
            seed,
            folder: folder.to_owned(),
            message,
        };
        let resolved = folder.join(RESOLVED_FILE);
        if !resolved.exists() {
            return Ok(Err(failed(0, "it was not begun".into())));
        }
        let text = std::fs::read_to_string(&resolved)
            .map_err(|error| CompareError::file(&resolved, error))?;
        let config: ExperimentConfig =
            toml::from_str(&text).map_err(|error| CompareError::Content {
                path: resolved,
                message: format!("is not the settings of a run: {error}"),
                hint: "remove the folder of the run and run it again".into(),
            })?;
        let result = folder.join(RESULT_FILE);
        if !result.exists() {
            let message = std::fs::read_to_string(folder.join(ERROR_FILE));
            let message = message.map(|message| message.trim_end().to_owned());
            let message = message.unwrap_or_else(|_| "it is not finished".into());
            return Ok(Err(failed(config.seed, message)));
        }
        let result = read_result(&result)?;
        let StoredRun {
            method,
            label,
            kind,
            point,
            ..
        } = self.run.clone();
        let planned = PlannedRun {
            method,
            label,
            kind: match kind {
                // Where no comparison says what a run is for, its settings do.
                RunKind::Method if config.ensemble.is_some() => RunKind::Ensemble,
                RunKind::Method if config.report.test_only => RunKind::Baseline,
                kind => kind,
            },
            point,
            config,
            folder: folder.to_owned(),
        };
        FinishedRun::read(planned, result).map(Ok)
    }
}

fn add_values(known: &mut Axis, other: Axis) {
    let new = other
        .values
        .into_iter()
        .filter(|value| !known.values.contains(value));
    let new: Vec<toml::Value> = new.collect();
    known.values.extend(new);
}

fn read_comparison(path: &Path) -> Result<StoredComparison, CompareError> {
    let bytes = std::fs::read(path).map_err(|error| CompareError::file(path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| CompareError::Content {
        path: path.to_owned(),
        message: format!("is not what `pilot compare` writes: {error}"),
        hint: "remove it; the runs beside it are then taken for all there are".into(),
    })
}
