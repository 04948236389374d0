//! Probabilities of answers and of classes.

use burn::module::Module;
use pilotlight_core::TokenRow;
use pilotlight_data::Verbalizer;

use crate::{
    error::TrainError,
    score::{head_logprobs, log_sum_exp, token_logprobs},
    tuned::Tuned,
    words::WordPlan,
};

/// Rows that are run at once for the choices of one prompt.
const ROWS_OF_A_PROMPT: usize = 32;

/// The log-probability of each of `choices` behind `prompt`: the sum over its tokens.
///
/// # Errors
///
/// If a choice has no tokens, nothing stands in front of them (no prompt and no learned vector), the model has no
/// language-model head, or the device fails.
pub fn choice_logprobs(
    tuned: &Tuned,
    prompt: &TokenRow,
    choices: &[Vec<u32>],
) -> Result<Vec<f64>, TrainError> {
    tuned.check_words()?;
    if choices.iter().any(Vec::is_empty) {
        let problem = "a choice has no tokens\nhint: every choice needs a text";
        return Err(TrainError::Unfit(problem.into()));
    }
    if choices.is_empty() {
        return Ok(Vec::new());
    }
    let plan = WordPlan::of_choices(choices);
    let words = words_of(
        &tuned.valid(),
        &[prompt],
        &plan,
        ROWS_OF_A_PROMPT,
        &mut |_| (),
    )?;
    Ok(words.into_iter().flatten().flatten().collect())
}

/// The log-probability of every class for each of `inputs`, by the label words or, without them, by the linear head.
///
/// With label words it is `log sum_w p(w | input)` over the words w of the label: the probability of saying one of
/// them, over the whole vocabulary, so that those of the classes need not add up to 1. Inputs of like length share
/// a batch of at most `batch_size` rows.
///
/// # Errors
///
/// If an input has no tokens, the model cannot do what is asked of it, or the device fails.
pub fn class_logprobs(
    tuned: &Tuned,
    inputs: &[TokenRow],
    verbalizer: Option<&Verbalizer>,
    batch_size: usize,
) -> Result<Vec<Vec<f64>>, TrainError> {
    let tuned = tuned.valid();
    let inputs: Vec<&TokenRow> = inputs.iter().collect();
    match verbalizer {
        Some(verbalizer) => {
            tuned.check_words()?;
            let plan = WordPlan::new(verbalizer);
            let words = words_of(&tuned, &inputs, &plan, batch_size, &mut |_| ())?;
            Ok(words.iter().map(|words| label_logprobs(words)).collect())
        }
        None => {
            tuned.check_head()?;
            classes_of(&tuned, &inputs, batch_size, &mut |_| ())
        }
    }
}

/// The log-probability of each label, out of those of its words: `log sum_w p(w)`.
pub fn label_logprobs(words: &[Vec<f64>]) -> Vec<f64> {
    words.iter().map(|words| log_sum_exp(words)).collect()
}

/// For each input and each label the log-probabilities of its words; `progress` is told how many inputs are done.
pub(crate) fn words_of(
    tuned: &Tuned,
    inputs: &[&TokenRow],
    plan: &WordPlan,
    batch_size: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Vec<Vec<f64>>>, TrainError> {
    let n_rows = plan.n_rows();
    let (rows, tokens): (Vec<TokenRow>, Vec<Vec<(usize, u32)>>) =
        inputs.iter().flat_map(|input| plan.rows(input)).unzip();
    let rows: Vec<&TokenRow> = rows.iter().collect();
    let values = in_batches(
        &rows,
        batch_size,
        &mut |done| progress(done / n_rows),
        |batch| {
            let of_batch: Vec<TokenRow> = batch.iter().map(|&row| rows[row].clone()).collect();
            let tokens: Vec<&[(usize, u32)]> = batch.iter().map(|&row| &*tokens[row]).collect();
            let hidden = tuned.forward(&of_batch);
            token_logprobs(&tuned.base, &tuned.tuner, &hidden, &tokens)
        },
    )?;
    let of_inputs = values.chunks(n_rows);
    Ok(of_inputs.map(|values| plan.word_logprobs(values)).collect())
}

/// For each input the log-probabilities of the classes by the linear head.
pub(crate) fn classes_of(
    tuned: &Tuned,
    inputs: &[&TokenRow],
    batch_size: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Vec<f64>>, TrainError> {
    if let Some(index) = inputs.iter().position(|input| input.ids.is_empty()) {
        return Err(TrainError::Unfit(format!(
            "text {} has no tokens\nhint: give it at least one",
            index + 1
        )));
    }
    in_batches(inputs, batch_size, progress, |batch| {
        let rows: Vec<TokenRow> = batch.iter().map(|&row| inputs[row].clone()).collect();
        head_logprobs(tuned, &tuned.forward(&rows))
    })
}

/// Calls `run` with batches of rows of like length, as indices, and puts its results in the order of the rows.
pub(crate) fn in_batches<T>(
    rows: &[&TokenRow],
    batch_size: usize,
    progress: &mut dyn FnMut(usize),
    run: impl Fn(&[usize]) -> Result<Vec<T>, TrainError>,
) -> Result<Vec<T>, TrainError> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    // The longest first: if memory does not suffice, it shows at once.
    order.sort_by_key(|&row| std::cmp::Reverse(rows[row].ids.len()));
    let mut results: Vec<(usize, T)> = Vec::with_capacity(rows.len());
    for batch in order.chunks(batch_size.max(1)) {
        results.extend(batch.iter().copied().zip(run(batch)?));
        progress(results.len());
    }
    results.sort_by_key(|(row, _)| *row);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}
