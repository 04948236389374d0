//! Texts behind the inputs of a split.

use burn::module::Module;
use pilotlight_core::TokenRow;
use pilotlight_data::Split;
use pilotlight_transformer::{GenerateOptions, generate_all};

use crate::{
    error::TrainError,
    observer::{Event, Observer},
    predict::in_batches,
    tuned::Tuned,
};

/// Writes on behind the input of every example of a split, in batches of `batch_size` rows of like length; the tokens
/// of each example in order.
///
/// # Errors
///
/// If the model writes no text.
pub fn continuations(
    tuned: &Tuned,
    split: &Split,
    options: &GenerateOptions,
    batch_size: usize,
    observer: &mut dyn Observer,
) -> Result<Vec<Vec<u32>>, TrainError> {
    tuned.check_words()?;
    if !tuned.base.is_decoder() {
        let problem =
            "an encoder writes no text\nhint: use a decoder, or leave `report.generate` out";
        return Err(TrainError::Unfit(problem.into()));
    }
    let tuned = tuned.valid();
    // What is written stands where the answer would.
    let examples = split.examples.iter();
    let inputs: Vec<TokenRow> = examples.map(|example| example.with_answer(&[])).collect();
    let inputs: Vec<&TokenRow> = inputs.iter().collect();
    let n_examples = inputs.len();
    let mut progress = |done| observer.event(&Event::Evaluating { done, n_examples });
    in_batches(&inputs, batch_size, &mut progress, |batch| {
        let rows: Vec<TokenRow> = batch.iter().map(|&row| inputs[row].clone()).collect();
        Ok(generate_all(&tuned.base, &tuned.tuner, &rows, options))
    })
}
