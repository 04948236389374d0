//! Examples as far as the costs of a step go: how long their rows are, and what is asked of them.

use burn::tensor::Tensor;
use pilotlight_core::{Embedded, TokenRow, Tuner};
use pilotlight_data::{Example, Target, TaskData};
use pilotlight_transformer::Model;
use pilotlight_tuners::AnyTuner;

use crate::{arithmetic::RowShape, error::CompareError, experiment::ExperimentConfig};

/// The most examples that say what a step computes on average.
const SAMPLE: usize = 256;

/// Some training examples, from all over the split.
pub(crate) fn sample(data: &TaskData) -> impl Iterator<Item = &Example> {
    let every = data.train.examples.len().div_ceil(SAMPLE).max(1);
    data.train.examples.iter().step_by(every)
}

/// The rows of the [sample], as a step runs them; `tuner` is asked for only where they depend on it.
pub(crate) fn training_shapes(
    model: &Model,
    config: &ExperimentConfig,
    data: &TaskData,
    tuner: impl FnOnce() -> Result<AnyTuner, CompareError>,
) -> Result<Vec<RowShape>, CompareError> {
    let mut rows: Vec<(TokenRow, RowShape)> = shapes(sample(data), data).collect();
    let saves = model.is_decoder() && !config.trains_base();
    if !saves || config.tuner.inserted() == 0 {
        return Ok(rows.into_iter().map(|(_, shape)| shape).collect());
    }
    // Where its vectors stand among the tokens is the tuner's own business.
    let tuner = tuner()?;
    let tokens: Vec<TokenRow> = rows.iter().map(|(row, _)| row.clone()).collect();
    let n_seq = tokens.iter().map(|row| row.ids.len()).max().unwrap_or(0);
    let device = model.word_embeddings().device();
    let words = Tensor::zeros([tokens.len(), n_seq, model.spec().d_model], &device);
    let embedded = tuner.embed(Embedded::new(words, &tokens));
    for (index, (row, (_, shape))) in embedded.rows.iter().zip(&mut rows).enumerate() {
        shape.n_untouched = tuner.untouched(index, row).min(row.len);
    }
    Ok(rows.into_iter().map(|(_, shape)| shape).collect())
}

/// The rows of examples, and what is asked of each.
pub(crate) fn shapes<'a>(
    examples: impl Iterator<Item = &'a Example>,
    data: &'a TaskData,
) -> impl Iterator<Item = (TokenRow, RowShape)> {
    examples.map(move |example| {
        let answer: &[u32] = match (&example.target, &data.verbalizer) {
            (Target::Class(class), Some(verbalizer)) => &verbalizer.labels[*class].words[0],
            (Target::Completion(answer), _) => answer,
            (Target::Class(_), None) | (Target::Text, _) => &[],
        };
        // The last token of an answer is asked for and not run.
        let row = example.with_answer(&answer[..answer.len().saturating_sub(1)]);
        let n_words = match &example.target {
            Target::Text => row.ids.len().saturating_sub(1),
            _ => answer.len(),
        };
        let shape = RowShape {
            n_tokens: row.ids.len(),
            n_untouched: 0,
            n_words,
        };
        (row, shape)
    })
}
