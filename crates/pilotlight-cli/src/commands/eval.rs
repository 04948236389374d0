//! `pilot eval`: what a run, or a model as it is, reaches on a split.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pilotlight_compare::{
    Base, CompareError, Experiment, Resolver, RunObserver, Stage,
    result::TestResult,
    run::untuned,
    statistics::{bootstrap_accuracy, majority_accuracy},
};
use pilotlight_data::{Split, Target, TaskData};
use pilotlight_train::{Tuned, evaluate, load_tuned};
use serde_json::json;

use crate::{
    console::{Console, Output},
    devices::DeviceChoice,
    experiments::{Machine, RawExperiment},
    failure::Failure,
    loaded::adapter_folder,
    progress::RunProgress,
    results,
};

/// Evaluate a run, or the untuned model of an experiment, on a split
#[derive(Debug, Args)]
#[command(after_help = "\
The folder of a run is evaluated with its adapter; an experiment file with the adapter that is given, or, without \
one, with the untuned model.

Examples:
  pilot eval runs/first
  pilot eval runs/first --split validation --json
  pilot eval experiment.toml --adapter runs/first/adapter --set data.test=other.jsonl
  pilot eval default --method lora               the untuned model on the task of a preset")]
pub(crate) struct RawEval {
    #[command(flatten)]
    experiment: RawExperiment,
    /// Folder of an adapter, ours or PEFT's
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// Which examples
    #[arg(long, value_enum, default_value_t = SplitChoice::Test)]
    split: SplitChoice,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitChoice {
    Train,
    Validation,
    Test,
}

/// What is to be evaluated.
pub(crate) struct Eval {
    experiment: Experiment,
    adapter: Option<PathBuf>,
    split: SplitChoice,
    json: bool,
}

impl SplitChoice {
    /// The examples.
    pub(crate) fn of(self, data: &TaskData) -> &Split {
        match self {
            Self::Train => &data.train,
            Self::Validation => &data.validation,
            Self::Test => &data.test,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl Eval {
    pub(crate) fn new(raw: &RawEval, device: Option<DeviceChoice>) -> Result<Self, Failure> {
        let adapter = match (&raw.adapter, raw.experiment.run()) {
            (Some(adapter), _) => Some(adapter_folder(adapter)?),
            (None, Some(run)) => Some(adapter_folder(&run.join("adapter"))?),
            (None, None) => None,
        };
        Ok(Self {
            experiment: experiment(&raw.experiment, device)?,
            adapter,
            split: raw.split,
            json: raw.json,
        })
    }

    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        let Experiment { config, origins } = &self.experiment;
        let machine = Machine { console };
        let mut progress = RunProgress::new(console);
        progress.stage(Stage::Load);
        let device = machine.device(&config.device)?;
        let base = Base::load(&config.base, config.seed, &machine, &device)?;
        progress.stage(Stage::Prepare);
        let data = base.prepare(config, origins)?;
        let split = self.split.of(&data);
        if split.examples.is_empty() {
            let name = self.split.name();
            return Err(
                Failure::input(format!("there are no {name} examples")).hint(format!(
                    "name a file by `--set data.{name}=FILE`, or choose another by `--split`"
                )),
            );
        }
        let tuned = self.tuned(&base, &data)?;
        progress.stage(Stage::Test);
        let batch_size = config.train.eval_batch_size;
        let evaluation = evaluate(&tuned, &data, split, batch_size, &mut progress)?;
        drop(progress);

        let gold = classes(split);
        let correct: Vec<bool> = evaluation
            .predictions
            .iter()
            .zip(&gold)
            .map(|(found, gold)| found.class == *gold)
            .collect();
        let report = &config.report;
        let result = TestResult {
            n_examples: split.examples.len(),
            accuracy: bootstrap_accuracy(&correct, report.resamples, report.confidence, 0),
            loss: evaluation.loss,
        };
        let majority = majority_accuracy(&classes(&data.train), &gold);
        let mut output = Output::open();
        if self.json {
            output.json(&json!({
                "split": self.split.name(),
                "n_examples": result.n_examples,
                "n_tokens": evaluation.n_tokens,
                "loss": result.loss,
                "accuracy": result.accuracy,
                "majority_accuracy": majority,
            }))?;
        } else {
            output.line(&format!(
                "{}: {}",
                self.split.name(),
                results::test(&result)
            ))?;
            if let Some(majority) = majority {
                output.line(&format!("always the most frequent class: {majority:.3}"))?;
            }
        }
        output.flush()
    }

    fn tuned(&self, base: &Base, data: &TaskData) -> Result<Tuned, Failure> {
        if let Some(adapter) = &self.adapter {
            let mut tuned = load_tuned(adapter, base.model.clone())?;
            if tuned.head.is_none() {
                tuned.head = base.head.clone();
            }
            return Ok(tuned);
        }
        untuned(base, &self.experiment.config, data)?.ok_or_else(|| {
            Failure::input("the model has no head for this task before it is trained")
                .hint("give the adapter of a run by `--adapter DIR`, or label words in [task]")
        })
    }
}

/// The settings; which of several methods' must be said.
fn experiment(raw: &RawExperiment, device: Option<DeviceChoice>) -> Result<Experiment, Failure> {
    let layers = raw.layers(device)?;
    layers.experiment(raw.method()).map_err(|error| match error {
        CompareError::Methods { names } => Failure::input(format!(
            "there are several methods: {}",
            names.join(", ")
        ))
        .hint(
            "choose one by `--method NAME`; without `--adapter DIR` it is the untuned model that is evaluated, \
             whichever you choose",
        ),
        other => other.into(),
    })
}

fn classes(split: &Split) -> Vec<usize> {
    let classes = split
        .examples
        .iter()
        .filter_map(|example| match example.target {
            Target::Class(class) => Some(class),
            _ => None,
        });
    classes.collect()
}
