//! LoRA: low-rank updates of frozen weights (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models").
//!
//! A projection `y = x W + c` becomes
//!
//! `y = x W + c + s * dropout(x) A B`, with `s = alpha / rank`,
//!
//! where `A` `[d_input, rank]` starts uniform in `±1 / sqrt(d_input)` and `B` `[rank, d_output]` at zero, so that a
//! new tuner changes nothing. The product `A B` is never formed in training: the update is a side path of two thin
//! matrices. It trains `rank * (d_input + d_output)` numbers per projection.
//!
//! The same mathematics as PEFT's, whose factors are the transposes of these. The default is rank 8 with `alpha = 16`
//! and no dropout. It learns at rates about ten times those of full fine-tuning.
//!
//! With `rslora = true` the scale is `alpha / sqrt(rank)` (Kalajdzievski 2023, "A Rank Stabilization Scaling Factor for
//! Fine-Tuning with LoRA"): the update then keeps its size as the rank grows. Use it with ranks above 16 or so, where
//! `alpha / rank` lets more rank learn no more.
//!
//! # Where
//!
//! By default on queries and values. `targets` may name every projection, and the word embeddings and the
//! language-model head too, which `"all-linear"` leaves out. The words' update is that of a one-hot input: a row of
//! `A` for each token. There `A` `[n_vocab, rank]` starts at zero and `B` normal, as in PEFT, and there is no
//! dropout. Where the head is the word embeddings, either is updated without the other.
//!
//! # First values
//!
//! | `init` | A | B | |
//! |---|---|---|---|
//! | `"kaiming"` | uniform in `±1 / sqrt(d_input)` | zero | the default |
//! | `"gaussian"` | normal, deviation `1 / rank` | zero | |
//! | `"orthogonal"` | random, | orthogonal to A | ranks must be even; both factors learn from the first step |
//! | `"pissa"` | `U sqrt(S / s)` | `sqrt(S / s) V^T` | of `W = U S V^T`, the largest `rank` singular values (Meng et al. 2024, "PiSSA: Principal Singular Values and Singular Vectors Adaptation of Large Language Models") |
//! | `"olora"` | `R^T` | `Q^T` | of `W^T = Q R`, the first `rank` columns and rows (Büyükakyüz 2024, "OLoRA: Orthonormal Low-Rank Adaptation of Large Language Models") |
//!
//! The last two train main directions of the weight itself, and both factors learn from the first step: use them where
//! steps are few. They decompose each weight once, which takes seconds on a model of 100 million parameters and minutes
//! on one of a billion. In PEFT they take the first factors off the base's weights. Here the base stays as it
//! is, and the frozen first factors are taken off the output:
//!
//! `y = x W + c + s * (dropout(x) A B - x A0 B0)`.
//!
//! Such a tuner is saved as a plain LoRA of twice the rank, for the unchanged base; PEFT reads it as it is.
//!
//! # Biases
//!
//! With `bias = "lora-only"` the biases of the updated projections are trained too, from their values in the base on:
//! the tuner has copies of its own, and the base stays as it is. All biases of the base are trained by
//! `base.train = ["\\.bias$"]` beside a LoRA; where PEFT's `bias = "all"` saved them, they are read as parameters of
//! the base.
//!
//! # LoRA+
//!
//! With `plus_ratio` B learns at that multiple of the learning rate (Hayou et al. 2024, "LoRA+: Efficient Low Rank
//! Adaptation of Large Models"): the two factors of a wide model need steps of different sizes. The paper takes 16
//! and a somewhat lower rate than for LoRA. As in PEFT, DoRA's magnitudes and biases learn at it too. The words' factors
//! learn at the plain rate; PEFT has another one for them.
//!
//! # DoRA
//!
//! With `dora = true` (Liu et al. 2024, "DoRA: Weight-Decomposed Low-Rank Adaptation") the update only turns the
//! columns of the weight, and their lengths `m` `[d_output]` are learned apart:
//!
//! `y = x W + c + (m / n - 1) * x W + (m / n) * s * x A B`, with `n = |W + s A B|` column by column.
//!
//! `m` starts as `n`, which is held constant in the backward pass. It trains `d_output` numbers more per projection.
//! Each step reads the weights once more, for `A^T W`, and passes over each output several times more; with dropout it
//! also projects twice, because `m / n - 1` then multiplies `dropout(x) W`, as in PEFT. Use it where the rank must be
//! low, or where LoRA falls short of full fine-tuning.

mod bias;
pub mod config;
mod decompose;
mod format;
mod init;
mod low_rank;
mod magnitude;
mod plan;
mod target;
#[cfg(test)]
mod tests;

use burn::{
    module::{Module, Param},
    nn::{Dropout, DropoutConfig, Linear},
    tensor::{Int, Tensor},
};
use pilotlight_core::{Site, Tuner};

pub use self::{
    bias::LoraBias,
    config::LoraConfig,
    init::LoraInit,
    low_rank::{LowRank, Start},
    magnitude::Magnitude,
    target::Target,
};
use self::{low_rank::Weight, magnitude::Squares};

/// Low-rank updates of some weights.
#[derive(Module, Debug)]
pub struct Lora {
    /// The updates, ordered by their targets.
    pub updates: Vec<LowRank>,
    /// Dropout on the input of the updates; Burn's generator of the device draws it.
    pub dropout: Dropout,
    #[module(skip)]
    pub(crate) config: LoraConfig,
}

impl Lora {
    pub(crate) fn new(config: LoraConfig, mut updates: Vec<LowRank>) -> Self {
        updates.sort_by_key(|update| update.target);
        Self {
            updates,
            dropout: DropoutConfig::new(config.dropout).init(),
            config,
        }
    }

    /// The update of a weight, if it has one.
    pub fn update(&self, target: impl Into<Target>) -> Option<&LowRank> {
        let target = target.into();
        let index = self
            .updates
            .binary_search_by_key(&target, |update| update.target);
        Some(&self.updates[index.ok()?])
    }
}

impl Tuner for Lora {
    fn words(&self, weight: &Tensor<2>, ids: &Tensor<2, Int>, embeddings: Tensor<3>) -> Tensor<3> {
        match self.update(Target::Words) {
            Some(update) => update.look_up(&Weight::of(weight), ids, embeddings),
            None => embeddings,
        }
    }

    fn project_output(
        &self,
        site: Site,
        base: &Linear,
        input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        let Some(update) = self.update(site) else {
            return output;
        };
        let weight = Weight {
            values: &base.weight.val(),
            bias: base.bias.as_ref().map(Param::val),
            squares: match &update.magnitude {
                Some(magnitude) => Squares::Remember(&magnitude.memory, &base.weight),
                None => Squares::Compute,
            },
        };
        update.project(&weight, input, output, &self.dropout)
    }

    fn project_head(
        &self,
        weight: &Tensor<2>,
        _rows: &[usize],
        states: &Tensor<2>,
        scores: Tensor<2>,
    ) -> Tensor<2> {
        match self.update(Target::Head) {
            Some(update) => update.project(&Weight::of(weight), states, scores, &self.dropout),
            None => scores,
        }
    }

    fn merged_output(&self, site: Site, base: &Linear) -> Option<Linear> {
        let update = self.update(site)?;
        let weight = update.merged(&base.weight.val());
        let bias = match &update.bias {
            Some(bias) => {
                let bias = bias.val().cast(weight.dtype()).detach();
                Some(Param::from_tensor(bias).set_require_grad(false))
            }
            None => base.bias.clone(),
        };
        Some(Linear {
            weight: Param::from_tensor(weight).set_require_grad(false),
            bias,
        })
    }

    fn merged_words(&self, weight: &Tensor<2>) -> Option<Tensor<2>> {
        Some(self.update(Target::Words)?.merged(weight))
    }

    fn merged_head(&self, weight: &Tensor<2>) -> Option<Tensor<2>> {
        Some(self.update(Target::Head)?.merged(weight))
    }
}
