//! `pilot eval`: what a run, or a model as it is, reaches on a split.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pilotlight_compare::{
    Base, CompareError, Experiment, GeneralText, Resolver, RunObserver, Stage, Writer,
    generated::TextOutcome, result::TestResult, run::untuned, statistics::majority_accuracy,
};
use pilotlight_data::{Split, Target, TaskData};
use pilotlight_train::{
    Adapters, Combination, SplitName, Tuned, evaluate, evaluate_ensemble, load_tuned,
};
use pilotlight_tuners::TunerConfig;
use serde_json::json;

use crate::{
    console::{Console, Output},
    devices::DeviceList,
    experiments::{Machine, RawExperiment},
    failure::Failure,
    loaded::{adapter_folder, bare},
    progress::RunProgress,
    results,
    team::EnsembleChoice,
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
  pilot eval runs/1 --adapter runs/1 --adapter runs/2 --adapter runs/3 --ensemble vote
  pilot eval default --method lora               the untuned model on the task of a preset")]
pub(crate) struct RawEval {
    #[command(flatten)]
    experiment: RawExperiment,
    /// Folder of an adapter, ours or PEFT's, or of a run; several make an ensemble
    #[arg(long, value_name = "DIR")]
    adapter: Vec<PathBuf>,
    /// Let all adapters answer each example together
    #[arg(long, value_name = "HOW", value_enum)]
    ensemble: Option<EnsembleChoice>,
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
    adapters: Vec<PathBuf>,
    ensemble: Option<Combination>,
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

impl From<SplitChoice> for SplitName {
    fn from(choice: SplitChoice) -> Self {
        match choice {
            SplitChoice::Train => Self::Train,
            SplitChoice::Validation => Self::Validation,
            SplitChoice::Test => Self::Test,
        }
    }
}

impl Eval {
    pub(crate) fn new(raw: &RawEval, device: Option<DeviceList>) -> Result<Self, Failure> {
        let given = raw.adapter.iter().map(|given| adapter_folder(given));
        let mut adapters: Vec<PathBuf> = given.collect::<Result<_, _>>()?;
        if let (true, Some(run)) = (adapters.is_empty(), raw.experiment.run()) {
            adapters.push(adapter_folder(&run.join("adapter"))?);
        }
        let of_ensemble = adapters.len() > 1;
        if of_ensemble != raw.ensemble.is_some() {
            return Err(match of_ensemble {
                true => Failure::input("several adapters are given")
                    .hint("let them answer together by `--ensemble average` or `--ensemble vote`"),
                false => Failure::input("an ensemble has two adapters or more")
                    .hint("give each of them by `--adapter DIR`"),
            });
        }
        let mut experiment = experiment(&raw.experiment, device)?;
        // The texts must leave room for the vectors of the longest.
        let given = adapters.iter().cloned().map(TunerConfig::Saved);
        if let Some(longest) = given.max_by_key(TunerConfig::reserve) {
            experiment.config.tuner = longest;
        }
        Ok(Self {
            experiment,
            adapters,
            ensemble: raw.ensemble.map(Combination::from),
            split: raw.split,
            json: raw.json,
        })
    }

    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        let Experiment { config, origins } = &self.experiment;
        let machine = Machine::new(console);
        let mut progress = RunProgress::new(console, &machine);
        progress.stage(Stage::Load);
        let device = machine.device(&config.device, config.base.dtype)?;
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
        let batch_size = config.train.eval_batch_size;
        let bootstrap = config.report.bootstrap();
        let (mut written, mut forgetting) = (Vec::new(), None);
        let evaluation = match self.ensemble {
            Some(combination) => {
                let mut adapters = Adapters::new(bare(&base));
                for folder in &self.adapters {
                    adapters.load(folder)?;
                }
                progress.stage(Stage::Test);
                evaluate_ensemble(
                    &adapters,
                    combination,
                    &data,
                    split,
                    batch_size,
                    &mut progress,
                )?
            }
            None => {
                let tuned = self.tuned(&base, &data)?;
                progress.stage(Stage::Test);
                let evaluation = evaluate(&tuned, &data, split, batch_size, &mut progress)?;
                if let Some(writer) = Writer::new(&base, config, self.split.into())? {
                    progress.stage(Stage::Generate);
                    written = writer.write(&tuned, split, batch_size, &mut progress)?;
                }
                if !self.adapters.is_empty() {
                    progress.stage(Stage::General);
                    let texts = GeneralText::before(&base, config, origins, &mut progress)?;
                    forgetting = match texts {
                        Some(texts) => {
                            texts.forgetting(&texts.after(&tuned, &mut progress)?, &bootstrap)
                        }
                        None => None,
                    };
                }
                evaluation
            }
        };
        drop(progress);

        let texts = TextOutcome::all(&evaluation, split, written);
        let result = TestResult::new(&evaluation, &texts, &data, split, &bootstrap);
        let majority = majority_accuracy(&classes(&data.train), &classes(split));
        let mut output = Output::open();
        if self.json {
            output.json(&json!({
                "split": self.split.name(),
                "n_examples": result.n_examples,
                "n_tokens": evaluation.n_tokens,
                "loss": result.loss,
                "accuracy": result.accuracy,
                "macro_f1": result.macro_f1,
                "mcc": result.mcc,
                "perplexity": result.perplexity,
                "generated": result.generated,
                "forgetting": forgetting,
                "majority_accuracy": majority,
            }))?;
        } else {
            output.line(&format!(
                "{}: {}",
                self.split.name(),
                results::test(&result)
            ))?;
            if let Some(forgetting) = &forgetting {
                output.line(&results::forgetting(forgetting))?;
            }
            if let Some(majority) = majority {
                output.line(&format!("always the most frequent class: {majority:.3}"))?;
            }
        }
        output.flush()
    }

    fn tuned(&self, base: &Base, data: &TaskData) -> Result<Tuned, Failure> {
        if let Some(adapter) = self.adapters.first() {
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
fn experiment(raw: &RawExperiment, device: Option<DeviceList>) -> Result<Experiment, Failure> {
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
