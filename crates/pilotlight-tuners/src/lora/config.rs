//! The keys of `method = "lora"`.

use burn::{
    module::ParamId,
    tensor::{Device, TensorData},
};
use indexmap::IndexMap;
use pilotlight_core::ModelSpec;
use serde::{Deserialize, Serialize};

use super::{Lora, LowRank, Magnitude, low_rank::Weight, place::Place, plan::Planned};
use crate::{
    error::{Problems, TunerError},
    method::{InitContext, Method, Tensors},
    peft::PeftFields,
    random::{fan_in_uniform, normal},
    targets::Targets,
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
    /// The projections; by default queries and values, or the fused matrix of both and the keys. The word embeddings
    /// and the language-model head may be named too.
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
    /// Learn the lengths of the weight's columns apart from their directions.
    pub dora: bool,
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
            dora: false,
        }
    }
}

impl Method for LoraConfig {
    type Tuner = Lora;
    const NAME: &'static str = "lora";
    const PEFT_TYPES: &'static [&'static str] = &["LORA"];

    fn merges(&self) -> bool {
        true
    }

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
        let mut updates = Vec::new();
        for planned in self.plan(context.spec()) {
            let Planned {
                place,
                d_input,
                d_output,
                rank,
                scale,
                ..
            } = planned;
            let [a, b] = match place {
                Place::Words => {
                    let b = normal(&mut random, rank * d_output).into_iter();
                    let b: Vec<f32> = b.map(|value| value as f32).collect();
                    [
                        TensorData::zeros::<f32, _>([d_input, rank]),
                        TensorData::new(b, [rank, d_output]),
                    ]
                }
                Place::Layer(_) | Place::Head => [
                    fan_in_uniform(&mut random, d_input, rank),
                    TensorData::zeros::<f32, _>([rank, d_output]),
                ],
            };
            let update = LowRank::new(place, a, b, scale, context.device);
            let magnitude = match self.dora {
                true => Some(first_magnitude(&update, &planned, context)?),
                false => None,
            };
            updates.push(update.with_magnitude(magnitude));
        }
        Ok(Lora::new(self.clone(), updates))
    }

    fn of(tuner: &Lora) -> &Self {
        &tuner.config
    }

    fn tensors(tuner: &Lora, spec: &ModelSpec) -> Vec<(String, TensorData)> {
        super::format::tensors(tuner, spec)
    }

    fn restore(&self, tensors: &mut Tensors, spec: &ModelSpec, device: &Device) -> Option<Lora> {
        super::format::restore(self, tensors, spec, device)
    }

    fn to_peft(&self, spec: &ModelSpec) -> Option<PeftFields> {
        Some(super::format::to_peft(self, spec))
    }

    fn from_peft(fields: &mut PeftFields) -> Option<Self> {
        super::format::from_peft(fields)
    }

    fn rate_factors(_tuner: &Lora) -> Vec<(ParamId, f64)> {
        Vec::new()
    }
}

/// The lengths of the columns of a weight with its new update.
fn first_magnitude(
    update: &LowRank,
    planned: &Planned,
    context: &InitContext<'_>,
) -> Result<Magnitude, TunerError> {
    let weight = planned.weight("dora", context)?;
    let norm = update.norm(&Weight::of(&weight));
    let values = norm.squeeze_dim::<1>(0).into_data();
    Ok(Magnitude::new(values, context.device))
}
