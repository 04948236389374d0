//! A differentiable number of a model with a tuner, in which every state and every parameter counts.

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{DType, Tensor, TensorData},
};
use pilotlight_core::{EmbeddedRow, TokenRow, Tuner};
use pilotlight_transformer::Model;
use pilotlight_tuners::AnyTuner;

use crate::golden_examples;

/// Moves every parameter off its first value, at which some gradients vanish.
pub fn shaken(tuner: AnyTuner) -> AnyTuner {
    struct Shake(usize);
    impl ModuleMapper for Shake {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| {
                let shape = tensor.shape();
                let n = shape.num_elements();
                let noise: Vec<f32> = (self.0..self.0 + n)
                    .map(|index| 0.2 * ((index * 7919 % 1013) as f32 / 506.0 - 1.0))
                    .collect();
                self.0 += n;
                let noise = Tensor::from_data(TensorData::new(noise, shape), &tensor.device());
                (tensor.detach() + noise).detach().require_grad()
            })
        }
    }
    tuner.map(&mut Shake(1))
}

/// Rows of unequal lengths, each with the place of its answer.
pub fn rows(family_of: &Model) -> Vec<TokenRow> {
    let family = if family_of.is_decoder() {
        "llama"
    } else {
        "bert"
    };
    let examples = golden_examples(family);
    examples[..4].iter().map(|example| example.row()).collect()
}

/// The states at the tokens of each row.
pub fn token_states(model: &Model, rows: &[TokenRow], tuner: &dyn Tuner) -> Vec<Tensor<2>> {
    let hidden = model.forward(rows, tuner);
    let states = |(index, row): (usize, &EmbeddedRow)| {
        let positions = row
            .token_positions
            .iter()
            .map(|position| (index, *position));
        hidden.select(&positions.collect::<Vec<_>>())
    };
    hidden.rows.iter().enumerate().map(states).collect()
}

/// The numbers of a tensor, in f32.
///
/// # Panics
///
/// Panics if the device fails.
pub fn values(tensor: Tensor<2>) -> Vec<f32> {
    let data = tensor.into_data_dtype(DType::F32);
    data.try_into_vec().expect("f32")
}

/// A sum of all states, each with another weight.
pub fn loss(model: &Model, tuner: &dyn Tuner) -> Tensor<1> {
    let states = token_states(model, &rows(model), tuner);
    let mut start = 0;
    let sums = states.into_iter().map(|states| {
        let shape = states.shape();
        let n = shape.num_elements();
        let weights: Vec<f32> = (start..start + n)
            .map(|index| (index * 613 % 97) as f32 / 97.0 - 0.5)
            .collect();
        start += n;
        let weights = Tensor::from_data(TensorData::new(weights, shape), &states.device());
        (states * weights).sum()
    });
    Tensor::cat(sums.collect(), 0).sum()
}
