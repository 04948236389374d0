//! Log-probabilities of tokens, without gradients.

use std::collections::BTreeMap;

use burn::tensor::{DType, Tensor, activation::log_softmax};
use pilotlight_core::Tuner;
use pilotlight_transformer::{Hidden, Model};

use crate::{
    error::TrainError,
    item::predictors,
    loss::chunk_rows,
    tuned::{Tuned, id_table},
};

/// Log-probabilities of `tokens[i]` in row i, in their order: a token is asked for by its place, and several may be
/// asked for at the same place. The head runs once per place.
///
/// `hidden` is what the model and the tuner make of the rows, without autodiff.
pub(crate) fn token_logprobs(
    base: &Model,
    tuner: &dyn Tuner,
    hidden: &Hidden,
    tokens: &[&[(usize, u32)]],
) -> Result<Vec<Vec<f64>>, TrainError> {
    let mut asked: BTreeMap<(usize, usize), Vec<Asked>> = BTreeMap::new();
    for (index, tokens) in tokens.iter().enumerate() {
        let of_row = predictors(index, &hidden.rows[index], tokens);
        for (slot, (position, id)) in of_row.enumerate() {
            let position = position.ok_or_else(|| {
                TrainError::Unfit(
                    "nothing stands in front of the first token to predict it from\n\
                     hint: give the text at least one token"
                        .into(),
                )
            })?;
            let place = (index, slot);
            asked.entry(position).or_default().push(Asked { id, place });
        }
    }
    let mut results: Vec<Vec<f64>> = tokens
        .iter()
        .map(|tokens| vec![0.0; tokens.len()])
        .collect();
    let asked: Vec<_> = asked.into_iter().collect();
    for chunk in asked.chunks(chunk_rows(base.spec().n_vocab)) {
        let positions: Vec<_> = chunk.iter().map(|(position, _)| *position).collect();
        let width = chunk.iter().map(|(_, ids)| ids.len()).max().unwrap_or(0);
        let mut table = Vec::with_capacity(chunk.len() * width);
        for (_, ids) in chunk {
            table.extend(ids.iter().map(|asked| asked.id as i32));
            table.extend(std::iter::repeat_n(0, width - ids.len()));
        }
        let of_rows: Vec<usize> = positions.iter().map(|(row, _)| *row).collect();
        let logits = base.logits(hidden.select(&positions), &of_rows, tuner);
        let logits = logits.cast(DType::F32);
        let table = id_table(table, width, &logits.device());
        let values = to_host(log_softmax(logits, 1).gather(1, table))?;
        for ((_, ids), values) in chunk.iter().zip(values.chunks(width)) {
            for (asked, value) in ids.iter().zip(values) {
                let (index, slot) = asked.place;
                results[index][slot] = *value;
            }
        }
    }
    Ok(results)
}

/// A token that is asked for at a position, and where in the results its log-probability goes.
struct Asked {
    id: u32,
    place: (usize, usize),
}

/// Log-probabilities of all classes by the linear head, for each row of `hidden`.
pub(crate) fn head_logprobs(tuned: &Tuned, hidden: &Hidden) -> Result<Vec<Vec<f64>>, TrainError> {
    let logits = tuned.class_logits(hidden);
    let [_, n_classes] = logits.dims();
    let values = to_host(log_softmax(logits, 1))?;
    Ok(values.chunks(n_classes).map(<[f64]>::to_vec).collect())
}

pub(crate) fn to_host(values: Tensor<2>) -> Result<Vec<f64>, TrainError> {
    let values = values.try_into_vec_as::<f32>();
    let values = values.map_err(|error| TrainError::Device(error.to_string()))?;
    Ok(values.into_iter().map(f64::from).collect())
}

/// `log(sum(exp(values)))`.
pub(crate) fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    let sum: f64 = values.iter().map(|value| (value - largest).exp()).sum();
    largest + sum.ln()
}
