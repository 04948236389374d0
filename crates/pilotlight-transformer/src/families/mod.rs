//! The families of models: one folder and one line of [`FAMILIES`] each.
//!
//! A family reads a Hugging Face `config.json` into a [`Blueprint`]: the shape of the network, and the table that
//! ties every tensor of a checkpoint to a parameter. Nothing else in this crate knows a family.

mod bert;
pub(crate) mod config;
mod gpt2;
mod llama;
mod mistral;
mod qwen2;
mod qwen3;

use pilotlight_core::ModelSpec;

use crate::{head::HeadConfig, model::NetworkConfig, parameters::ParameterTable};
use config::Config;

/// All families.
pub(crate) const FAMILIES: &[Family] = &[
    llama::FAMILY,
    mistral::FAMILY,
    qwen2::FAMILY,
    qwen3::FAMILY,
    gpt2::FAMILY,
    bert::FAMILY,
];

/// From a configuration, and whether the checkpoint holds a tensor of a name, to a blueprint.
pub(crate) type Read = fn(&Config, &dyn Fn(&str) -> bool) -> Blueprint;

/// A family of models.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family {
    /// The `model_type` of its configurations.
    pub(crate) model_type: &'static str,
    /// Reads a configuration. `has` says whether the checkpoint holds a tensor, for parts that it may lack.
    ///
    /// What is wrong is recorded in the configuration; the blueprint is only used if nothing is.
    pub(crate) read: Read,
}

/// Everything needed to build a model.
#[derive(Debug)]
pub(crate) struct Blueprint {
    /// The shape of the network.
    pub(crate) network: NetworkConfig,
    /// What methods may know.
    pub(crate) spec: ModelSpec,
    /// The names of all parameters.
    pub(crate) parameters: ParameterTable,
    /// The classification head.
    pub(crate) head: HeadConfig,
    /// Standard deviation of fresh parameters.
    pub(crate) initializer_range: f64,
}
