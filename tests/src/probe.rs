//! A differentiable number of a model with a tuner, in which every state and every parameter counts.

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{DType, Tensor, TensorData},
};
use pilotlight_core::{EmbeddedRow, TokenRow, Tuner};
use pilotlight_transformer::Model;
use pilotlight_tuners::AnyTuner;

use crate::golden_examples;

/// Moves every trained parameter off its first value, at which some gradients vanish.
pub fn shaken(tuner: AnyTuner) -> AnyTuner {
    struct Shake(usize);
    impl ModuleMapper for Shake {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if is_frozen(&param) {
                return param;
            }
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

/// Whether a parameter is a constant, as far as autodiff says.
pub fn is_frozen<const D: usize>(param: &Param<Tensor<D>>) -> bool {
    param.val().is_autodiff() && !param.is_require_grad()
}

/// Number of trained parameters.
pub fn n_trained(tuner: &AnyTuner) -> usize {
    struct Count(usize);
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if !is_frozen(param) {
                self.0 += param.shape().num_elements();
            }
        }
    }
    let mut count = Count(0);
    tuner.visit(&mut count);
    count.0
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

/// A sum of all states and of the scores of all words, each with another weight.
pub fn loss(model: &Model, tuner: &dyn Tuner) -> Tensor<1> {
    let states = token_states(model, &rows(model), tuner);
    let mut start = 0;
    let mut sum = |values: Tensor<2>| {
        let values = values.cast(DType::F32);
        let shape = values.shape();
        let n = shape.num_elements();
        let weights: Vec<f32> = (start..start + n)
            .map(|index| (index * 613 % 97) as f32 / 97.0 - 0.5)
            .collect();
        start += n;
        let weights = Tensor::from_data(TensorData::new(weights, shape), &values.device());
        (values * weights).sum()
    };
    let mut sums: Vec<Tensor<1>> = states.iter().cloned().map(&mut sum).collect();
    if model.has_language_head() {
        for (index, states) in states.into_iter().enumerate() {
            let rows = vec![index; states.dims()[0]];
            let scores = model.logits(states, &rows, tuner);
            // Less than the states, so that the sum keeps its digits.
            sums.push(sum(scores).mul_scalar(0.1));
        }
    }
    Tensor::cat(sums, 0).sum()
}
