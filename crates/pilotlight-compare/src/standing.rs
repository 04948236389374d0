//! How far a comparison has got: what the folders of its runs say.

use std::path::Path;

use crate::{
    error::CompareError,
    experiment::Comparison,
    launch::PlannedRun,
    plan::{Known, Outcome, Plan, plan},
    result::RunResult,
    run::{ERROR_FILE, read_result},
    search::Validation,
};

/// How a run ended, as its folder says.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// With a result.
    Finished(Box<RunResult>),
    /// With this message.
    Failed(String),
}

impl Ended {
    /// Reads the folder of a run; nothing if it has not ended, or has not begun.
    ///
    /// # Errors
    ///
    /// If a file of the folder cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, CompareError> {
        let result = folder.join("result.json");
        if result.exists() {
            // The folder's name holds a hash of the settings: they are the same.
            let result = read_result(&result)?;
            return Ok(Some(Self::Finished(Box::new(result))));
        }
        let error = folder.join(ERROR_FILE);
        match std::fs::read_to_string(&error) {
            Ok(message) => Ok(Some(Self::Failed(message.trim_end().to_owned()))),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CompareError::file(error, source)),
        }
    }

    /// What came out, or why nothing did.
    pub(crate) fn into_result(self) -> Result<RunResult, String> {
        match self {
            Self::Finished(result) => Ok(*result),
            Self::Failed(message) => Err(message),
        }
    }

    /// The same without its details.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Finished(result) => Outcome::Finished(Validation::of(result)),
            Self::Failed(_) => Outcome::Failed,
        }
    }
}

/// The runs of a comparison, and how those ended that have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// What is to be run, and is.
    pub plan: Plan,
    /// For each of the plan's runs how it ended, if it has.
    pub ended: Vec<Option<Ended>>,
}

impl Standing {
    /// Reads the folder of a comparison, which need not be there yet.
    ///
    /// # Errors
    ///
    /// If a file in it cannot be read.
    pub fn read(comparison: &Comparison, out: &Path) -> Result<Self, CompareError> {
        let mut known = Known::default();
        loop {
            let plan = plan(comparison, out, &known);
            let ended = plan.runs.iter().map(|run| Ended::read(&run.folder));
            let ended: Vec<Option<Ended>> = ended.collect::<Result<_, _>>()?;
            let before = known.clone();
            for (run, ended) in plan.runs.iter().zip(&ended) {
                if let Some(ended) = ended {
                    known.insert(run.folder.clone(), ended.outcome());
                }
            }
            // What has ended may have made more runs known.
            if known == before {
                return Ok(Self { plan, ended });
            }
        }
    }

    /// The runs with a result.
    pub fn finished(&self) -> impl Iterator<Item = (&PlannedRun, &RunResult)> {
        let runs = self.plan.runs.iter().zip(&self.ended);
        runs.filter_map(|(run, ended)| match ended {
            Some(Ended::Finished(result)) => Some((run, &**result)),
            _ => None,
        })
    }
}
