//! The results as JSON: `bench.json`.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

use super::{plot::bench_figure, settings::Settings, summary::Summary};
use crate::{error::CompareError, files::write_whole};

/// What the member `format` says.
const FORMAT: &str = "pilotlight-bench";
/// What the member `version` says; a change that a reader has to know of raises it.
const VERSION: u32 = 1;

/// All results of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchDocument {
    format: String,
    version: u32,
    /// Name and version of the program that measured.
    pub program: String,
    /// Operating system, processor and number of threads.
    pub machine: String,
    /// One for each of the settings.
    pub rows: Vec<BenchRow>,
}

/// The result of some settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchRow {
    /// What was measured.
    pub settings: Settings,
    /// The device's name, as the hardware gives it.
    pub hardware: String,
    /// What came out.
    pub outcome: Outcome,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The steps were done.
    Measured(Measured),
    /// They were not, for this reason.
    Failed(String),
}

/// What was measured of steps of the same settings, in one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Seconds of each step behind the warm-up, in order.
    pub step_seconds: Vec<f64>,
    /// Seconds of each step of the warm-up; kernels are made in the first.
    pub warm_up_seconds: Vec<f64>,
    /// Seconds from the start of the process until the model was on the device.
    pub start_up_seconds: f64,
    /// Largest resident memory of the process during the steps, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// Memory that the process has taken on the device by the last step, where the device has memory of its own.
    pub device_memory_bytes: Option<u64>,
    /// Parameters that are trained.
    pub trained_parameters: usize,
    /// All parameters.
    pub total_parameters: usize,
    /// Operations of a step's matrix products.
    pub step_operations: f64,
    /// The most operations per second that the device reached in a matrix product of the same type.
    pub peak_operations_per_second: Option<f64>,
}

impl BenchDocument {
    /// The document of these results.
    pub fn new(program: String, machine: String, rows: Vec<BenchRow>) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            program,
            machine,
            rows,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is no such document.
    pub fn read(path: &Path) -> Result<Self, CompareError> {
        let bytes = std::fs::read(path).map_err(|error| CompareError::file(path, error))?;
        let wrong = |message, hint: &str| CompareError::Content {
            path: path.to_owned(),
            message,
            hint: hint.to_owned(),
        };
        const WRITE: &str = "name a bench.json that `pilot bench --out` or pytorch.py wrote";
        // Other versions may have other members, so that these two are looked at alone.
        #[derive(Deserialize)]
        struct Kind {
            format: String,
            version: u32,
        }
        let kind: Kind = serde_json::from_slice(&bytes)
            .map_err(|error| wrong(format!("is no result of a benchmark: {error}"), WRITE))?;
        if kind.format != FORMAT {
            let message = format!("has the format `{}`, not `{FORMAT}`", kind.format);
            return Err(wrong(message, WRITE));
        }
        if kind.version != VERSION {
            let message = format!("has version {} of the format", kind.version);
            let hint = format!(
                "this program reads version {VERSION}: measure with it, or compare with the other one"
            );
            return Err(wrong(message, &hint));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
        let document: Self =
            serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
                let place = error.path().to_string();
                let message = format!("`{place}`: {}", error.into_inner());
                wrong(message, "docs/bench.md describes the format")
            })?;
        match document.problem() {
            Some(problem) => Err(wrong(problem, "docs/bench.md describes the format")),
            None => Ok(document),
        }
    }

    /// The document as text.
    ///
    /// # Errors
    ///
    /// If a number is not finite.
    fn to_json(&self) -> Result<String, CompareError> {
        let text = serde_json::to_string_pretty(self);
        Ok(text.map_err(|error| CompareError::file("bench.json", error.into()))? + "\n")
    }

    /// Writes `bench.json`, `bench.csv` and, where anything was measured, `bench.svg` into a folder.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), CompareError> {
        let write = |name: &str, text: &str| write_whole(&folder.join(name), text.as_bytes());
        write("bench.json", &self.to_json()?)?;
        write("bench.csv", &self.to_csv())?;
        match bench_figure(self) {
            Some(figure) => write("bench.svg", &figure),
            None => Ok(()),
        }
    }

    /// Something that makes no sense.
    fn problem(&self) -> Option<String> {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(|(index, row)| {
            let (key, problem) = row.problem()?;
            Some(format!("`rows[{index}].{key}`: {problem}"))
        })
        .next()
    }
}

impl BenchRow {
    /// What was measured, if anything was.
    pub fn measured(&self) -> Option<&Measured> {
        match &self.outcome {
            Outcome::Measured(measured) => Some(measured),
            Outcome::Failed(_) => None,
        }
    }

    /// The numbers that follow from what was measured, if anything was.
    pub fn summary(&self) -> Option<Summary> {
        Summary::of(&self.settings, self.measured()?)
    }

    fn problem(&self) -> Option<(String, &'static str)> {
        if let Some((key, problem)) = self.settings.problems().first() {
            return Some((format!("settings.{key}"), problem));
        }
        let measured = self.measured()?;
        let is_time = |seconds: &f64| seconds.is_finite() && *seconds > 0.0;
        let problem = if measured.step_seconds.is_empty() {
            ("step_seconds", "is empty")
        } else if !measured.step_seconds.iter().all(is_time) {
            ("step_seconds", "must be above 0")
        } else if !measured.warm_up_seconds.iter().all(is_time) {
            ("warm_up_seconds", "must be above 0")
        } else if !is_time(&measured.start_up_seconds) {
            ("start_up_seconds", "must be above 0")
        } else if !is_time(&measured.step_operations) {
            ("step_operations", "must be above 0")
        } else if !measured.peak_operations_per_second.iter().all(is_time) {
            ("peak_operations_per_second", "must be above 0")
        } else {
            return None;
        };
        Some((format!("outcome.measured.{}", problem.0), problem.1))
    }
}

impl fmt::Display for BenchDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.program, self.machine)
    }
}
