//! The keys of `method = "lora"`.

use burn::{
    module::ParamId,
    tensor::{Device, TensorData},
};
use indexmap::IndexMap;
use pilotlight_core::ModelSpec;
use serde::{Deserialize, Serialize};

use super::{
    Lora, LoraBias, LoraInit, LowRank, Magnitude, low_rank::Weight, plan::Planned, target::Target,
};
use crate::{
    error::{Problems, TunerError},
    method::{InitContext, Method, Tensors},
    peft::PeftFields,
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
    /// How the factors start.
    pub init: LoraInit,
    /// Which biases are trained too.
    pub bias: LoraBias,
    /// B and all vectors learn at this multiple of the learning rate (LoRA+).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plus_ratio: Option<f64>,
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
            init: LoraInit::default(),
            bias: LoraBias::default(),
            plus_ratio: None,
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

    fn reads_weights(&self) -> bool {
        self.dora
    }

    fn multiplications(&self, spec: &ModelSpec) -> usize {
        let plan = self.plan(spec);
        let inside = plan
            .iter()
            .filter(|it| matches!(it.target, Target::Layer(_)));
        inside.map(|it| it.rank * (it.d_input + it.d_output)).sum()
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
        if let Some(ratio) = self
            .plus_ratio
            .filter(|ratio| !(1.0..f64::INFINITY).contains(ratio))
        {
            let message = format!("is {ratio}; B should learn at least as fast as A");
            problems.push("plus_ratio", message);
        }
        self.check_targets(spec, problems);
        self.init.check(&self.plan(spec), problems);
    }

    fn init(&self, context: &InitContext<'_>) -> Result<Lora, TunerError> {
        let planned = self.plan(context.spec());
        let mut random = context.random(Self::NAME);
        let factors = self.init.factors(&planned, &mut random, context)?;
        let mut updates = Vec::with_capacity(planned.len());
        for (planned, [a, b]) in planned.iter().zip(factors) {
            let mut update = LowRank::new(planned.target, a, b, planned.scale, context.device);
            if self.init.takes_off() {
                update = update.taken_off();
            }
            let magnitude = match self.dora {
                true => Some(first_magnitude(&update, planned, context)?),
                false => None,
            };
            let bias = self.bias.of(planned, context)?;
            let update = update.with_magnitude(magnitude);
            updates.push(update.with_bias(bias, context.device));
        }
        self.bias.check(&updates)?;
        Ok(Lora::new(self.clone(), updates))
    }

    fn saved(&self) -> Self {
        if !self.init.takes_off() {
            return self.clone();
        }
        // Twice the rank at the same scale.
        let factor = match self.rslora {
            true => std::f64::consts::SQRT_2,
            false => 2.0,
        };
        let mut saved = self.clone();
        saved.init = LoraInit::default();
        saved.rank *= 2;
        saved.alpha *= factor;
        saved.rank_pattern.values_mut().for_each(|rank| *rank *= 2);
        saved
            .alpha_pattern
            .values_mut()
            .for_each(|alpha| *alpha *= factor);
        saved
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

    fn rate_factors(tuner: &Lora) -> Vec<(ParamId, f64)> {
        let Some(ratio) = tuner.config.plus_ratio else {
            return Vec::new();
        };
        let inside = tuner
            .updates
            .iter()
            .filter(|update| update.target != Target::Words);
        let ids = inside.flat_map(|update| {
            let magnitude = update.magnitude.as_ref();
            let magnitude = magnitude.map(|magnitude| magnitude.values.id);
            let bias = update.bias.as_ref().map(|bias| bias.id);
            std::iter::once(update.b.id).chain(magnitude).chain(bias)
        });
        ids.map(|id| (id, ratio)).collect()
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
