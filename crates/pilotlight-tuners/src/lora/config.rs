//! The keys of `method = "lora"`.

use burn::tensor::{Device, TensorData};
use indexmap::IndexMap;
use pilotlight_core::{ModelSpec, Site};
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Lora, LowRank};
use crate::{
    error::{Problems, TunerError},
    method::{InitContext, Method, Tensors, transposed},
    peft::PeftFields,
    random::fan_in_uniform,
    targets::{self, Targets},
};

/// The keys of `method = "lora"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraConfig {
    /// Rank of the update.
    pub rank: usize,
    /// The update is scaled by `alpha / rank`.
    pub alpha: f64,
    /// Probability of dropout on the input of the update.
    pub dropout: f64,
    /// The projections; by default queries and values, or the fused matrix of both and the keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Targets>,
    /// Projections that are left out after all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Targets>,
    /// The layers, from 0; by default all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<usize>>,
    /// Other ranks for some projections: the first regular expression that matches the end of a path, from a dot
    /// on, decides.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub rank_pattern: IndexMap<String, usize>,
    /// Other values of `alpha`, likewise.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub alpha_pattern: IndexMap<String, f64>,
    /// Scale by `alpha / sqrt(rank)` instead (Kalajdzievski 2023), so that high ranks still learn.
    pub rslora: bool,
}

/// One projection, and the update it gets.
#[derive(Debug, Clone, PartialEq)]
struct Planned {
    site: Site,
    path: String,
    d_input: usize,
    d_output: usize,
    rank: usize,
    scale: f64,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            dropout: 0.0,
            targets: None,
            exclude: None,
            layers: None,
            rank_pattern: IndexMap::new(),
            alpha_pattern: IndexMap::new(),
            rslora: false,
        }
    }
}

impl LoraConfig {
    /// The projections that get an update, in the order of the layers.
    pub fn sites(&self, spec: &ModelSpec) -> Vec<Site> {
        let planned = self.plan(spec).into_iter();
        planned.map(|planned| planned.site).collect()
    }

    fn plan(&self, spec: &ModelSpec) -> Vec<Planned> {
        let targets = match &self.targets {
            Some(targets) => targets.sites(spec),
            None => Targets::default_of(spec).sites(spec),
        };
        let excluded = match &self.exclude {
            Some(exclude) => exclude.sites(spec),
            None => Vec::new(),
        };
        let in_layers = |site: Site| match &self.layers {
            Some(layers) => layers.contains(&site.layer),
            None => true,
        };
        targets
            .into_iter()
            .filter(|target| in_layers(target.0) && !excluded.contains(target))
            .filter_map(|(site, path)| {
                let projection = spec.projection(site.projection)?;
                let rank = *first_match(&self.rank_pattern, &path).unwrap_or(&self.rank);
                let alpha = *first_match(&self.alpha_pattern, &path).unwrap_or(&self.alpha);
                let divisor = match self.rslora {
                    true => (rank as f64).sqrt(),
                    false => rank as f64,
                };
                Some(Planned {
                    site,
                    path,
                    d_input: projection.d_input,
                    d_output: projection.d_output,
                    rank,
                    scale: alpha / divisor,
                })
            })
            .collect()
    }

    fn check_targets(&self, spec: &ModelSpec, problems: &mut Problems) {
        if let Some(targets) = &self.targets {
            targets.problems("targets", spec, problems);
        }
        if let Some(exclude) = &self.exclude {
            exclude.problems("exclude", spec, problems);
        }
        for layer in self.layers.iter().flatten() {
            if *layer >= spec.n_layers {
                let message = format!("has {layer}, but the model has {} layers", spec.n_layers);
                problems.push("layers", message);
            }
        }
        let planned = self.plan(spec);
        if planned.is_empty() && problems.is_empty() {
            problems.push("targets", "leave no projection to update");
        }
        let keys = self.rank_pattern.keys().map(|key| ("rank_pattern", key));
        let keys = keys.chain(self.alpha_pattern.keys().map(|key| ("alpha_pattern", key)));
        for (name, key) in keys {
            match ending(key) {
                Err(error) => {
                    problems.push(name, format!("`{key}` is no regular expression: {error}"));
                }
                Ok(regex) if !planned.iter().any(|planned| regex.is_match(&planned.path)) => {
                    problems.push(name, format!("`{key}` has no effect: no target ends in it"));
                }
                Ok(_) => {}
            }
        }
    }
}

/// A regular expression for the end of a path, from a dot on.
fn ending(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!(r"^(?:.*\.)?(?:{pattern})$"))
}

fn first_match<'a, T>(patterns: &'a IndexMap<String, T>, path: &str) -> Option<&'a T> {
    let mut patterns = patterns.iter();
    let found = patterns.find(|(key, _)| ending(key).is_ok_and(|regex| regex.is_match(path)))?;
    Some(found.1)
}

impl Method for LoraConfig {
    type Tuner = Lora;
    const NAME: &'static str = "lora";
    const PEFT_TYPES: &'static [&'static str] = &["LORA"];

    fn problems(&self, spec: &ModelSpec, problems: &mut Problems) {
        if self.rank == 0 || self.rank_pattern.values().any(|rank| *rank == 0) {
            problems.push("rank", "must be at least 1");
        }
        for alpha in std::iter::once(&self.alpha).chain(self.alpha_pattern.values()) {
            if !(*alpha > 0.0 && alpha.is_finite()) {
                problems.push("alpha", format!("is {alpha}, which is not above 0"));
            }
        }
        if !(0.0..1.0).contains(&self.dropout) {
            let message = format!("is {}; it must be from 0 to below 1", self.dropout);
            problems.push("dropout", message);
        }
        self.check_targets(spec, problems);
    }

    fn init(&self, context: &InitContext<'_>) -> Result<Lora, TunerError> {
        let mut random = context.random(Self::NAME);
        let updates = self.plan(context.spec()).into_iter().map(|planned| {
            let Planned {
                d_input,
                d_output,
                rank,
                ..
            } = planned;
            let a = fan_in_uniform(&mut random, d_input, rank);
            let b = TensorData::zeros::<f32, _>([rank, d_output]);
            LowRank::new(planned.site, a, b, planned.scale, context.device)
        });
        Ok(Lora::new(self.clone(), updates.collect()))
    }

    fn of(tuner: &Lora) -> &Self {
        &tuner.config
    }

    fn tensors(tuner: &Lora, spec: &ModelSpec) -> Vec<(String, TensorData)> {
        let mut tensors = Vec::new();
        for update in &tuner.updates {
            let Some(path) = spec.path(update.site) else {
                continue;
            };
            let [a, b] = names(&path);
            tensors.push((a, update.a.val().transpose().into_data()));
            tensors.push((b, update.b.val().transpose().into_data()));
        }
        tensors
    }

    fn restore(&self, tensors: &mut Tensors, spec: &ModelSpec, device: &Device) -> Option<Lora> {
        let mut updates = Some(Vec::new());
        // Goes on behind a missing tensor, so that one report names all of them.
        for planned in self.plan(spec) {
            let [a, b] = names(&planned.path);
            let a = tensors.take(&a, [planned.rank, planned.d_input]);
            let b = tensors.take(&b, [planned.d_output, planned.rank]);
            updates = match (updates, a, b) {
                (Some(mut updates), Some(a), Some(b)) => {
                    let [a, b] = [a, b].map(transposed);
                    updates.push(LowRank::new(planned.site, a, b, planned.scale, device));
                    Some(updates)
                }
                _ => None,
            };
        }
        Some(Lora::new(self.clone(), updates?))
    }

    fn to_peft(&self, spec: &ModelSpec) -> Option<PeftFields> {
        // PEFT reads a whole number as such, and warns of nothing else.
        let whole = self.alpha.fract() == 0.0 && self.alpha.abs() < 1e9;
        let alpha: Value = match whole {
            true => (self.alpha as i64).into(),
            false => self.alpha.into(),
        };
        // Layers and exclusions are resolved into the targets.
        let fields = PeftFields::default()
            .with("r", self.rank)
            .with("lora_alpha", alpha)
            .with("lora_dropout", self.dropout)
            .with("target_modules", targets::names_of(&self.sites(spec), spec))
            .with("rank_pattern", json!(self.rank_pattern))
            .with("alpha_pattern", json!(self.alpha_pattern))
            .with("bias", "none")
            .with("fan_in_fan_out", false)
            .with("use_rslora", self.rslora)
            .with("use_dora", false)
            .with("init_lora_weights", true);
        Some(fields)
    }

    fn from_peft(fields: &mut PeftFields) -> Option<Self> {
        for name in UNSUPPORTED {
            fields.refuse(name, &[]);
        }
        fields.refuse("bias", &["none".into()]);
        // The other inits change the base's weights, which are not in the adapter's file.
        let inits = [
            true.into(),
            "gaussian".into(),
            "orthogonal".into(),
            "eva".into(),
        ];
        fields.refuse("init_lora_weights", &inits);
        let targets: Option<Targets> = fields.read("target_modules", "a list of names or a text");
        if fields.get("target_modules").is_none() {
            fields.expected("target_modules", "a list of names or a text");
        }
        let layers = match fields.get("layers_to_transform") {
            Some(Value::Number(_)) => fields
                .read("layers_to_transform", "a layer or a list of layers")
                .map(|layer| vec![layer]),
            _ => fields.read("layers_to_transform", "a layer or a list of layers"),
        };
        let expected = "an object of names and numbers";
        Some(Self {
            rank: fields.count("r")?,
            alpha: fields.number("lora_alpha", 8.0),
            dropout: fields.number("lora_dropout", 0.0),
            targets: Some(targets?),
            exclude: fields.read("exclude_modules", "a list of names or a text"),
            layers,
            rank_pattern: fields.read("rank_pattern", expected).unwrap_or_default(),
            alpha_pattern: fields.read("alpha_pattern", expected).unwrap_or_default(),
            rslora: fields.flag("use_rslora"),
        })
    }
}

/// Fields of PEFT's that change the result and are not implemented here.
const UNSUPPORTED: [&str; 11] = [
    "use_dora",
    "use_qalora",
    "use_bdlora",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
    "layer_replication",
    "target_parameters",
    "trainable_token_indices",
    "lora_bias",
];

/// PEFT's names of the two factors.
fn names(path: &str) -> [String; 2] {
    ["A", "B"].map(|factor| format!("base_model.model.{path}.lora_{factor}.weight"))
}
