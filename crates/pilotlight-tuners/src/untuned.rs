//! `method = "none"`: no tuner, for full fine-tuning, trained base parts and the untuned baseline.

use burn::{
    module::Module,
    tensor::{Device, TensorData},
};
use pilotlight_core::{EmbeddedRow, ModelSpec, Tuner};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Problems, TunerError},
    method::{InitContext, Method, Tensors},
};

/// The keys of `method = "none"`: there are none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UntunedConfig {}

/// The tuner that changes nothing and has no parameters.
#[derive(Module, Debug, Default)]
pub struct Untuned {
    #[module(skip)]
    config: UntunedConfig,
}

impl Tuner for Untuned {
    fn untouched(&self, _index: usize, row: &EmbeddedRow) -> usize {
        row.len
    }
}

impl Method for UntunedConfig {
    type Tuner = Untuned;
    const NAME: &'static str = "none";

    fn merges(&self) -> bool {
        true
    }

    fn problems(&self, _spec: &ModelSpec, _problems: &mut Problems) {}

    fn init(&self, _context: &InitContext<'_>) -> Result<Untuned, TunerError> {
        Ok(Untuned { config: Self {} })
    }

    fn of(tuner: &Untuned) -> &Self {
        &tuner.config
    }

    fn tensors(_tuner: &Untuned, _spec: &ModelSpec) -> Vec<(String, TensorData)> {
        Vec::new()
    }

    fn restore(
        &self,
        _tensors: &mut Tensors,
        _spec: &ModelSpec,
        _device: &Device,
    ) -> Option<Untuned> {
        Some(Untuned { config: Self {} })
    }
}
