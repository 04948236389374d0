//! (IA)³: learned factors on keys, values and the inner activations of the feed-forward (Liu et al. 2022, "Few-Shot
//! Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning").
//!
//! With one factor per column, `l` `[d_output]` or `[d_input]`, a projection `y = x W + c` becomes
//!
//! | projection | | of which |
//! |---|---|---|
//! | keys, values | `y = l * (x W + c)` | its output, bias included |
//! | feed-forward | `y = (l * x) W + c` | the input of the narrowing projection |
//!
//! The factors start at one, so that a new tuner changes nothing, and can be folded into the weights without a
//! trace. It trains `n_layers * (2 * n_kv_heads * d_head + d_ff)` numbers. Where one matrix makes queries, keys and
//! values (GPT-2), its whole output is scaled, queries too, as in PEFT.
//!
//! The defaults are the paper's. PEFT's own differ for two families: for Qwen2 it scales queries in place of keys,
//! and for BERT the input of the attention's output projection too; `targets` can say the same here.

pub mod config;
#[cfg(test)]
mod tests;

use burn::{
    module::{Module, Param},
    nn::Linear,
    tensor::{DType, Device, Tensor, TensorData},
};
use pilotlight_core::{Site, Tuner};

pub use self::config::Ia3Config;

/// Learned factors on the outputs and inputs of some projections.
#[derive(Module, Debug)]
pub struct Ia3 {
    /// The factors, ordered by their sites.
    pub factors: Vec<Factors>,
    #[module(skip)]
    pub(crate) config: Ia3Config,
}

/// The factors of one projection.
#[derive(Module, Debug)]
pub struct Factors {
    /// One factor per column `[d_output]`, or `[d_input]` where the input is scaled.
    pub values: Param<Tensor<1>>,
    /// The projection.
    #[module(skip)]
    pub site: Site,
    /// What of it is scaled.
    #[module(skip)]
    pub side: Side,
}

/// The two sides of a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What it reads.
    Input,
    /// What it makes.
    Output,
}

impl Factors {
    fn new(site: Site, side: Side, values: TensorData, device: &Device) -> Self {
        Self {
            values: Param::from_data(values, device),
            site,
            side,
        }
    }

    /// # Shapes
    ///
    /// - input and output: `[n_batch, n_seq, values.len()]`
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let dtype = input.dtype();
        let scaled = input.cast(DType::F32) * self.values.val().unsqueeze();
        scaled.cast(dtype)
    }

    /// The projection with the factors multiplied into its weights.
    pub fn merged(&self, base: &Linear) -> Linear {
        let values = self.values.val().detach();
        let weight = base.weight.val();
        let dtype = weight.dtype();
        let columns = match self.side {
            Side::Input => values.clone().unsqueeze_dim::<2>(1),
            Side::Output => values.clone().unsqueeze_dim::<2>(0),
        };
        let weight = (weight.cast(DType::F32) * columns).cast(dtype);
        let bias = base.bias.as_ref().map(|bias| match self.side {
            Side::Input => bias.clone(),
            Side::Output => frozen((bias.val().cast(DType::F32) * values).cast(dtype)),
        });
        Linear {
            weight: frozen(weight),
            bias,
        }
    }
}

fn frozen<const D: usize>(tensor: Tensor<D>) -> Param<Tensor<D>> {
    Param::from_tensor(tensor.detach()).set_require_grad(false)
}

impl Ia3 {
    fn new(config: Ia3Config, factors: Vec<Factors>) -> Self {
        Self { factors, config }
    }

    /// The factors of a projection, if it has some.
    pub fn factors(&self, site: Site) -> Option<&Factors> {
        let index = self.factors.binary_search_by_key(&site, |one| one.site);
        Some(&self.factors[index.ok()?])
    }

    fn scale(&self, site: Site, side: Side, states: Tensor<3>) -> Tensor<3> {
        match self.factors(site) {
            Some(factors) if factors.side == side => factors.forward(states),
            _ => states,
        }
    }

    fn merged(&self, site: Site, side: Side, base: &Linear) -> Option<Linear> {
        let factors = self.factors(site)?;
        (factors.side == side).then(|| factors.merged(base))
    }
}

impl Tuner for Ia3 {
    fn project_input(&self, site: Site, input: Tensor<3>) -> Tensor<3> {
        self.scale(site, Side::Input, input)
    }

    fn project_output(
        &self,
        site: Site,
        _base: &Linear,
        _input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        self.scale(site, Side::Output, output)
    }

    fn merged_output(&self, site: Site, base: &Linear) -> Option<Linear> {
        self.merged(site, Side::Output, base)
    }

    fn merged_input(&self, site: Site, base: &Linear) -> Option<Linear> {
        self.merged(site, Side::Input, base)
    }
}
