//! The methods that `pilot inspect` counts.

use std::path::Path;

use pilotlight_compare::{BaseConfig, BaseInit, Precision, base::trained_names};
use pilotlight_transformer::Model;
use pilotlight_tuners::TunerConfig;
use serde::Deserialize;

use super::n_trained;
use crate::{experiments::layers, failure::Failure};

/// A method that is counted.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) name: String,
    pub(super) tuner: TunerConfig,
    /// The parameters of the base that are trained, as in `base.train`.
    train: Vec<String>,
}

/// The methods that are counted where none is asked for, as far as they fit the model.
pub(super) fn usual(model: &Model) -> Result<Vec<Counted>, Failure> {
    let mut methods = Vec::new();
    for (name, text) in USUAL {
        let sections: Sections = toml::from_str(text).map_err(Failure::run)?;
        let method = Counted {
            name: name.to_owned(),
            tuner: sections.tuner.unwrap_or_default(),
            train: sections.base.train,
        };
        let trains_nothing = !method.train.is_empty() && n_trained(method.on(model)?) == 0;
        if !trains_nothing && method.tuner.problems(model.spec()).is_empty() {
            methods.push(method);
        }
    }
    Ok(methods)
}

impl Counted {
    /// The model with the parameters of the base that are trained.
    pub(super) fn on(&self, model: &Model) -> Result<Model, Failure> {
        let config = BaseConfig {
            model: String::new(),
            train: self.train.clone(),
            dtype: Precision::default(),
            init: BaseInit::default(),
            save: None,
        };
        let is_trained = trained_names(&config)?;
        Ok(model.clone().set_trained(&is_trained))
    }
}

/// The sections of a file that say what is trained.
#[derive(Deserialize)]
struct Sections {
    tuner: Option<TunerConfig>,
    #[serde(default)]
    base: TrainedBase,
    #[serde(default)]
    methods: toml::Table,
    preset: Option<String>,
}

#[derive(Default, Deserialize)]
struct TrainedBase {
    #[serde(default)]
    train: Vec<String>,
}

/// The methods of a comparison; or the one of a file, of which no more than its section `[tuner]` need be there.
pub(super) fn read_methods(what: &str) -> Result<Vec<Counted>, Failure> {
    let file = Path::new(what);
    if file.is_file() || what.ends_with(".toml") {
        let text = fs_err::read_to_string(file).map_err(|error| {
            Failure::input(error).hint("give an experiment file or a preset by `--method`")
        })?;
        let sections: Sections = toml::from_str(&text).map_err(|error| {
            Failure::input(format!("{what}: {}", error.to_string().trim_end()))
                .hint("write a section like [tuner] with `method = \"lora\"` and `rank = 8`")
        })?;
        if sections.methods.is_empty() && sections.preset.is_none() {
            let Some(mut tuner) = sections.tuner else {
                return Err(Failure::input(format!("{what} has no section [tuner]"))
                    .hint("write one with `method = \"lora\"` and `rank = 8`"));
            };
            tuner.anchor_paths(file.parent().unwrap_or(Path::new("")));
            let name = format!("{tuner} ({what})");
            let train = sections.base.train;
            return Ok(vec![Counted { name, tuner, train }]);
        }
    }
    let methods = layers(what)?.comparison()?.methods.into_values();
    let methods = methods.map(|method| Counted {
        tuner: method.first().tuner.clone(),
        train: method.first().base.train.clone(),
        name: method.label,
    });
    Ok(methods.collect())
}

/// Methods with usual settings.
const USUAL: [(&str, &str); 12] = [
    ("full fine-tuning", "base.train = [\".*\"]"),
    ("BitFit", "base.train = [\"\\\\.bias$\"]"),
    ("norms", "base.train = [\"(?i)norm\"]"),
    (
        "soft prompt, 20 vectors",
        "tuner = { method = \"soft-prompt\", prompt_length = 20 }",
    ),
    (
        "P-tuning, 20 vectors",
        "tuner = { method = \"soft-prompt\", prompt_length = 20, encoder = \"mlp\" }",
    ),
    (
        "deep prompt, 20 vectors",
        "tuner = { method = \"soft-prompt\", prompt_length = 20, deep = true }",
    ),
    (
        "prefix, 20 positions",
        "tuner = { method = \"prefix\", prefix_length = 20 }",
    ),
    ("LoRA, rank 8", "tuner = { method = \"lora\", rank = 8 }"),
    (
        "DoRA, rank 8",
        "tuner = { method = \"lora\", rank = 8, dora = true }",
    ),
    ("(IA)³", "tuner.method = \"ia3\""),
    (
        "adapters, width 64",
        "tuner = { method = \"bottleneck\", kind = \"houlsby\", bottleneck_dim = 64 }",
    ),
    (
        "soft prompt and LoRA",
        "tuner = { method = \"compose\", parts = [{ method = \"soft-prompt\" }, { method = \"lora\" }] }",
    ),
];
