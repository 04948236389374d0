//! Several methods, each with several seeds, on the same task.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::{
    claim::{self, Worker},
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
    turn::{Turn, Turns},
};

/// Between two looks at runs that other workers carry out.
const PAUSE: Duration = Duration::from_secs(5);

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
    /// Another worker has taken over a run that this one carried out, and was not heard of for too long.
    Lost {
        /// The run.
        run: &'a PlannedRun,
    },
    /// Other workers carry out all runs that have not ended.
    Wait {
        /// How many these are.
        n_runs: usize,
    },
}

/// How a comparison is carried out, beyond its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareOptions {
    /// Whether runs that failed before are done again.
    pub retry: bool,
    /// The command that the user asked for it by, for the report.
    pub command: Option<String>,
    /// How long a run stays that of a worker that is not heard of; the same for all workers that share the folder.
    pub claim_lifetime: Duration,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self {
            retry: false,
            command: None,
            claim_lifetime: claim::LIFETIME,
        }
    }
}

/// Carries out all runs of a comparison that have not ended yet, and [writes](Report::write) the report on them into
/// `out`.
///
/// Others may do the same with the same comparison in the same folder, in processes of this or of other machines: each run
/// is done by [one of them](crate::claim), and each of them writes the same report.
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
    let turns = Turns::new(Worker::new(options.claim_lifetime), out, options.retry)?;
    let mut known = Known::default();
    let mut ended: HashMap<PathBuf, Result<FinishedRun, String>> = HashMap::new();
    let (mut n_planned, mut n_awaited) = (0, 0);
    let about = About::new(comparison, options.command);
    let mut stored = StoredComparison::default();
    let plan = loop {
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
        let begin = |run, before| CompareEvent::Run {
            run,
            number: 1 + ended.len(),
            n_runs: plan.n_runs(),
            before,
        };
        let (run, result) = match turns.next(&plan, &known)? {
            Turn::Over => break plan,
            Turn::Wait(n_runs) => {
                if n_runs != n_awaited {
                    observe(&CompareEvent::Wait { n_runs });
                    n_awaited = n_runs;
                }
                thread::sleep(PAUSE.min(options.claim_lifetime / 10));
                continue;
            }
            Turn::Ended(run, before) => {
                observe(&begin(run, Some(before.outcome())));
                (run, before.into_result())
            }
            Turn::Mine(run, claim) => {
                observe(&begin(run, None));
                write_whole(&run.folder.join(RESOLVED_FILE), settings(run).as_bytes())?;
                let result = launcher.launch(run, &claim);
                if claim.is_lost() {
                    observe(&CompareEvent::Lost { run });
                    continue;
                }
                (run, result)
            }
        };
        n_awaited = 0;
        let read =
            |result| FinishedRun::read(run.clone(), result).map_err(|error| error.to_string());
        let result = result.and_then(read);
        let (event, outcome) = match &result {
            Ok(done) => {
                let result = &done.result;
                let outcome = Outcome::Finished(Validation::of(result));
                (CompareEvent::Done { run, result }, outcome)
            }
            Err(message) => (CompareEvent::Failed { run, message }, Outcome::Failed),
        };
        observe(&event);
        known.insert(run.folder.clone(), outcome);
        ended.insert(run.folder.clone(), result);
    };
    let (mut finished, mut failures) = (Vec::new(), Vec::new());
    // In the order of the plan, which is the same for all workers.
    for run in plan.runs {
        let is_trial = run.kind == RunKind::Trial;
        match ended.remove(&run.folder) {
            // Trials are not tested.
            Some(Ok(done)) if !is_trial => finished.push(done),
            // Among learning rates one may be too high: that is what trials are for.
            Some(Err(message)) if !is_trial || !stored.chosen.iter().any(|it| it.is_of(&run)) => {
                failures.push(Failure {
                    method: run.title(),
                    seed: run.config.seed,
                    folder: run.folder,
                    message,
                });
            }
            _ => {}
        }
    }
    let report = Report::new(about, stored.chosen, &finished, failures);
    report.write(&finished, out)?;
    Ok(report)
}
