//! Checkpoints: everything that a killed run needs to go on to the very same bits.
//!
//! ```text
//! checkpoints/step-40/  state.json  parameters.safetensors  optimizer.safetensors
//! checkpoints/best-30/  parameters.safetensors
//! ```
//!
//! A folder is written under another name and renamed when all of it is on the disk; only then older ones go. The
//! last `step-N` and the best parameters that it names are there at any time.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use burn::tensor::TensorData;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::{Difference, TrainError},
    optimizer::OptimizerRecord,
    run_folder::{sync_folder, write_json},
    tensor_file::{self, Stored},
};

const FORMAT: u32 = 1;
const PARTIAL: &str = ".partial-";
const STATE: &str = "state.json";
const PARAMETERS: &str = "parameters.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const HINT: &str =
    "remove the folder to resume from an older checkpoint, or start anew in another folder";

/// Where a run stands behind a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(crate) format: u32,
    /// Steps done.
    pub(crate) step: usize,
    /// What the run was made with; see [`differences`].
    pub(crate) settings: BTreeMap<String, Value>,
    /// Length of `metrics.jsonl`.
    pub(crate) metrics_bytes: u64,
    /// The lowest validation loss.
    pub(crate) best: Option<Best>,
    /// Evaluations since then.
    pub(crate) evaluations_since_best: usize,
    pub(crate) seconds: Seconds,
    /// The parameters that the optimizer remembers something of, and the numbers among it.
    pub(crate) optimizer_paths: Vec<String>,
    pub(crate) optimizer_numbers: BTreeMap<String, Value>,
}

/// The evaluation with the lowest validation loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The step behind which it was done.
    pub step: usize,
    /// Its loss.
    pub loss: f64,
}

/// How long a run took, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seconds {
    /// All optimizer steps together.
    pub training: f64,
    /// All evaluations on the validation split.
    pub evaluation: f64,
    /// All checkpoints.
    pub checkpointing: f64,
}

/// The folder `checkpoints/` of a run.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    folder: PathBuf,
}

/// A checkpoint that was read.
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
    pub(crate) state: State,
    pub(crate) parameters: BTreeMap<String, TensorData>,
    pub(crate) optimizer: OptimizerRecord<TensorData>,
}

impl State {
    pub(crate) fn new(settings: BTreeMap<String, Value>) -> Self {
        Self {
            format: FORMAT,
            step: 0,
            settings,
            metrics_bytes: 0,
            best: None,
            evaluations_since_best: 0,
            seconds: Seconds::default(),
            optimizer_paths: Vec::new(),
            optimizer_numbers: BTreeMap::new(),
        }
    }
}

impl Checkpoints {
    pub(crate) fn open(folder: PathBuf) -> Result<Self, TrainError> {
        fs_err::create_dir_all(&folder)?;
        let checkpoints = Self { folder };
        for name in checkpoints.names()? {
            if name.starts_with(PARTIAL) {
                fs_err::remove_dir_all(checkpoints.folder.join(name))?;
            }
        }
        Ok(checkpoints)
    }

    /// The newest checkpoint, if there is one.
    pub(crate) fn latest(&self) -> Result<Option<Loaded>, TrainError> {
        let steps = self
            .names()?
            .into_iter()
            .filter_map(|name| number(&name, "step-"));
        let Some(step) = steps.max() else {
            return Ok(None);
        };
        let path = self.folder.join(format!("step-{step}"));
        let state_path = path.join(STATE);
        let bytes = fs_err::read(&state_path)?;
        let damaged = |problem: String| TrainError::file(&state_path, problem, HINT);
        let mut state: State = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(format!("is no state of a run: {error}")))?;
        if state.format != FORMAT || state.step != step {
            return Err(damaged(format!(
                "has format {} and step {} in place of {FORMAT} and {step}",
                state.format, state.step
            )));
        }
        let parameters = tensor_file::read(&path.join(PARAMETERS))?;
        let optimizer = OptimizerRecord {
            tensors: tensor_file::read(&path.join(OPTIMIZER))?,
            numbers: std::mem::take(&mut state.optimizer_numbers),
            paths: std::mem::take(&mut state.optimizer_paths),
        };
        Ok(Some(Loaded {
            path,
            state,
            parameters,
            optimizer,
        }))
    }

    /// The parameters behind step `step`, which were the best.
    pub(crate) fn best(
        &self,
        step: usize,
        shapes: &BTreeMap<String, Vec<usize>>,
    ) -> Result<BTreeMap<String, TensorData>, TrainError> {
        let path = self.folder.join(format!("best-{step}"));
        let parameters = tensor_file::read(&path.join(PARAMETERS))?;
        check_parameters(&path, &parameters, shapes)?;
        Ok(parameters)
    }

    /// Keeps the parameters behind step `step` as the best.
    pub(crate) fn save_best(
        &self,
        step: usize,
        parameters: &BTreeMap<String, Stored>,
    ) -> Result<(), TrainError> {
        self.write(&format!("best-{step}"), |folder| {
            tensor_file::write(&folder.join(PARAMETERS), parameters)
        })
    }

    /// Writes a checkpoint; then removes all that it makes needless.
    pub(crate) fn save(
        &self,
        mut state: State,
        parameters: &BTreeMap<String, Stored>,
        optimizer: OptimizerRecord<Stored>,
    ) -> Result<(), TrainError> {
        state.optimizer_numbers = optimizer.numbers;
        state.optimizer_paths = optimizer.paths;
        let name = format!("step-{}", state.step);
        self.write(&name, |folder| {
            tensor_file::write(&folder.join(PARAMETERS), parameters)?;
            tensor_file::write(&folder.join(OPTIMIZER), &optimizer.tensors)?;
            write_json(&folder.join(STATE), &state)
        })?;
        let best = state.best.map(|best| format!("best-{}", best.step));
        for other in self.names()? {
            if other != name && best.as_ref() != Some(&other) {
                fs_err::remove_dir_all(self.folder.join(other))?;
            }
        }
        Ok(())
    }

    fn write(
        &self,
        name: &str,
        fill: impl Fn(&Path) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PARTIAL);
        // Temporary folders are private by default; this one becomes an ordinary one, within the user's umask.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let partial = builder.tempdir_in(&self.folder)?;
        fill(partial.path())?;
        sync_folder(partial.path())?;
        let place = self.folder.join(name);
        if place.exists() {
            fs_err::remove_dir_all(&place)?;
        }
        fs_err::rename(partial.keep(), &place)?;
        sync_folder(&self.folder)
    }

    /// The folders that are checkpoints or partial ones.
    fn names(&self) -> Result<Vec<String>, TrainError> {
        let mut names = Vec::new();
        for entry in fs_err::read_dir(&self.folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let known = number(&name, "step-").or(number(&name, "best-"));
            if known.is_some() || name.starts_with(PARTIAL) {
                names.push(name);
            }
        }
        Ok(names)
    }
}

impl Loaded {
    /// Says if the checkpoint is that of another run.
    pub(crate) fn check(
        &self,
        settings: &BTreeMap<String, Value>,
        shapes: &BTreeMap<String, Vec<usize>>,
    ) -> Result<(), TrainError> {
        let differences = differences(&self.state.settings, settings);
        if !differences.is_empty() {
            let checkpoint = self.path.clone();
            return Err(TrainError::OtherRun {
                checkpoint,
                differences,
            });
        }
        check_parameters(&self.path, &self.parameters, shapes)
    }
}

/// The settings that a checkpoint has otherwise than a run.
fn differences(
    checkpoint: &BTreeMap<String, Value>,
    run: &BTreeMap<String, Value>,
) -> Vec<Difference> {
    let show = |value: Option<&Value>| value.map_or("not set".into(), Value::to_string);
    let mut keys: Vec<_> = checkpoint.keys().chain(run.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .filter(|key| checkpoint.get(*key) != run.get(*key))
        .map(|key| Difference {
            key: key.clone(),
            checkpoint: show(checkpoint.get(key)),
            run: show(run.get(key)),
        })
        .collect()
}

fn check_parameters(
    path: &Path,
    parameters: &BTreeMap<String, TensorData>,
    shapes: &BTreeMap<String, Vec<usize>>,
) -> Result<(), TrainError> {
    let found: BTreeMap<&String, &[usize]> = parameters
        .iter()
        .map(|(name, data)| (name, &data.shape()[..]))
        .collect();
    let expected: BTreeMap<&String, &[usize]> = shapes
        .iter()
        .map(|(name, shape)| (name, &shape[..]))
        .collect();
    if found == expected {
        return Ok(());
    }
    let mut names: Vec<_> = found.keys().chain(expected.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| found.get(name) != expected.get(name));
    let problems: Vec<String> = names
        .into_iter()
        .take(10)
        .map(|name| {
            let show =
                |shape: Option<&&[usize]>| shape.map_or("none".into(), |it| format!("{it:?}"));
            format!(
                "`{name}` {} in place of {}",
                show(found.get(name)),
                show(expected.get(name))
            )
        })
        .collect();
    let problem = format!(
        "has other parameters than the run trains: {}",
        problems.join(", ")
    );
    Err(TrainError::file(path.join(PARAMETERS), problem, HINT))
}

fn number(name: &str, prefix: &str) -> Option<usize> {
    name.strip_prefix(prefix)?.parse().ok()
}
