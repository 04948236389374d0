//! A tiny model, tuners on it, and data that it can learn.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};
use pilotlight_core::TokenRow;
use pilotlight_data::{Example, Label, Split, Target, TaskData, TaskKind, Verbalizer};
use pilotlight_train::{
    Event, Job, Observer, Outcome, RunFolder, TrainConfig, TrainError, Tuned, train,
};
use pilotlight_transformer::{LoadOptions, Model, load_folder};
use pilotlight_tuners::{InitContext, NoVocabulary, TunerConfig};
use serde_json::{Value, json};

pub(crate) const N_VOCAB: u32 = 40;

pub(crate) fn soft_prompt() -> Value {
    json!({ "method": "soft-prompt", "prompt_length": 3, "init": "random" })
}

pub(crate) fn lora(dropout: f64) -> Value {
    json!({ "method": "lora", "rank": 2, "dropout": dropout })
}

pub(crate) fn prefix() -> Value {
    json!({ "method": "prefix", "prefix_length": 2, "std": 0.5 })
}

pub(crate) fn adapters() -> Value {
    json!({ "method": "bottleneck", "bottleneck_dim": 4 })
}

pub(crate) fn untuned() -> Value {
    json!({ "method": "none" })
}

/// A tiny Llama with random weights and tied embeddings.
pub(crate) fn model_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pilotlight-transformer/tests/goldens/llama_tied")
}

pub(crate) fn tuned(tuner: Value) -> Tuned {
    tuned_in(DType::F32, tuner)
}

/// On a base of this element type.
pub(crate) fn tuned_in(dtype: DType, tuner: Value) -> Tuned {
    let device = Device::default();
    let options = LoadOptions {
        dtype,
        ..LoadOptions::new(&device)
    };
    let base = load_folder(&model_folder(), &options)
        .expect("the model")
        .model;
    let config: TunerConfig = serde_json::from_value(tuner).expect("a tuner");
    let context = InitContext {
        base: &base,
        vocabulary: &NoVocabulary,
        seed: 3,
        device: &device,
    };
    let tuner = config.init(&context).expect("a new tuner");
    Tuned::new(base, tuner, None, None)
}

/// A tiny BERT with a pooler.
pub(crate) fn encoder() -> Model {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../pilotlight-transformer/tests/goldens/bert_classifier");
    let options = LoadOptions::new(&Device::default());
    load_folder(&goldens, &options).expect("the model").model
}

/// The whole base is trained, and nothing else.
pub(crate) fn full() -> Tuned {
    chosen(&|_| true)
}

/// These parameters of the base are trained, and nothing else.
pub(crate) fn chosen(trained: &dyn Fn(&str) -> bool) -> Tuned {
    let Tuned {
        base, tuner, head, ..
    } = tuned(untuned());
    Tuned::new(base.set_trained(trained), tuner, head, None)
}

/// Numbers that look drawn.
fn noise(index: usize, offset: usize) -> u32 {
    let mixed = (index * 7919 + offset * 104_729 + 12_345) as u32;
    mixed.wrapping_mul(2_654_435_761) >> 16
}

pub(crate) fn row(index: usize) -> TokenRow {
    let length = 2 + noise(index, 99) as usize % 9;
    TokenRow::new(
        (0..length)
            .map(|offset| 3 + noise(index, offset) % (N_VOCAB - 3))
            .collect(),
    )
}

fn split(range: std::ops::Range<usize>, target: &dyn Fn(usize) -> Target) -> Split {
    let examples = range.map(|index| Example {
        input: row(index),
        target: target(index),
        origin: index + 1,
    });
    Split {
        examples: examples.collect(),
        ..Split::default()
    }
}

fn task(kind: TaskKind, target: &dyn Fn(usize) -> Target) -> TaskData {
    TaskData {
        kind,
        labels: Vec::new(),
        verbalizer: None,
        train: split(0..30, target),
        validation: split(30..41, target),
        test: split(41..54, target),
    }
}

/// Completions of one to three tokens.
pub(crate) fn completions() -> TaskData {
    task(TaskKind::Completion, &|index| {
        let target = (0..1 + index % 3).map(|offset| 3 + noise(index, offset + 50) % 20);
        Target::Completion(target.collect())
    })
}

/// Texts.
pub(crate) fn texts() -> TaskData {
    task(TaskKind::LanguageModelling, &|_| Target::Text)
}

/// Two labels, whose words are `words`.
pub(crate) fn labels(words: [&[&[u32]]; 2]) -> TaskData {
    let words = words.map(|of_label| of_label.iter().map(|word| word.to_vec()).collect());
    let names = ["no", "yes"].map(str::to_owned);
    let labels = names.clone().into_iter().zip(words);
    TaskData {
        labels: names.into(),
        verbalizer: Some(Verbalizer {
            labels: labels.map(|(name, words)| Label { name, words }).collect(),
        }),
        ..task(TaskKind::Classification, &|index| {
            Target::Class(usize::from(row(index).ids[0] > N_VOCAB / 2))
        })
    }
}

/// Ten steps that use everything that has a state.
pub(crate) fn config() -> TrainConfig {
    TrainConfig {
        steps: Some(10),
        batch_size: 4,
        learning_rate: 1e-2,
        warmup: 2,
        grad_clip: Some(0.5),
        eval_every: Some(3),
        checkpoint_every: Some(2),
        ..TrainConfig::default()
    }
}

/// Collects all events, and dies at a step if it is told to.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) events: Vec<Event>,
    pub(crate) dies_at: Option<usize>,
}

impl Observer for Recorder {
    fn event(&mut self, event: &Event) {
        self.events.push(event.clone());
        if let Event::Step { step, .. } = event {
            assert_ne!(Some(*step), self.dies_at, "killed");
        }
    }
}

impl Recorder {
    pub(crate) fn warnings(&self) -> Vec<&str> {
        let warnings = self.events.iter().filter_map(|event| match event {
            Event::Warning(text) => Some(text.as_str()),
            _ => None,
        });
        warnings.collect()
    }
}

pub(crate) fn run(
    tuned: Tuned,
    data: &TaskData,
    config: &TrainConfig,
    folder: &Path,
    resume: bool,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let run = RunFolder::open(folder)?;
    train(tuned, job(data, config, &run, resume, observer))
}

/// What all runs have in common.
pub(crate) fn job<'a>(
    data: &'a TaskData,
    config: &'a TrainConfig,
    run: &'a RunFolder,
    resume: bool,
    observer: &'a mut dyn Observer,
) -> Job<'a> {
    Job {
        data,
        config,
        seed: 11,
        run,
        resume,
        observer,
    }
}

/// A run in a folder of its own.
pub(crate) fn run_once(tuned: Tuned, data: &TaskData, config: &TrainConfig) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    run(
        tuned,
        data,
        config,
        folder.path(),
        false,
        &mut Recorder::default(),
    )
    .expect("a run")
}

pub(crate) fn train_losses(outcome: &Outcome) -> Vec<f64> {
    let train = outcome
        .history
        .iter()
        .filter(|metric| metric.learning_rate.is_some());
    train.map(|metric| metric.loss).collect()
}
