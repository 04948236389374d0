//! What an experiment file says.

use indexmap::IndexMap;
use pilotlight_data::{DataConfig, TaskConfig, TaskKind};
use pilotlight_train::TrainConfig;
use pilotlight_tuners::TunerConfig;
use serde::{Deserialize, Serialize};

use crate::{
    budget::Budget,
    ensembles::{EnsembleConfig, EnsemblesConfig},
    error::CompareError,
    forgetting::GeneralConfig,
    generated::GenerateConfig,
    layers::{Experiment, Origins},
    run::BOOTSTRAP_SEED,
    search::SearchConfig,
    shard::Shard,
    statistics::Bootstrap,
    survey::Survey,
};

/// All settings of one run: what `resolved.toml` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentConfig {
    /// Seed of everything that is drawn: initial values, order of the examples, splits.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Where tensors live: `auto` or the name of a device, as `pilot devices` lists them; several, with commas between,
    /// share every batch.
    #[serde(default = "default_device")]
    pub device: String,
    /// The pretrained model.
    pub base: BaseConfig,
    /// The records.
    pub data: DataConfig,
    /// What a record asks of the model.
    pub task: TaskConfig,
    /// The method.
    pub tuner: TunerConfig,
    /// How it is trained.
    #[serde(default)]
    pub train: TrainConfig,
    /// What is measured at the end.
    #[serde(default)]
    pub report: ReportConfig,
    /// The adapters of other runs that are tested together, in place of one that is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ensemble: Option<EnsembleConfig>,
}

/// Section `[base]`: the pretrained model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseConfig {
    /// Folder of the model, its name on a hub, or `embedded:NAME`.
    pub model: String,
    /// Regular expressions; base parameters whose Hugging Face name one of them matches are trained. `[".*"]` is full
    /// fine-tuning, `["\\.bias$"]` is BitFit.
    #[serde(default)]
    pub train: Vec<String>,
    /// Type in which the model computes.
    #[serde(default)]
    pub dtype: Precision,
    /// Where its parameters come from.
    #[serde(default)]
    pub init: BaseInit,
    /// Type in which the whole trained model is saved as a folder of its own, beside the adapter; by default it is
    /// where `init = "random"`, in the type it was trained in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub save: Option<Precision>,
}

/// Type in which a model computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, of which 10 are of the fraction.
    F16,
    /// 16 bits, of which 7 are of the fraction.
    Bf16,
}

/// Where the parameters of the base model come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaseInit {
    /// Its checkpoint.
    #[default]
    Pretrained,
    /// The seeded initialisation of its architecture: pretraining from nothing.
    Random,
}

/// Section `[report]`: what is measured behind the training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReportConfig {
    /// Whether the model is tested as it is: nothing is trained or saved.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub test_only: bool,
    /// Whether the model is trained to see what it reaches on the validation examples: it is neither tested nor saved.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub trial: bool,
    /// Whether a test set that `data.limit_test` shortens is also tested as a whole.
    pub whole_test: bool,
    /// Resamples of the bootstrap interval.
    pub resamples: usize,
    /// Share of resamples that the interval covers.
    pub confidence: f64,
    /// Test examples that are timed one by one, with the adapter and without it; 0 for none.
    #[serde(skip_serializing_if = "is_usual")]
    pub timed_requests: usize,
    /// How texts are written for the test examples of a completion task; without it none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generate: Option<GenerateConfig>,
    /// General text on which is measured what training makes a language model forget; without it that is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub general: Option<GeneralConfig>,
}

/// What `timed_requests` is unless somebody says otherwise.
const TIMED_REQUESTS: usize = 20;

/// Settings of older versions do not have it, and are the same settings.
fn is_usual(timed_requests: &usize) -> bool {
    *timed_requests == TIMED_REQUESTS
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self {
            test_only: false,
            trial: false,
            whole_test: false,
            resamples: 10_000,
            confidence: 0.95,
            timed_requests: TIMED_REQUESTS,
            generate: None,
            general: None,
        }
    }
}

impl ReportConfig {
    /// What is wrong with what is measured of texts.
    fn text_problems(&self, kind: TaskKind) -> Vec<(String, String, String)> {
        let mut problems = Vec::new();
        let mut add = |key: &str, message: String, hint: &str| {
            problems.push((format!("report.{key}"), message, hint.to_owned()));
        };
        let at_least = |least: usize, found| format!("expected at least {least}, found {found}");
        if let Some(generate) = &self.generate {
            if kind != TaskKind::Completion {
                let message = "texts are generated in tasks of completion alone".into();
                add(
                    "generate",
                    message,
                    "set `kind = \"completion\"` in [task], or leave it out",
                );
            }
            if generate.max_tokens == 0 {
                add("generate.max_tokens", at_least(1, 0), "");
            }
        }
        if let Some(general) = &self.general {
            if general.limit == 0 {
                add("general.limit", at_least(1, 0), "");
            }
            if general.max_tokens < 2 {
                let message = at_least(2, general.max_tokens);
                add(
                    "general.max_tokens",
                    message,
                    "nothing predicts the first token of a text",
                );
            }
        }
        problems
    }

    /// The bootstrap of its intervals. Equal outcomes have equal intervals: its seed is not that of the run.
    pub fn bootstrap(&self) -> Bootstrap {
        Bootstrap {
            resamples: self.resamples,
            confidence: self.confidence,
            seed: BOOTSTRAP_SEED,
        }
    }
}

/// Several methods on the same task: an experiment file with `[methods.NAME]` tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Name of the preset or file.
    pub name: String,
    /// Each method is run with each of these seeds.
    pub seeds: Vec<u64>,
    /// The settings that have several values, in the order of the file.
    pub axes: Vec<Axis>,
    /// How the learning rate of every method is searched for; without it, each has its own.
    pub search: Option<SearchConfig>,
    /// What every method is given; without it, each is trained as its settings say.
    pub budget: Option<Budget>,
    /// Examples of each class that the untuned base is shown in context, for as many baselines; by default what fits.
    pub shots: Option<Vec<usize>>,
    /// These baselines, once a [survey](crate::Survey) has found out which the models can do.
    pub few_shot: Vec<FewShot>,
    /// Ensembles of every method's runs.
    pub ensembles: Option<EnsemblesConfig>,
    /// The part of it that is carried out here; without it, all.
    pub shard: Option<Shard>,
    /// The methods in the order of the file.
    pub methods: IndexMap<String, MethodConfig>,
}

/// The untuned base with examples in context.
#[derive(Debug, Clone, PartialEq)]
pub struct FewShot {
    /// The values of the axes that matter to it.
    pub point: AxisValues,
    /// Its settings; the seed, by which the examples are drawn, is replaced by each of the comparison's.
    pub config: ExperimentConfig,
}

/// A setting that has several values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// The setting in dotted form, such as `tuner.prompt_length`.
    pub key: String,
    /// Its values in the order of the file; those of all methods where methods differ.
    pub values: Vec<toml::Value>,
}

/// The values of the axes at which a method is run, by their dotted keys; empty where there are no axes.
pub type AxisValues = IndexMap<String, toml::Value>;

/// One method of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodConfig {
    /// Its name in tables.
    pub label: String,
    /// What it is run with: the full cross product of the axes that apply to it; never empty.
    pub points: Vec<Point>,
}

/// One choice of a value from every axis of a method.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The values.
    pub values: AxisValues,
    /// The settings of the runs; the seed is replaced by each of the comparison's.
    pub config: ExperimentConfig,
    /// Where they were written, for messages.
    pub origins: Origins,
}

impl Point {
    /// The settings with these values.
    pub fn new(values: AxisValues, experiment: Experiment) -> Self {
        let Experiment { config, origins } = experiment;
        Self {
            values,
            config,
            origins,
        }
    }
}

impl Comparison {
    /// The comparison as its models and data let it be: within its budget, and with the baselines that they allow.
    ///
    /// # Errors
    ///
    /// If there is no room for the budget.
    pub fn settled(mut self, survey: &Survey) -> Result<Self, CompareError> {
        self.few_shot = survey.few_shot.clone();
        self.within_budget(survey)
    }

    /// How the methods are treated alike, a sentence each.
    pub(crate) fn protocol(&self) -> Vec<String> {
        let search = self.search.iter().map(SearchConfig::in_words);
        let first = self.methods.values().next();
        let first = first.map_or("", |method| &method.label);
        let budget = self.budget.iter().map(|budget| budget.in_words(first));
        budget.chain(search).collect()
    }
}

impl MethodConfig {
    /// The settings at the first point.
    pub fn first(&self) -> &ExperimentConfig {
        &self.points[0].config
    }
}

impl ExperimentConfig {
    /// Everything about the values that can be told without the model, as `(key, what is wrong, hint)`.
    pub fn problems(&self) -> Vec<(String, String, String)> {
        let mut problems = Vec::new();
        for (index, pattern) in self.base.train.iter().enumerate() {
            if let Err(error) = regex::Regex::new(pattern) {
                problems.push((
                    format!("base.train[{index}]"),
                    format!("is not a regular expression: {}", last_line(&error)),
                    "\".*\" trains everything, \"\\\\.bias$\" all that ends in .bias".into(),
                ));
            }
        }
        if self.base.init == BaseInit::Random && self.base.train.is_empty() {
            problems.push((
                "base.init".into(),
                "a random base that is not trained learns nothing".into(),
                "add `train = [\".*\"]` to [base]".into(),
            ));
        }
        if self.ensemble.is_some() && !self.report.test_only {
            problems.push((
                "ensemble".into(),
                "is tested and not trained".into(),
                "set `test_only = true` in [report]".into(),
            ));
        }
        for (key, message) in self.train.problems() {
            problems.push((format!("train.{key}"), message, String::new()));
        }
        problems.extend(self.report.text_problems(self.task.kind));
        if self.report.resamples == 0 {
            let message = "expected at least 1, found 0".into();
            problems.push(("report.resamples".into(), message, String::new()));
        }
        if !(self.report.confidence > 0.0 && self.report.confidence < 1.0) {
            problems.push((
                "report.confidence".into(),
                format!(
                    "expected a number between 0 and 1, found {}",
                    self.report.confidence
                ),
                "0.95 is usual".into(),
            ));
        }
        problems
    }

    /// Whether any base parameter is trained.
    pub fn trains_base(&self) -> bool {
        !self.base.train.is_empty()
    }
}

fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

fn default_seed() -> u64 {
    1
}

fn default_device() -> String {
    "auto".into()
}
