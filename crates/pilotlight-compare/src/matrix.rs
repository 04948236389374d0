//! Several methods, each with several seeds, on the same task.

use std::path::Path;

use crate::{
    error::CompareError,
    experiment::Comparison,
    files::write_whole,
    finished::FinishedRun,
    launch::{Launcher, PlannedRun, RunKind},
    plan::{Known, Outcome, Plan, plan, settings},
    report::{About, Failure, Report, StoredComparison},
    result::RunResult,
    run::RESOLVED_FILE,
    search::Validation,
    standing::Ended,
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompareOptions {
    /// Whether runs that failed before are done again.
    pub retry: bool,
    /// The command that the user asked for it by, for the report.
    pub command: Option<String>,
}

/// Carries out all runs of a comparison that have not ended yet, and [writes](Report::write) the report on them into
/// `out`.
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
    let about = About::new(comparison, options.command);
    let mut stored = StoredComparison::default();
    loop {
        // What the trials have chosen is known behind them.
        let plan = plan(comparison, out, &known);
        if plan.runs.len() > n_planned {
            observe(&CompareEvent::Plan(&plan));
            n_planned = plan.runs.len();
        }
        let now = StoredComparison::new(&about, &plan);
        if now != stored {
            now.write(out)?;
            stored = now;
        }
        let Some(run) = plan.next(&known).cloned() else {
            break;
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
        let read =
            |result| FinishedRun::read(run.clone(), result).map_err(|error| error.to_string());
        match result.and_then(read) {
            Ok(done) => {
                observe(&CompareEvent::Done {
                    run: &run,
                    result: &done.result,
                });
                let validation = Validation::of(&done.result);
                known.insert(run.folder, Outcome::Finished(validation));
                finished.push(done);
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
    }
    // Trials are not tested.
    finished.retain(|run| run.planned.kind != RunKind::Trial);
    // Among learning rates one may be too high: that is what trials are for.
    let is_chosen = |run: &PlannedRun| stored.chosen.iter().any(|chosen| chosen.is_of(run));
    failed.retain(|(run, _)| run.kind != RunKind::Trial || !is_chosen(run));
    let failures = failed.into_iter().map(|(run, message)| Failure {
        method: run.title(),
        seed: run.config.seed,
        folder: run.folder,
        message,
    });
    let report = Report::new(about, stored.chosen, &finished, failures.collect());
    report.write(&finished, out)?;
    Ok(report)
}

/// Makes the folder of a run with its settings in it.
fn prepare(run: &PlannedRun) -> Result<(), CompareError> {
    let folder = &run.folder;
    std::fs::create_dir_all(folder).map_err(|source| CompareError::file(folder, source))?;
    write_whole(&folder.join(RESOLVED_FILE), settings(run).as_bytes())
}
