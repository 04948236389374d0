//! Where the runs of a comparison are carried out: in this process, or each in one of its own.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
};

use serde::{Deserialize, Serialize};

use crate::{
    claim::Claim,
    error::CompareError,
    experiment::{AxisValues, ExperimentConfig},
    files::write_whole,
    layers::Origins,
    peaks::file_beside,
    result::RunResult,
    run::{ERROR_FILE, RESULT_FILE, RunObserver, RunOptions, read_result, run},
    sources::Resolver,
    subject::titled,
};

/// A run of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRun {
    /// Name of its method in the comparison; empty for the untuned base.
    pub method: String,
    /// The method's name in tables.
    pub label: String,
    /// What it is run for.
    pub kind: RunKind,
    /// The values of the axes; empty without axes.
    pub point: AxisValues,
    /// Its settings, the seed among them.
    pub config: ExperimentConfig,
    /// Its folder; empty while its settings are not known.
    pub folder: PathBuf,
}

/// What a run of a comparison is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    /// The base without training, to compare with.
    Baseline,
    /// A learning rate is tried: a method is trained, and neither tested nor saved.
    Trial,
    /// A method is trained and tested.
    Method,
    /// Runs of a method with several seeds are tested together.
    Ensemble,
}

impl PlannedRun {
    /// The method's name with the values of the axes, such as `prompt tuning, prompt_length 5`.
    pub fn title(&self) -> String {
        let title = titled(&self.label, &self.point);
        match self.kind {
            RunKind::Trial => format!("{title}, trial of {}", self.config.train.learning_rate),
            RunKind::Baseline | RunKind::Method | RunKind::Ensemble => title,
        }
    }
}

/// Something that carries out runs. A run that was begun is gone on with.
pub trait Launcher {
    /// Carries out a run and waits for its end. It should end soon once `claim` is lost: what comes out then counts for
    /// nothing.
    ///
    /// # Errors
    ///
    /// Why it failed, in words.
    fn launch(&mut self, run: &PlannedRun, claim: &Claim) -> Result<RunResult, String>;
}

/// Carries out runs in this process, each to its end. Memory that earlier runs left behind counts towards the peak of
/// later ones.
pub struct InProcess<'a> {
    /// Finds models and devices.
    pub resolver: &'a dyn Resolver,
    /// Where the settings were written, for messages.
    pub origins: &'a Origins,
    /// Who watches.
    pub observer: &'a mut dyn RunObserver,
}

impl Launcher for InProcess<'_> {
    fn launch(&mut self, planned: &PlannedRun, _claim: &Claim) -> Result<RunResult, String> {
        let peaks = file_beside(&planned.folder);
        let options = RunOptions {
            resolver: self.resolver,
            origins: self.origins,
            resume: true,
            untuned: false,
            keep_checkpoints: false,
            peaks: peaks.as_deref(),
        };
        let result = run(&planned.config, &planned.folder, &options, self.observer);
        result.map_err(|error| error.to_string())
    }
}

/// Carries out each run in a process of its own, so that its peak of memory is its own too.
///
/// The process that `command` describes has to call [`run`] on `resolved.toml` in the run's folder, to resume, and to
/// leave its result there. Its standard input is a pipe that ends with this process, be it killed, or when the claim is
/// lost: a child has to read it and to end with it. The other streams are the command's business.
pub struct ChildProcess<F: FnMut(&PlannedRun) -> Command, H: FnMut(&str)> {
    /// The process for a run.
    pub command: F,
    /// Hears each line of its standard error, where the command makes that a pipe.
    pub hear: H,
}

impl<F: FnMut(&PlannedRun) -> Command, H: FnMut(&str)> Launcher for ChildProcess<F, H> {
    fn launch(&mut self, planned: &PlannedRun, claim: &Claim) -> Result<RunResult, String> {
        let error_file = planned.folder.join(ERROR_FILE);
        // Of an earlier try.
        let _ = std::fs::remove_file(&error_file);
        let mut command = (self.command)(planned);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{program} cannot be started: {error}"))?;
        // Waiting would close it.
        if let Some(input) = child.stdin.take() {
            claim.on_loss(move || drop(input));
        }
        if let Some(errors) = child.stderr.take() {
            let lines = BufReader::new(errors).split(b'\n');
            // A pipe that breaks says no more; the process ends by itself.
            for line in lines.map_while(Result::ok) {
                (self.hear)(String::from_utf8_lossy(&line).trim_end());
            }
        }
        let status = child
            .wait()
            .map_err(|error| format!("{program} cannot be waited for: {error}"))?;
        if status.success() {
            let result = read_result(&planned.folder.join(RESULT_FILE));
            return result.map_err(|error: CompareError| error.to_string());
        }
        match std::fs::read_to_string(&error_file) {
            Ok(message) => Err(message.trim_end().to_owned()),
            Err(_) => {
                let message = format!(
                    "its process ended with {status}\nhint: signal 9 without anybody having sent it means that memory ran out"
                );
                if !claim.is_lost() && !is_stopped(status) {
                    // The process could not say so itself; other workers need not try.
                    write_whole(&error_file, format!("{message}\n").as_bytes())
                        .map_err(|error| format!("{message}\n{error}"))?;
                }
                Err(message)
            }
        }
    }
}

/// Whether somebody wanted a process to stop, who may want it to go on later.
#[cfg(unix)]
fn is_stopped(status: ExitStatus) -> bool {
    /// SIGHUP, SIGINT and SIGTERM, the same on every Unix.
    const STOPS: [i32; 3] = [1, 2, 15];
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    signal.is_some_and(|signal| STOPS.contains(&signal))
}

#[cfg(not(unix))]
fn is_stopped(_status: ExitStatus) -> bool {
    false
}
