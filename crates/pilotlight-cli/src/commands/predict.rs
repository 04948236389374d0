//! `pilot predict`: the label of each record.

use std::path::{Path, PathBuf};

use clap::Args;
use pilotlight_core::TokenRow;
use pilotlight_data::{
    DataError, Head, PrepareOptions, Preparer, TaskConfig, TaskKind, Verbalizer,
};
use pilotlight_train::{Prediction, class_logprobs};
use serde::Deserialize;
use serde_json::{Map, json};

use crate::{
    console::{Console, Output},
    devices::DeviceChoice,
    failure::Failure,
    loaded::{Loaded, RawModel},
    progress::Count,
    records::RawInput,
};

/// Inputs between two writes of results.
const CHUNK: usize = 256;

/// Print the label of each record and the log-probability of every label
#[derive(Debug, Args)]
#[command(after_help = "\
For each record a line {\"label\": .., \"scores\": {label: log-probability}} is printed. Template, label words and the \
like are those that the adapter was trained with, or those of the file that --task names.

Examples:
  pilot predict --model MODEL --adapter runs/first/adapter --input reviews.jsonl
  pilot predict --model MODEL --task experiment.toml --input - < reviews.jsonl")]
pub(crate) struct RawPredict {
    #[command(flatten)]
    model: RawModel,
    #[command(flatten)]
    input: RawInput,
    /// Experiment file whose task section says how a record becomes an input [default: that of the adapter]
    #[arg(long, value_name = "FILE")]
    task: Option<PathBuf>,
    /// Rows that are run at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    batch_size: u16,
}

/// What is to be predicted, by what.
pub(crate) struct Predict {
    loaded: Loaded,
    rows: Vec<TokenRow>,
    verbalizer: Option<Verbalizer>,
    labels: Vec<String>,
    batch_size: usize,
}

impl Predict {
    pub(crate) fn new(
        raw: &RawPredict,
        device: DeviceChoice,
        console: &Console,
    ) -> Result<Self, Failure> {
        let input = raw.input.read()?;
        let loaded = raw.model.load(device, console)?;
        let task = match &raw.task {
            Some(file) => read_task(file)?,
            None => task_of(&loaded)?,
        };
        if task.kind != TaskKind::Classification {
            return Err(Failure::input(
                "the task is no classification: there are no labels to predict",
            )
            .hint("`pilot score` compares texts, `pilot generate` writes on"));
        }
        let base = &loaded.tuned.base;
        let options = PrepareOptions {
            folder: PathBuf::new(),
            seed: 0,
            reserve: loaded.tuned.tuner.config().reserve(),
            n_positions: base.spec().n_positions,
            head: default_head(base.has_language_head()),
        };
        let preparer = Preparer::new(&task, &loaded.tokenizer, &options)?;
        let verbalizer = preparer.verbalizer().cloned();
        let room = verbalizer.as_ref().map_or(0, Verbalizer::longest_word);
        let labels = labels(&loaded, &task, verbalizer.as_ref())?;

        let mut rows = Vec::with_capacity(input.records.len());
        let (mut n_cut, mut problems) = (0, Vec::new());
        for record in &input.records {
            match preparer.input(record, &input.source, room) {
                Ok(prepared) => {
                    n_cut += usize::from(prepared.tokens_cut > 0);
                    rows.push(prepared.value);
                }
                Err(DataError::Problems(found)) => problems.extend(found.listed().iter().cloned()),
                Err(other) => return Err(other.into()),
            }
        }
        if !problems.is_empty() {
            return Err(crate::records::failure(&problems));
        }
        if n_cut > 0 {
            console.warn(&format!(
                "{n_cut} of {} inputs were shortened to fit",
                rows.len()
            ));
        }
        Ok(Self {
            loaded,
            rows,
            verbalizer,
            labels,
            batch_size: raw.batch_size.into(),
        })
    }

    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        let mut output = Output::open();
        let mut count = Count::new("predicted", self.rows.len(), console);
        for chunk in self.rows.chunks(CHUNK) {
            let of_chunk = class_logprobs(
                &self.loaded.tuned,
                chunk,
                self.verbalizer.as_ref(),
                self.batch_size,
            )?;
            for log_probabilities in of_chunk {
                let prediction = Prediction::new(log_probabilities);
                let scores = self
                    .labels
                    .iter()
                    .cloned()
                    .zip(&prediction.log_probabilities);
                let scores: Map<_, _> =
                    scores.map(|(label, score)| (label, json!(score))).collect();
                output
                    .json(&json!({ "label": self.labels[prediction.class], "scores": scores }))?;
            }
            output.flush()?;
            count.add(chunk.len());
        }
        count.finish();
        Ok(())
    }
}

/// What reads a class off a model where the task does not say.
fn default_head(predicts_words: bool) -> Head {
    match predicts_words {
        true => Head::Verbalizer,
        false => Head::Linear,
    }
}

/// The names of the classes, as many as the model tells apart.
fn labels(
    loaded: &Loaded,
    task: &TaskConfig,
    verbalizer: Option<&Verbalizer>,
) -> Result<Vec<String>, Failure> {
    if let Some(verbalizer) = verbalizer {
        loaded.check_words()?;
        return Ok(verbalizer
            .labels
            .iter()
            .map(|label| label.name.clone())
            .collect());
    }
    let Some(head) = &loaded.tuned.head else {
        return Err(Failure::input(
            "there is no classification head: neither the model nor the adapter has one",
        )
        .hint("train one by `pilot train`, or give label words by `--task FILE`"));
    };
    let named: Vec<String> = match (task.labels.is_empty(), task.label_names.is_empty()) {
        (false, _) => task.labels.keys().cloned().collect(),
        (true, false) => task.label_names.clone(),
        (true, true) => loaded.labels.clone(),
    };
    match (named.len(), head.n_labels()) {
        (n_named, n_classes) if n_named == n_classes => Ok(named),
        (0, n_classes) => Ok((0..n_classes).map(|class| class.to_string()).collect()),
        (n_named, n_classes) => Err(Failure::input(format!(
            "the task names {n_named} labels, the head tells {n_classes} classes apart"
        ))
        .hint("name the labels in the order of the classes by `label_names` in [task]")),
    }
}

/// The task that an adapter was trained for; of a classifier without an adapter, its own.
fn task_of(loaded: &Loaded) -> Result<TaskConfig, Failure> {
    if let Some(adapter) = &loaded.adapter {
        let beside = [
            Some(adapter.join("task.toml")),
            adapter.parent().map(|run| run.join("resolved.toml")),
        ];
        if let Some(file) = beside.into_iter().flatten().find(|file| file.is_file()) {
            return read_task(&file);
        }
    } else if loaded.tuned.head.is_some() {
        return Ok(TaskConfig::new(TaskKind::Classification));
    }
    Err(
        Failure::input("nothing says how a record becomes an input, and what the labels are")
            .hint("give the experiment file with its section [task] by `--task FILE`"),
    )
}

/// The section `[task]` of a file; its other sections are not looked at.
fn read_task(file: &Path) -> Result<TaskConfig, Failure> {
    #[derive(Deserialize)]
    struct Sections {
        task: TaskConfig,
    }
    let text = fs_err::read_to_string(file).map_err(|error| {
        Failure::input(error)
            .hint("give an experiment file, or the resolved.toml of a run, by `--task FILE`")
    })?;
    toml::from_str::<Sections>(&text)
        .map(|sections| sections.task)
        .map_err(|error| {
            Failure::input(format!(
                "{}: {}",
                file.display(),
                error.to_string().trim_end()
            ))
            .hint("the section [task] says how a record becomes an input")
        })
}
