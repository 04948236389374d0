//! `pilot prompt average` and `pilot prompt interpolate`: sums of prompts.

use std::path::{Path, PathBuf};

use clap::Args;
use pilotlight_compare::Base;
use pilotlight_train::trains_base;
use pilotlight_tuners::{
    BaseInfo, SoftPrompt, TaskType, TunerError, save_adapter,
    soft_prompt::arithmetic::{average as mean, interpolate as between},
};
use serde_json::Value;

use super::SavedPrompt;
use crate::{
    console::{Console, Output},
    devices::DeviceChoice,
    failure::Failure,
    loaded::{adapter_folder, check_free, load_base},
};

/// Write the mean of several prompts
#[derive(Debug, Args)]
#[command(after_help = "\
The prompts must be of the same length and place, learned with the same model. The new folder is an adapter like \
theirs, with the task of the first.

Examples:
  pilot prompt average runs/1 runs/2 runs/3 --out averaged
  pilot predict --model MODEL --adapter averaged --input reviews.jsonl")]
pub(crate) struct RawAverage {
    /// Folders of adapters, or of runs
    #[arg(value_name = "DIR", required = true, num_args = 2..)]
    adapters: Vec<PathBuf>,
    #[command(flatten)]
    target: RawTarget,
}

/// Write a prompt between two prompts
#[derive(Debug, Args)]
#[command(after_help = "\
The result is (1 - WEIGHT) times the first prompt and WEIGHT times the second; beyond 0 and 1 it extrapolates. The \
prompts must be of the same length and place, learned with the same model.

Examples:
  pilot prompt interpolate runs/1 runs/2 --weight 0.3 --out between")]
pub(crate) struct RawInterpolate {
    /// Folder of an adapter, or of a run
    #[arg(value_name = "DIR")]
    first: PathBuf,
    /// Folder of another one
    #[arg(value_name = "DIR")]
    second: PathBuf,
    /// The share of the second
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    weight: f64,
    #[command(flatten)]
    target: RawTarget,
}

#[derive(Debug, Args)]
struct RawTarget {
    /// Folder to be made
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder of the model, or its name on the Hugging Face Hub [default: the one that the first adapter names]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
}

pub(super) fn average(
    raw: &RawAverage,
    device: DeviceChoice,
    console: &Console,
) -> Result<(), Failure> {
    combine(&raw.adapters, &raw.target, device, console, &mean)
}

pub(super) fn interpolate(
    raw: &RawInterpolate,
    device: DeviceChoice,
    console: &Console,
) -> Result<(), Failure> {
    let given = [raw.first.clone(), raw.second.clone()];
    combine(&given, &raw.target, device, console, &|prompts| {
        between(prompts[0], prompts[1], raw.weight)
    })
}

/// Loads the prompts, and writes what `sum` makes of them.
fn combine(
    given: &[PathBuf],
    target: &RawTarget,
    device: DeviceChoice,
    console: &Console,
    sum: &dyn Fn(&[&SoftPrompt]) -> Result<SoftPrompt, TunerError>,
) -> Result<(), Failure> {
    check_free(&target.out)?;
    let given = given.iter().map(|given| adapter_folder(given));
    let folders: Vec<PathBuf> = given.collect::<Result<_, _>>()?;
    let model = match &target.model {
        Some(model) => model.clone(),
        None => model_of(&folders[0])?,
    };
    let base = load_base(&model, None, device, console)?;
    let mut prompts = Vec::with_capacity(folders.len());
    for folder in &folders {
        let saved = SavedPrompt::load(folder, &base)?;
        check_alone(folder, saved.has_head)?;
        prompts.push(saved.prompt);
    }
    let prompts: Vec<&SoftPrompt> = prompts.iter().collect();
    let prompt = sum(&prompts).map_err(|error| by_folder(&error, &folders))?;
    save(prompt, &model, &base, &folders[0], &target.out)?;
    let mut output = Output::open();
    output.line(&target.out.to_string_lossy())?;
    output.flush()
}

/// Refuses what is more than a prompt: sums have no meaning for the rest.
fn check_alone(folder: &Path, has_head: bool) -> Result<(), Failure> {
    let more = match (has_head, trains_base(folder)) {
        (false, false) => return Ok(()),
        (true, _) => "a classification head",
        (_, true) => "parameters of the base",
    };
    Err(Failure::input(format!(
        "{}: {more} was trained with the prompt, and belongs to it alone",
        folder.display()
    ))
    .hint("train prompts whose classes are read by label words, on a frozen base"))
}

/// Writes the prompt with the task of the first one.
fn save(
    prompt: SoftPrompt,
    model: &str,
    base: &Base,
    first: &Path,
    out: &Path,
) -> Result<(), Failure> {
    let info = BaseInfo {
        name_or_path: model.to_owned(),
        spec: base.model.spec().clone(),
        task_type: TaskType::CausalLm,
    };
    save_adapter(out, &prompt.into(), None, &info)?;
    let task = first.join("task.toml");
    if task.is_file() {
        fs_err::copy(&task, out.join("task.toml")).map_err(|error| {
            Failure::run(error).hint("is there room on the disk, and may the folder be written to?")
        })?;
    }
    Ok(())
}

/// The model that an adapter was trained with, as its description calls it.
fn model_of(adapter: &Path) -> Result<String, Failure> {
    let files = ["pilotlight.json", "adapter_config.json"];
    let mut texts = files
        .iter()
        .filter_map(|file| fs_err::read(adapter.join(file)).ok());
    let description: Option<Value> = texts.find_map(|text| serde_json::from_slice(&text).ok());
    let name = description
        .as_ref()
        .and_then(|it| it["base_model_name_or_path"].as_str());
    name.filter(|name| !name.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| {
            Failure::input(format!(
                "{} does not say which model it was trained with",
                adapter.display()
            ))
            .hint("name it by `--model MODEL`")
        })
}

/// The prompts of an error by their folders.
fn by_folder(error: &TunerError, folders: &[PathBuf]) -> Failure {
    let mut message = error.to_string();
    for (index, folder) in folders.iter().enumerate() {
        let folder = folder.display().to_string();
        message = message.replace(&format!("`prompts[{index}]`"), &folder);
    }
    let has_hint = message.contains("hint: ");
    let failure = Failure::input(message);
    match has_hint {
        true => failure,
        false => failure.hint("take prompts of one length at one place, learned with one model"),
    }
}
