//! The keys of `method = "lora"`.

use burn::tensor::{Device, TensorData};
use pilotlight_core::{ModelSpec, Site};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{Lora, LowRank, targets};
use crate::{
    error::{Problems, TunerError},
    lora::Targets,
    method::{InitContext, Method, Tensors},
    peft::PeftFields,
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
    /// Scale by `alpha / sqrt(rank)` instead (Kalajdzievski 2023), so that high ranks still learn.
    pub rslora: bool,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            dropout: 0.0,
            targets: None,
            rslora: false,
        }
    }
}

impl LoraConfig {
    /// The factor of the update.
    pub fn scale(&self) -> f64 {
        let rank = self.rank as f64;
        self.alpha / if self.rslora { rank.sqrt() } else { rank }
    }

    /// The projections that get an update, in the order of the layers.
    pub fn sites(&self, spec: &ModelSpec) -> Vec<Site> {
        match &self.targets {
            Some(targets) => targets.sites(spec),
            None => Targets::default_of(spec).sites(spec),
        }
    }

    /// Sites with the shapes of their factors, `[d_input, rank]` and `[rank, d_output]`, and their paths.
    fn shapes(&self, spec: &ModelSpec) -> Vec<(Site, [usize; 2], String)> {
        let shape = |site: Site| {
            let projection = spec.projection(site.projection)?;
            let shape = [projection.d_input, projection.d_output];
            Some((site, shape, spec.path(site)?))
        };
        self.sites(spec).into_iter().filter_map(shape).collect()
    }
}

impl Method for LoraConfig {
    type Tuner = Lora;
    const NAME: &'static str = "lora";
    const PEFT_TYPE: Option<&'static str> = Some("LORA");

    fn problems(&self, spec: &ModelSpec, problems: &mut Problems) {
        if self.rank == 0 {
            problems.push("rank", "must be at least 1");
        }
        if !(self.alpha > 0.0 && self.alpha.is_finite()) {
            problems.push("alpha", format!("is {}, which is not above 0", self.alpha));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            let message = format!("is {}; it must be from 0 to below 1", self.dropout);
            problems.push("dropout", message);
        }
        if let Some(targets) = &self.targets {
            targets.problems("targets", spec, problems);
        }
    }

    fn init(&self, context: &InitContext<'_>) -> Result<Lora, TunerError> {
        let mut random = context.random(Self::NAME);
        let updates = self
            .shapes(context.spec)
            .into_iter()
            .map(|(site, shape, _)| {
                let [d_input, d_output] = shape;
                // PyTorch's default for a linear layer, and PEFT's for this factor.
                let bound = 1.0 / (d_input as f64).sqrt();
                let a: Vec<f32> = (0..d_input * self.rank)
                    .map(|_| (bound * (2.0 * random.random::<f64>() - 1.0)) as f32)
                    .collect();
                let a = TensorData::new(a, [d_input, self.rank]);
                let b = TensorData::zeros::<f32, _>([self.rank, d_output]);
                LowRank::new(site, a, b, self.scale(), context.device)
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
        for (site, [d_input, d_output], path) in self.shapes(spec) {
            let [a, b] = names(&path);
            let a = tensors.take(&a, [self.rank, d_input]);
            let b = tensors.take(&b, [d_output, self.rank]);
            updates = match (updates, a, b) {
                (Some(mut updates), Some(a), Some(b)) => {
                    let [a, b] = [a, b].map(transposed);
                    updates.push(LowRank::new(site, a, b, self.scale(), device));
                    Some(updates)
                }
                _ => None,
            };
        }
        Some(Lora::new(self.clone(), updates?))
    }

    fn to_peft(&self, spec: &ModelSpec) -> Option<PeftFields> {
        let fields = PeftFields::default()
            .with("r", self.rank)
            .with("lora_alpha", self.alpha)
            .with("lora_dropout", self.dropout)
            .with("target_modules", targets::names_of(&self.sites(spec), spec))
            .with("bias", "none")
            .with("fan_in_fan_out", false)
            .with("use_rslora", self.rslora)
            .with("use_dora", false)
            .with("init_lora_weights", true);
        Some(fields)
    }

    fn from_peft(fields: &mut PeftFields) -> Option<Self> {
        let unsupported = [
            "use_dora",
            "use_qalora",
            "alora_invocation_tokens",
            "rank_pattern",
            "alpha_pattern",
            "exclude_modules",
            "layers_to_transform",
            "layer_replication",
            "target_parameters",
            "trainable_token_indices",
            "lora_bias",
        ];
        for name in unsupported {
            fields.refuse(name, &[]);
        }
        fields.refuse("bias", &["none".into()]);
        let targets = fields.get("target_modules").cloned();
        let targets = targets.and_then(|targets| serde_json::from_value(targets).ok());
        if targets.is_none() {
            fields.expected("target_modules", "a list of names or a text");
        }
        Some(Self {
            rank: fields.count("r")?,
            alpha: fields.number("lora_alpha", 8.0),
            dropout: fields.number("lora_dropout", 0.0),
            targets: Some(targets?),
            rslora: fields.flag("use_rslora"),
        })
    }
}

/// PEFT's names of the two factors.
fn names(path: &str) -> [String; 2] {
    ["A", "B"].map(|factor| format!("base_model.model.{path}.lora_{factor}.weight"))
}

/// PyTorch's layout `[d_output, d_input]` to Burn's, or back.
fn transposed(data: TensorData) -> TensorData {
    let [n_rows, n_columns] = data.shape().dims();
    let values: Vec<f32> = data.try_into_vec().expect("taken as f32");
    let values: Vec<f32> = (0..n_columns)
        .flat_map(|column| values.iter().skip(column).step_by(n_columns))
        .copied()
        .collect();
    TensorData::new(values, [n_columns, n_rows])
}
