//! A loaded base model with its tokenizer, and a task prepared for it.

use std::{fmt, path::PathBuf};

use burn::tensor::{DType, Device};
use pilotlight_data::{DataError, Head, Place, PrepareOptions, TaskData, Tokenizer};
use pilotlight_transformer::{
    ClassificationHead, LoadOptions, Model, Pretrained, init_random, load_bytes, load_folder,
};
use regex::RegexSet;

use crate::{
    error::{CompareError, Problem, Problems},
    experiment::{BaseConfig, BaseInit, ExperimentConfig, Precision},
    layers::Origins,
    sources::{ModelSource, Resolver, data_sources},
};

/// A base model with its tokenizer.
#[derive(Debug)]
pub struct Base {
    /// The model, frozen.
    pub model: Model,
    /// The classification head of its checkpoint, if it has one.
    pub head: Option<ClassificationHead>,
    /// Names of that head's classes.
    pub labels: Vec<String>,
    /// Its `model_type`.
    pub family: &'static str,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Where it comes from.
    pub source: ModelSource,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Bf16];

    /// The type of tensors.
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }

    /// Bytes of a value.
    pub(crate) fn bytes(self) -> usize {
        self.dtype().size()
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

impl Base {
    /// Loads what `config` names onto `device`; `seed` is that of a random initialisation.
    ///
    /// # Errors
    ///
    /// If there is no such model, it cannot be read, or model and tokenizer do not belong together.
    pub fn load(
        config: &BaseConfig,
        seed: u64,
        resolver: &dyn Resolver,
        device: &Device,
    ) -> Result<Self, CompareError> {
        let source = ModelSource::find(&config.model, resolver)?;
        let options = LoadOptions {
            device: device.clone(),
            dtype: config.dtype.dtype(),
        };
        let (pretrained, tokenizer) = match &source {
            ModelSource::Folder(folder) => {
                // Read first: a tokenizer that is missing shows before the weights are loaded.
                let tokenizer = Tokenizer::from_folder(folder)?;
                let pretrained = match config.init {
                    BaseInit::Pretrained => load_folder(folder, &options)?,
                    BaseInit::Random => init_random(folder, seed, &options)?,
                };
                (pretrained, tokenizer)
            }
            ModelSource::Embedded(model) => {
                if config.init == BaseInit::Random {
                    return Err(Problem {
                        origin: None,
                        key: Some("base.init".into()),
                        message: "a random base is made from the config.json of a folder".into(),
                        hint: "name a folder as `model`".into(),
                    }
                    .into());
                }
                let tokenizer =
                    Tokenizer::from_bytes(model.tokenizer, Some(model.tokenizer_config), None)?;
                let pretrained = load_bytes(&config.model, model.config, model.weights, &options)?;
                (pretrained, tokenizer)
            }
        };
        let Pretrained {
            model,
            head,
            labels,
            family,
        } = pretrained;
        let model_words = model.spec().n_vocab;
        if tokenizer.n_vocab() > model_words {
            return Err(CompareError::Mismatch {
                model: config.model.clone(),
                tokenizer_words: tokenizer.n_vocab(),
                model_words,
            });
        }
        Ok(Self {
            model,
            head,
            labels,
            family,
            tokenizer,
            source,
        })
    }

    /// What reads a class off this model, unless a task says otherwise.
    pub fn default_head(&self) -> Head {
        match self.model.has_language_head() {
            true => Head::Verbalizer,
            false => Head::Linear,
        }
    }

    /// What data need to know of a run of this model that keeps `reserve` positions free.
    pub fn prepare_options(&self, seed: u64, reserve: usize) -> PrepareOptions {
        PrepareOptions {
            // The paths of a resolved experiment are absolute.
            folder: PathBuf::new(),
            seed,
            reserve,
            n_positions: self.model.spec().n_positions,
            head: self.default_head(),
        }
    }

    /// The task of an experiment, prepared for this model.
    ///
    /// # Errors
    ///
    /// All problems of the tuner's keys, of `base.train`, of the task and of the data in one report, with their
    /// origins where `origins` knows them.
    pub fn prepare(
        &self,
        config: &ExperimentConfig,
        origins: &Origins,
    ) -> Result<TaskData, CompareError> {
        let mut problems = Problems::default();
        let spec = self.model.spec();
        let of_tuner = config.tuner.problems(spec).into_iter();
        problems.extend(of_tuner.map(|problem| of_tuner_key(problem, origins)));
        problems.extend(self.idle_patterns(config, origins));
        let data = self.read_data(config);
        match data {
            Ok(data) => {
                let parts = data.train.examples.first().map(|example| {
                    let parts = example.input.anchors.parts.iter();
                    parts.map(|(name, _)| &**name).collect::<Vec<_>>()
                });
                let unknown = config.tuner.problems_with_parts(&parts.unwrap_or_default());
                problems.extend(unknown.into_iter().map(|it| of_tuner_key(it, origins)));
                problems.into_result()?;
                Ok(data)
            }
            Err(CompareError::Data(DataError::Problems(found))) => {
                let listed = found.listed().iter();
                problems.extend(listed.map(|problem| of_data(problem, origins)));
                if found.more() > 0 {
                    problems.push(Problem {
                        origin: None,
                        key: None,
                        message: format!("and {} more", found.more()),
                        hint: String::new(),
                    });
                }
                Err(CompareError::Settings(problems))
            }
            Err(CompareError::Settings(found)) => {
                problems.extend(found.listed().iter().map(|problem| Problem {
                    origin: problem.key.as_ref().and_then(|key| origins.of_key(key)),
                    ..problem.clone()
                }));
                Err(CompareError::Settings(problems))
            }
            Err(other) => Err(other),
        }
    }

    fn read_data(&self, config: &ExperimentConfig) -> Result<TaskData, CompareError> {
        let sources = data_sources(&config.data)?;
        let options = self.prepare_options(config.seed, config.tuner.reserve());
        let data = TaskData::prepare_from(
            &sources,
            &config.data,
            &config.task,
            &self.tokenizer,
            &options,
        )?;
        Ok(data)
    }

    /// Patterns of `base.train` that no parameter bears.
    fn idle_patterns(&self, config: &ExperimentConfig, origins: &Origins) -> Vec<Problem> {
        let names = self.model.parameter_names();
        let patterns = config.base.train.iter().enumerate();
        let idle = patterns.filter(|(_, pattern)| {
            let regex = regex::Regex::new(pattern);
            regex.is_ok_and(|regex| !names.iter().any(|name| regex.is_match(name)))
        });
        idle.map(|(index, pattern)| {
            let key = format!("base.train[{index}]");
            Problem {
                origin: origins.of_key(&key),
                key: Some(key),
                message: format!("no parameter's name matches `{pattern}`"),
                hint: match names.get(1).or(names.first()) {
                    Some(name) => format!("names are like {name}; `pilot inspect` lists them"),
                    None => String::new(),
                },
            }
        })
        .collect()
    }
}

/// Which base parameters are trained, by their Hugging Face names.
///
/// # Errors
///
/// If a pattern is no regular expression.
pub fn trained_names(config: &BaseConfig) -> Result<impl Fn(&str) -> bool + use<>, CompareError> {
    let patterns = RegexSet::new(&config.train).map_err(|error| {
        CompareError::from(Problem {
            origin: None,
            key: Some("base.train".into()),
            message: format!("is not a list of regular expressions: {error}"),
            hint: String::new(),
        })
    })?;
    Ok(move |name: &str| patterns.is_match(name))
}

fn of_tuner_key((key, message): (String, String), origins: &Origins) -> Problem {
    let key = format!("tuner.{key}");
    let (message, hint) = match message.split_once("\nhint: ") {
        Some((message, hint)) => (message.to_owned(), hint.to_owned()),
        None => (message, String::new()),
    };
    Problem {
        origin: origins.of_key(&key),
        key: Some(key),
        message,
        hint,
    }
}

fn of_data(problem: &pilotlight_data::Problem, origins: &Origins) -> Problem {
    let message = format!("expected {}, found {}", problem.expected, problem.found);
    let (origin, key) = match &problem.place {
        Place::Key(key) => (origins.of_key(key), Some(key.clone())),
        place => (Some(place.to_string()), None),
    };
    Problem {
        origin,
        key,
        message,
        hint: problem.hint.clone(),
    }
}
