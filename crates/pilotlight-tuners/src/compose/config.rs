//! The keys of `method = "compose"`.

use std::path::PathBuf;

use burn::{
    module::ParamId,
    tensor::{Device, TensorData},
};
use pilotlight_core::ModelSpec;
use serde::{Deserialize, Serialize};

use super::Compose;
use crate::{
    error::{Problems, TunerError},
    method::{InitContext, Method, Tensors},
    registry::{AnyTuner, TunerConfig},
};

/// The keys of `method = "compose"`.
///
/// ```toml
/// [tuner]
/// method = "compose"
/// parts = [{ method = "soft-prompt", prompt_length = 10 }, { method = "lora", rank = 4 }]
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ComposeConfig {
    /// The methods in their order, each with its keys; `{ from = "DIR" }` is a saved adapter.
    pub parts: Vec<TunerConfig>,
}

/// What stands in front of the keys of a part.
fn key(index: usize) -> String {
    format!("parts[{index}].")
}

/// What stands in front of the names of a part's tensors.
fn tensors_of(index: usize) -> String {
    format!("parts.{index}.")
}

impl ComposeConfig {
    fn total(&self, count: impl Fn(&TunerConfig) -> usize) -> usize {
        self.parts.iter().map(count).sum()
    }
}

impl Method for ComposeConfig {
    type Tuner = Compose;
    const NAME: &'static str = "compose";

    fn inserted(&self) -> usize {
        self.total(TunerConfig::inserted)
    }

    fn inserts_alone(&self) -> bool {
        self.parts.iter().any(TunerConfig::inserts_alone)
    }

    fn reserve(&self) -> usize {
        self.total(TunerConfig::reserve)
    }

    fn multiplications(&self, spec: &ModelSpec) -> usize {
        self.total(|part| part.multiplications(spec))
    }

    fn mentions(&self) -> Vec<(String, &str)> {
        let parts = self.parts.iter().enumerate();
        let mentions = parts.flat_map(|(index, part)| {
            let mentions = part.mentions().into_iter();
            mentions.map(move |(inner, part)| (key(index) + &inner, part))
        });
        mentions.collect()
    }

    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let parts = self.parts.iter_mut();
        parts.flat_map(TunerConfig::paths_mut).collect()
    }

    fn merges(&self) -> bool {
        let later = &self.parts[self.parts.len().min(1)..];
        self.parts.iter().all(TunerConfig::merges) && !later.iter().any(TunerConfig::reads_weights)
    }

    fn reads_weights(&self) -> bool {
        self.parts.iter().any(TunerConfig::reads_weights)
    }

    fn composed(&self) -> &[TunerConfig] {
        &self.parts
    }

    fn problems(&self, spec: &ModelSpec, problems: &mut Problems) {
        if self.parts.is_empty() {
            problems.push(
                "parts",
                "is empty\nhint: name the methods, such as `parts = [{ method = \"prefix\" }, { method = \"lora\" }]`",
            );
        }
        for (index, part) in self.parts.iter().enumerate() {
            if part.is_untuned() {
                let message = "adds nothing to the other parts\nhint: leave it out";
                problems.push(key(index) + "method", message);
            }
            let mut inner = Problems::default();
            part.own_problems(spec, &mut inner);
            problems.extend_from(&key(index), inner);
        }
        let inserting = self.parts.iter().filter(|part| part.inserted() > 0);
        if inserting.count() > 1 {
            let alone = (0..)
                .zip(&self.parts)
                .filter(|(_, part)| part.inserts_alone());
            for (index, part) in alone {
                let message = format!(
                    "cannot stand beside another part that inserts vectors: this `{part}` must be the only one\n\
                     hint: leave out one of the two"
                );
                problems.push(format!("parts[{index}]"), message);
            }
        }
        let reserve = self.reserve();
        if problems.is_empty() && reserve >= spec.n_positions {
            let message = format!(
                "take {reserve} positions together, which leaves no room for a text: the model takes {}",
                spec.n_positions
            );
            problems.push("parts", message);
        }
    }

    fn init(&self, context: &InitContext<'_>) -> Result<Compose, TunerError> {
        let mut problems = Problems::default();
        let mut tuners = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            match part.init(&context.of_part(index)) {
                Ok(tuner) => tuners.push(tuner),
                Err(TunerError::Keys(inner)) => problems.extend_from(&key(index), inner),
                Err(other) => return Err(other),
            }
        }
        problems.into_result()?;
        Ok(Compose::new(tuners))
    }

    fn saved(&self) -> Self {
        Self {
            parts: self.parts.iter().map(TunerConfig::saved).collect(),
        }
    }

    fn of(tuner: &Compose) -> &Self {
        &tuner.config
    }

    fn tensors(tuner: &Compose, spec: &ModelSpec) -> Vec<(String, TensorData)> {
        let parts = tuner.parts.iter().enumerate();
        let tensors = parts.flat_map(|(index, part)| {
            let tensors = part.tensors(spec).into_iter();
            tensors.map(move |(name, data)| (tensors_of(index) + &name, data))
        });
        tensors.collect()
    }

    fn restore(&self, tensors: &mut Tensors, spec: &ModelSpec, device: &Device) -> Option<Compose> {
        // All are taken before the first incomplete one counts, so that one report names all that is missing.
        let restored: Vec<Option<AnyTuner>> = (0..)
            .zip(&self.parts)
            .map(|(index, part)| {
                tensors.within(&tensors_of(index), |own| part.restore(own, spec, device))
            })
            .collect();
        let parts: Option<Vec<AnyTuner>> = restored.into_iter().collect();
        Some(Compose::new(parts?))
    }

    fn rate_factors(tuner: &Compose) -> Vec<(ParamId, f64)> {
        let parts = tuner.parts.iter();
        parts.flat_map(AnyTuner::rate_factors).collect()
    }
}
