//! Loss, accuracy and predictions on a split.

use burn::module::Module;
use pilotlight_core::TokenRow;
use pilotlight_data::{Split, Target, TaskData, TaskKind};
use serde::{Deserialize, Serialize};

use crate::{
    error::TrainError,
    item::{Goal, Item, items},
    observer::{Event, Observer},
    predict::{classes_of, in_batches, label_logprobs, words_of},
    score::token_logprobs,
    tuned::Tuned,
    words::WordPlan,
};

/// What a model reaches on a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean of `-log p` over the tokens (or classes) that training would train on.
    pub loss: f64,
    /// Number of those tokens (or classes).
    pub n_tokens: usize,
    /// Share of the examples whose class was predicted, in a classification task.
    pub accuracy: Option<f64>,
    /// The prediction for each example in order, in a classification task.
    pub predictions: Vec<Prediction>,
    /// The likelihood of each example's text in order, in a task of texts; empty in a classification task.
    pub likelihoods: Vec<Likelihood>,
}

/// How likely a model finds the tokens of one example that training would train on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Likelihood {
    /// Their log-probabilities, summed.
    pub log_probability: f64,
    /// How many they are; a text of one token has none.
    pub n_tokens: usize,
}

/// What was predicted for one example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The most probable class.
    pub class: usize,
    /// The log-probability of each class.
    pub log_probabilities: Vec<f64>,
}

impl Prediction {
    /// Predicts the most probable class, of equal ones the first.
    pub fn new(log_probabilities: Vec<f64>) -> Self {
        let classes = log_probabilities.iter().enumerate();
        // `max_by` takes the last of equal ones.
        let best = classes.rev().max_by(|a, b| a.1.total_cmp(b.1));
        Self {
            class: best.map_or(0, |(class, _)| class),
            log_probabilities,
        }
    }
}

/// Runs the examples of a split in batches of `batch_size` rows of like length.
///
/// # Errors
///
/// If there are no examples, the model does not fit the task, or the device fails.
pub fn evaluate(
    tuned: &Tuned,
    data: &TaskData,
    split: &Split,
    batch_size: usize,
    observer: &mut dyn Observer,
) -> Result<Evaluation, TrainError> {
    tuned.check(data)?;
    let tuned = tuned.valid();
    let items = items(split, data.verbalizer.as_ref(), "evaluated")?;
    let n_examples = items.len();
    let mut progress = |done| observer.event(&Event::Evaluating { done, n_examples });

    if data.kind != TaskKind::Classification {
        return texts(&tuned, split, &items, batch_size, &mut progress);
    }
    let inputs: Vec<&TokenRow> = split
        .examples
        .iter()
        .map(|example| &example.input)
        .collect();
    let golds = golds(split)?;
    // Beside the classes' log-probabilities that of what is trained on: the first word of the right label.
    let (losses, classes): (Vec<f64>, Vec<Vec<f64>>) = match &data.verbalizer {
        Some(verbalizer) => {
            let plan = WordPlan::new(verbalizer);
            let words = words_of(&tuned, &inputs, &plan, batch_size, &mut progress)?;
            let examples = words.iter().zip(&golds);
            examples
                .map(|(words, &gold)| (-words[gold][0], label_logprobs(words)))
                .unzip()
        }
        None => {
            let classes = classes_of(&tuned, &inputs, batch_size, &mut progress)?;
            let losses = classes
                .iter()
                .zip(&golds)
                .map(|(of_example, &gold)| -of_example[gold]);
            (losses.collect(), classes)
        }
    };
    let n_tokens = items.iter().map(Item::n_trained).sum();
    let predictions = classes.into_iter().map(Prediction::new).collect();
    let loss = losses.iter().sum();
    Ok(Evaluation::of_classes(loss, n_tokens, predictions, &golds))
}

/// The class of each example.
pub(crate) fn golds(split: &Split) -> Result<Vec<usize>, TrainError> {
    let golds = split.examples.iter().map(|example| match example.target {
        Target::Class(class) => Ok(class),
        _ => Err(TrainError::Unfit(
            "an example of a classification task has no class".into(),
        )),
    });
    golds.collect()
}

impl Evaluation {
    /// Of a classification task; `loss` is the sum over the examples.
    pub(crate) fn of_classes(
        loss: f64,
        n_tokens: usize,
        predictions: Vec<Prediction>,
        golds: &[usize],
    ) -> Self {
        let pairs = predictions.iter().zip(golds);
        let right = pairs.filter(|(it, gold)| it.class == **gold).count();
        Self {
            loss: loss / n_tokens as f64,
            n_tokens,
            accuracy: Some(right as f64 / golds.len() as f64),
            predictions,
            likelihoods: Vec::new(),
        }
    }
}

/// Completions and texts: their tokens' loss.
fn texts(
    tuned: &Tuned,
    split: &Split,
    items: &[Item],
    batch_size: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<Evaluation, TrainError> {
    let rows: Vec<&TokenRow> = items.iter().map(|item| &item.row).collect();
    let values = in_batches(&rows, batch_size, progress, |batch| {
        let rows: Vec<TokenRow> = batch.iter().map(|&item| items[item].row.clone()).collect();
        let tokens = batch.iter().map(|&item| match &items[item].goal {
            Goal::Tokens(tokens) => tokens.as_slice(),
            Goal::Class(_) => &[],
        });
        let tokens: Vec<&[(usize, u32)]> = tokens.collect();
        let hidden = tuned.forward(&rows);
        token_logprobs(&tuned.base, &tuned.tuner, &hidden, &tokens)
    })?;
    let n_tokens = values.iter().map(Vec::len).sum();
    let mut of_items = values.iter();
    // An example that asks for nothing is no item.
    let likelihoods = split.examples.iter().map(|example| {
        let asked = Item::of_example(example, None).n_trained() > 0;
        let values = of_items.by_ref().take(usize::from(asked)).flatten();
        values.fold(Likelihood::default(), |sum, value| Likelihood {
            log_probability: sum.log_probability + value,
            n_tokens: sum.n_tokens + 1,
        })
    });
    Ok(Evaluation {
        likelihoods: likelihoods.collect(),
        loss: -values.iter().flatten().sum::<f64>() / n_tokens as f64,
        n_tokens,
        accuracy: None,
        predictions: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_most_probable_classes_is_predicted() {
        assert_eq!(Prediction::new(vec![-2.0, -1.0, -1.0]).class, 1);
        assert_eq!(Prediction::new(vec![f64::NEG_INFINITY, -900.0]).class, 1);
    }
}
