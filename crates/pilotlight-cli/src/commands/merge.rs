//! `pilot merge`: an adapter becomes a part of its model.

use std::{
    io,
    path::{Path, PathBuf},
};

use burn::tensor::DType;
use clap::Args;
use indicatif::BinaryBytes;
use pilotlight_compare::{Base, save_model};
use pilotlight_core::TokenRow;
use pilotlight_data::{Split, TaskConfig, TaskKind};
use pilotlight_train::{Deviation, Tuned, deviation, load_tuned, merge};
use pilotlight_transformer::{LoadOptions, load_folder};
use pilotlight_tuners::{AnyTuner, adapter_files::read_config};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    console::{Console, Output},
    devices::DeviceChoice,
    experiments::alone,
    failure::Failure,
    loaded::{RawBase, adapter_folder, check_free},
    tasks,
};

/// Texts on which the two models are compared.
const TEXTS: usize = 8;

/// What they are compared on where the data of the adapter are not at hand.
const SENTENCES: [&str; 4] = [
    "The quick brown fox jumps over the lazy dog.",
    "It was a long film, and by the end nobody in the room had stayed awake.",
    "Question: what is the capital of France? Answer:",
    "def add(a, b):\n    return a + b",
];

/// Fold an adapter into the weights of its model
#[derive(Debug, Args)]
#[command(after_help = "\
The new folder is a model like any other, and answers as the model with the adapter does: it is read back from the \
disk and compared with it, on examples of the adapter's task where they are at hand. A classification head becomes a \
part of it too; the task stands in OUT/task.toml. Methods that only change weights can be folded in (LoRA, DoRA, IA3, \
and trained parameters of the base); prompts, prefixes and adapter layers cannot. The folder is written in the type \
that --dtype names.

Examples:
  pilot merge --model MODEL --adapter runs/first --out merged
  pilot predict --model merged --task merged/task.toml --input reviews.jsonl")]
pub(crate) struct RawMerge {
    #[command(flatten)]
    base: RawBase,
    /// Folder of an adapter, ours or PEFT's, or of a run
    #[arg(long, value_name = "DIR")]
    adapter: PathBuf,
    /// Folder to be made
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

/// What is to be merged, and whereto.
pub(crate) struct Merge {
    base: RawBase,
    adapter: PathBuf,
    out: PathBuf,
    json: bool,
}

/// What came of it.
struct Outcome {
    method: &'static str,
    n_replaced: usize,
    bytes: u64,
    deviation: Deviation,
    scores: &'static str,
    n_texts: usize,
    texts: &'static str,
    hash: String,
}

impl Merge {
    pub(crate) fn new(raw: RawMerge) -> Result<Self, Failure> {
        check_free(&raw.out)?;
        let adapter = adapter_folder(&raw.adapter)?;
        let config = read_config(&adapter)?;
        if let Some(obstacle) = config.merge_obstacle() {
            return Err(Failure::input(format!(
                "{}: `{config}` cannot be folded into weights: {obstacle}",
                adapter.display()
            ))
            .hint("use the adapter as it is, by `--adapter DIR`"));
        }
        Ok(Self {
            base: raw.base,
            adapter,
            out: raw.out,
            json: raw.json,
        })
    }

    pub(crate) fn run(self, device: DeviceChoice, console: &Console) -> Result<(), Failure> {
        let base = self.base.load(device, console)?;
        let hash = base.model.parameter_hash();
        let mut tuned = load_tuned(&self.adapter, base.model.clone())?;
        if tuned.head.is_none() {
            tuned.head = base.head.clone();
        }
        let labels = self.labels(&tuned, &base)?;
        let own_hash = tuned.base.parameter_hash();
        let merged = merge(&tuned)?;
        let n_replaced = merged.replaced.len();

        let staging = staging(&self.out)?;
        let head = tuned.head.as_ref().zip(labels.as_deref());
        let precision = self.base.precision();
        save_model(&merged.model, head, &base.source, staging.path(), precision)?;
        let is_restored = merged.unmerge().parameter_hash() == own_hash;
        let is_untouched = base.model.parameter_hash() == hash;
        if !(is_restored && is_untouched) {
            return Err(Failure::run("the model is not what it was before")
                .hint("this is a fault of the program"));
        }

        let (rows, texts) = self.texts(&base);
        let again = read_back(staging.path(), &tuned, precision.dtype())?;
        let outcome = Outcome {
            method: tuned.tuner.config().method(),
            n_replaced,
            bytes: finish(staging, &self.out, &self.adapter).map_err(|error| unwritable(&error))?,
            deviation: deviation(&tuned, &again, &rows)?,
            scores: match (&tuned.head, tuned.base.has_language_head()) {
                (Some(_), _) => "class score",
                (None, true) => "logit",
                (None, false) => "hidden state",
            },
            n_texts: rows.len(),
            texts,
            hash,
        };
        self.tell(&outcome)
    }

    /// The names of the classes of the head, where there is one.
    fn labels(&self, tuned: &Tuned, base: &Base) -> Result<Option<Vec<String>>, Failure> {
        if tuned.head.is_none() {
            return Ok(None);
        }
        if !tuned.pools_like_transformers() {
            return Err(Failure::input(format!(
                "the classification head reads {:?} states, which no classifier of transformers does",
                tuned.pooling()
            ))
            .hint("use the adapter as it is, or train with `task.pooling` left out"));
        }
        let task = match tasks::of_adapter(&self.adapter)? {
            Some(task) => task,
            None => TaskConfig::new(TaskKind::Classification),
        };
        tasks::labels(tuned, &base.labels, &task, None).map(Some)
    }

    /// Inputs of the adapter's task, or sentences; and what they are.
    fn texts(&self, base: &Base) -> (Vec<TokenRow>, &'static str) {
        let of_task = self.data(base).unwrap_or_default();
        let splits = [
            (of_task.test, "the test split"),
            (of_task.validation, "the validation split"),
            (of_task.train, "the training split"),
        ];
        let mut splits = splits.into_iter();
        if let Some((split, name)) = splits.find(|(split, _)| !split.examples.is_empty()) {
            let examples = split.examples.into_iter().take(TEXTS);
            return (examples.map(|example| example.input).collect(), name);
        }
        let n_positions = base.model.spec().n_positions;
        let rows = SENTENCES.iter().filter_map(|sentence| {
            let mut ids = base.tokenizer.encode(sentence, true).ok()?;
            ids.truncate(n_positions);
            (!ids.is_empty()).then(|| TokenRow::new(ids))
        });
        (rows.collect(), "built-in sentences")
    }

    /// The data of the run that the adapter is in, if all of it is at hand.
    fn data(&self, base: &Base) -> Option<Splits> {
        let settings = self.adapter.parent()?.join("resolved.toml");
        let experiment = alone(settings).experiment(None).ok()?;
        let data = base.prepare(&experiment.config, &experiment.origins).ok()?;
        Some(Splits {
            train: data.train,
            validation: data.validation,
            test: data.test,
        })
    }

    fn tell(&self, outcome: &Outcome) -> Result<(), Failure> {
        let Outcome {
            method,
            n_replaced,
            bytes,
            deviation: Deviation { largest, scale },
            scores,
            n_texts,
            texts,
            hash,
        } = outcome;
        let mut output = Output::open();
        if self.json {
            output.json(&json!({
                "folder": self.out,
                "bytes": bytes,
                "method": method,
                "n_replaced": n_replaced,
                "largest_difference": largest,
                "largest_score": scale,
                "scores": format!("{scores}s"),
                "n_texts": n_texts,
                "texts": texts,
                "base_hash": hash,
            }))?;
            return output.flush();
        }
        output.line(&format!(
            "folded `{method}` into {n_replaced} weights: {}, {}",
            self.out.display(),
            BinaryBytes(*bytes)
        ))?;
        output.line(&format!(
            "largest difference of a {scores} to the model with the adapter: {largest:.2e}, where they reach \
             {scale:.3}, on {n_texts} texts of {texts}"
        ))?;
        output.line(&format!(
            "{} is as it was, and what was folded in comes out again to the last bit (sha256 {}..)",
            self.base.model,
            &hash[..16]
        ))?;
        output.flush()
    }
}

/// The splits of a task.
#[derive(Default)]
struct Splits {
    train: Split,
    validation: Split,
    test: Split,
}

/// A folder beside `out`, which gets its name when all is written.
fn staging(out: &Path) -> Result<TempDir, Failure> {
    let make = || {
        let parent = out.parent().filter(|parent| *parent != Path::new(""));
        let parent = parent.unwrap_or(Path::new("."));
        fs_err::create_dir_all(parent)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".merging-");
        // Temporary folders are private by default; this one becomes an ordinary one, within the user's umask.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        builder.tempdir_in(parent)
    };
    make().map_err(|error| unwritable(&error))
}

/// Adds the task, waits until all is on the disk, and gives the folder its name; says how many bytes the model has.
fn finish(staging: TempDir, out: &Path, adapter: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs_err::read_dir(staging.path())? {
        let file = fs_err::File::open(entry?.path())?;
        file.sync_all()?;
        bytes += file.metadata()?.len();
    }
    let task = adapter.join("task.toml");
    if task.is_file() {
        fs_err::copy(task, staging.path().join("task.toml"))?;
    }
    if out.exists() {
        fs_err::remove_dir(out)?;
    }
    fs_err::rename(staging.path(), out)?;
    // The folder is no longer where its guard would remove it.
    let _ = staging.keep();
    Ok(bytes)
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::run(format!("the merged model cannot be written: {error}"))
        .hint("is there room on the disk, and may the folder be written to?")
}

/// The merged model as anyone will find it.
fn read_back(folder: &Path, tuned: &Tuned, dtype: DType) -> Result<Tuned, Failure> {
    let device = tuned.device();
    let again = load_folder(folder, &LoadOptions { device, dtype })?;
    let pooling = Some(tuned.pooling());
    Ok(Tuned::new(
        again.model,
        AnyTuner::default(),
        again.head,
        pooling,
    ))
}
