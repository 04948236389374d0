//! Several adapters that answer the same question: the ensembles of prompt tuning (Lester et al. 2021, section 5).
//!
//! The base runs once for all members, as many rows of a batch as there are members. Either their probabilities are
//! averaged,
//!
//! ```text
//! p(w | x) = 1/k sum_i p_i(w | x)        for every label word w (or class)
//! ```
//!
//! or each of the k members votes for the class that it finds most probable.

use pilotlight_core::TokenRow;
use pilotlight_data::{Split, TaskData, TaskKind};
use serde::{Deserialize, Serialize};

use crate::{
    adapters::{Adapters, Answers, Question},
    error::TrainError,
    evaluate::{Evaluation, Prediction, golds},
    item::{Item, items},
    observer::{Event, Observer},
    predict::label_logprobs,
    score::log_sum_exp,
};

/// Inputs whose members share batches.
const CHUNK: usize = 64;

/// How the members of an ensemble come to one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combination {
    /// The class that is the most probable on average.
    Average,
    /// The class that most members predict; of those with as many votes, the most probable on average.
    Vote,
}

/// What an ensemble predicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnsemblePrediction {
    /// The class, and the log-probabilities averaged over the members.
    pub prediction: Prediction,
    /// For each class the number of members that predict it.
    pub votes: Vec<usize>,
}

/// `log 1/k sum_i p_i` over the members, for each word of each label.
///
/// # Panics
///
/// Panics if there are no members.
pub fn average_logprobs(members: &[Vec<Vec<f64>>]) -> Vec<Vec<f64>> {
    let share = (members.len() as f64).ln();
    let labels = members[0].iter().enumerate();
    labels
        .map(|(label, words)| {
            let words = (0..words.len()).map(|word| {
                let of_word: Vec<f64> = members.iter().map(|member| member[label][word]).collect();
                log_sum_exp(&of_word) - share
            });
            words.collect()
        })
        .collect()
}

impl EnsemblePrediction {
    /// Puts together what each member says of each word of each label, as [`Adapters::ask`] returns it.
    ///
    /// # Panics
    ///
    /// Panics if there are no members.
    pub fn new(members: &[Vec<Vec<f64>>], combination: Combination) -> Self {
        let mut prediction = Prediction::new(label_logprobs(&average_logprobs(members)));
        let mut votes = vec![0; prediction.log_probabilities.len()];
        for member in members {
            votes[Prediction::new(label_logprobs(member)).class] += 1;
        }
        if combination == Combination::Vote {
            let most = votes.iter().copied().max().unwrap_or(0);
            let logprobs = prediction.log_probabilities.iter().zip(&votes);
            let among = logprobs.map(|(&logprob, &votes)| match votes == most {
                true => logprob,
                false => f64::NEG_INFINITY,
            });
            prediction.class = Prediction::new(among.collect()).class;
        }
        Self { prediction, votes }
    }
}

/// Evaluates all adapters together on a split of a classification task; the loss is that of the averaged
/// probabilities.
///
/// # Errors
///
/// As [`evaluate`](crate::evaluate); and if the task is no classification, or there are no adapters.
pub fn evaluate_ensemble(
    adapters: &Adapters,
    combination: Combination,
    data: &TaskData,
    split: &Split,
    batch_size: usize,
    observer: &mut dyn Observer,
) -> Result<Evaluation, TrainError> {
    if data.kind != TaskKind::Classification || adapters.is_empty() {
        let problem = "an ensemble predicts classes and has members\n\
                       hint: give adapters of a classification task";
        return Err(TrainError::Unfit(problem.into()));
    }
    let members = 0..adapters.len();
    for member in members.clone() {
        adapters.get(Some(member)).check(data)?;
    }
    let items = items(split, data.verbalizer.as_ref(), "evaluated")?;
    let golds = golds(split)?;
    let answers = match &data.verbalizer {
        Some(verbalizer) => Answers::Labels(verbalizer),
        None => Answers::Classes,
    };
    let n_examples = split.examples.len();
    let (mut loss, mut predictions) = (0.0, Vec::with_capacity(n_examples));
    for chunk in split.examples.chunks(CHUNK) {
        let inputs: Vec<&TokenRow> = chunk.iter().map(|example| &example.input).collect();
        let questions: Vec<Question<'_>> = inputs
            .iter()
            .flat_map(|input| {
                members.clone().map(move |member| Question {
                    adapter: Some(member),
                    input,
                    answers,
                })
            })
            .collect();
        let found = adapters.ask(&questions, batch_size, &mut |_| ())?;
        for of_input in found.chunks(members.len()) {
            let gold = golds[predictions.len()];
            loss -= average_logprobs(of_input)[gold][0];
            predictions.push(EnsemblePrediction::new(of_input, combination).prediction);
        }
        let done = predictions.len();
        observer.event(&Event::Evaluating { done, n_examples });
    }
    let n_tokens = items.iter().map(Item::n_trained).sum();
    Ok(Evaluation::of_classes(loss, n_tokens, predictions, &golds))
}
