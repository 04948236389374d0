//! Whose turn it is: what one worker does next, among others that share the folder.

use std::{fs, io, path::Path, time::SystemTime};

use crate::{
    claim::{self, Claim, Worker},
    error::CompareError,
    launch::PlannedRun,
    plan::{Known, Plan},
    run::ERROR_FILE,
    standing::Ended,
};

/// Gives a worker its runs.
pub(crate) struct Turns {
    worker: Worker,
    /// Runs that failed before this are done again.
    retried_before: Option<SystemTime>,
}

/// What is next for a worker.
pub(crate) enum Turn<'a> {
    /// To learn how a run ended, that another worker did or that was done before.
    Ended(&'a PlannedRun, Ended),
    /// To carry out a run.
    Mine(&'a PlannedRun, Claim),
    /// To wait for so many runs, which other workers carry out.
    Wait(usize),
    /// Nothing: all runs have ended.
    Over,
}

impl Turns {
    /// The turns of a worker on the comparison in `out`; with `retry`, runs that have failed by now are done again.
    pub(crate) fn new(worker: Worker, out: &Path, retry: bool) -> Result<Self, CompareError> {
        make_folder(out)?;
        let now = retry.then(|| claim::now(out)).transpose();
        Ok(Self {
            worker,
            retried_before: now.map_err(|source| CompareError::file(out, source))?,
        })
    }

    /// What the worker does next. It learns first how others have ended runs of the plan: more runs may follow from that.
    pub(crate) fn next<'a>(&self, plan: &'a Plan, known: &Known) -> Result<Turn<'a>, CompareError> {
        let runs = plan.runs.iter();
        let open: Vec<_> = runs.filter(|run| known.of(&run.folder).is_none()).collect();
        for &run in &open {
            if let Some(ended) = self.ended(run)? {
                return Ok(Turn::Ended(run, ended));
            }
        }
        for &run in &open {
            make_folder(&run.folder)?;
            let Some(claim) = self.worker.claim(&run.folder)? else {
                continue;
            };
            // The worker that held it may just have ended it.
            return Ok(match self.ended(run)? {
                Some(ended) => Turn::Ended(run, ended),
                None => Turn::Mine(run, claim),
            });
        }
        Ok(match open.len() {
            0 => Turn::Over,
            n_open => Turn::Wait(n_open),
        })
    }

    /// How a run ended, unless it is to be done again.
    fn ended(&self, run: &PlannedRun) -> Result<Option<Ended>, CompareError> {
        match (Ended::read(&run.folder)?, self.retried_before) {
            // A failure since then is one of another worker that was asked to try again too.
            (Some(Ended::Failed(message)), Some(start)) => {
                Ok(failed_since(start, run)?.then_some(Ended::Failed(message)))
            }
            (ended, _) => Ok(ended),
        }
    }
}

fn failed_since(start: SystemTime, run: &PlannedRun) -> Result<bool, CompareError> {
    let path = run.folder.join(ERROR_FILE);
    match fs::metadata(&path).and_then(|it| it.modified()) {
        Ok(failed) => Ok(failed >= start),
        // Another worker has begun to try again.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(CompareError::file(path, source)),
    }
}

fn make_folder(folder: &Path) -> Result<(), CompareError> {
    fs::create_dir_all(folder).map_err(|source| CompareError::file(folder, source))
}
