//! LoRA: low-rank updates of frozen projections (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language
//! Models").
//!
//! A projection `y = x W + c` becomes
//!
//! `y = x W + c + s * dropout(x) A B`, with `s = alpha / rank`,
//!
//! where `A` `[d_input, rank]` starts uniform in `±1 / sqrt(d_input)` and `B` `[rank, d_output]` at zero, so that a
//! new tuner changes nothing. The product `A B` is never formed in training: the update is a side path of two thin
//! matrices. It trains `rank * (d_input + d_output)` numbers per projection.
//!
//! The same mathematics as PEFT's, whose factors are the transposes of these.

pub mod config;
mod low_rank;
#[cfg(test)]
mod tests;

use burn::{
    module::Module,
    nn::{Dropout, DropoutConfig, Linear},
    tensor::{DType, Tensor},
};
use pilotlight_core::{Site, Tuner};

pub use self::{config::LoraConfig, low_rank::LowRank};

/// Low-rank updates of some projections.
#[derive(Module, Debug)]
pub struct Lora {
    /// The updates, ordered by their sites.
    pub updates: Vec<LowRank>,
    /// Dropout on the input of the updates; Burn's generator of the device draws it.
    pub dropout: Dropout,
    #[module(skip)]
    pub(crate) config: LoraConfig,
}

impl Lora {
    pub(crate) fn new(config: LoraConfig, mut updates: Vec<LowRank>) -> Self {
        updates.sort_by_key(|update| update.site);
        Self {
            updates,
            dropout: DropoutConfig::new(config.dropout).init(),
            config,
        }
    }

    /// The update of a projection, if it has one.
    pub fn update(&self, site: Site) -> Option<&LowRank> {
        let index = self
            .updates
            .binary_search_by_key(&site, |update| update.site);
        Some(&self.updates[index.ok()?])
    }
}

impl Tuner for Lora {
    fn project_output(
        &self,
        site: Site,
        _base: &Linear,
        input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        let Some(update) = self.update(site) else {
            return output;
        };
        let dtype = output.dtype();
        let input = self.dropout.forward(input.clone().cast(DType::F32));
        output + update.forward(input).cast(dtype)
    }

    fn merged_output(&self, site: Site, base: &Linear) -> Option<Linear> {
        Some(self.update(site)?.merged(base))
    }
}
