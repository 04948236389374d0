//! Examples as rows and what is asked of them, made once per run.

use pilotlight_core::{EmbeddedRow, TokenRow};
use pilotlight_data::{Example, Split, Target, Verbalizer};
use sha2::{Digest, Sha256};

use crate::{error::TrainError, parameters::hex};

/// A row to be run, and what is asked of its states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) row: TokenRow,
    pub(crate) goal: Goal,
}

/// What is asked of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The probabilities of these tokens at these places of the row; a place is a token's offset, and the offset
    /// behind the last token stands for the one that would follow.
    Tokens(Vec<(usize, u32)>),
    /// The probability of this class by the linear head.
    Class(usize),
}

impl Item {
    /// The row of `example` with an answer behind it, of which every token is asked for.
    ///
    /// The last token of the answer is asked for but not run: nothing is predicted from it.
    pub(crate) fn answered(example: &Example, answer: &[u32]) -> Self {
        let n_input = example.input.ids.len();
        let run = &answer[..answer.len().saturating_sub(1)];
        let places = answer.iter().enumerate();
        Self {
            row: example.with_answer(run),
            goal: Goal::Tokens(places.map(|(index, &id)| (n_input + index, id)).collect()),
        }
    }

    /// What an example is trained on.
    ///
    /// - a class with label words: the tokens of the first word of its label, as a completion
    /// - a class without: the class
    /// - a completion: its tokens
    /// - a text: all of its tokens but the first
    pub(crate) fn of_example(example: &Example, verbalizer: Option<&Verbalizer>) -> Self {
        match (&example.target, verbalizer) {
            (Target::Class(class), Some(verbalizer)) => {
                Self::answered(example, &verbalizer.labels[*class].words[0])
            }
            (Target::Class(class), None) => Self {
                row: example.input.clone(),
                goal: Goal::Class(*class),
            },
            (Target::Completion(answer), _) => Self::answered(example, answer),
            (Target::Text, _) => {
                let tokens = example.input.ids.iter().copied().enumerate().skip(1);
                Self {
                    row: example.input.clone(),
                    goal: Goal::Tokens(tokens.collect()),
                }
            }
        }
    }

    /// Number of trained tokens, or one class.
    pub(crate) fn n_trained(&self) -> usize {
        match &self.goal {
            Goal::Tokens(tokens) => tokens.len(),
            Goal::Class(_) => 1,
        }
    }
}

/// The items of a split that ask for anything at all; a text of one token does not.
pub(crate) fn items(
    split: &Split,
    verbalizer: Option<&Verbalizer>,
    name: &'static str,
) -> Result<Vec<Item>, TrainError> {
    let examples = split.examples.iter();
    let items: Vec<Item> = examples
        .map(|example| Item::of_example(example, verbalizer))
        .filter(|item| item.n_trained() > 0)
        .collect();
    if items.is_empty() {
        return Err(TrainError::NoExamples { split: name });
    }
    Ok(items)
}

/// A hash over all items in order.
pub(crate) fn fingerprint(items: &[Item]) -> String {
    let mut hash = Sha256::new();
    for item in items {
        hash.update(format!("{item:?}\n"));
    }
    hex(&hash.finalize())
}

/// The state positions that predict `tokens` of row `index` of a batch, with the tokens; no position for a token
/// in front of which nothing stands.
pub(crate) fn predictors<'a>(
    index: usize,
    row: &'a EmbeddedRow,
    tokens: &'a [(usize, u32)],
) -> impl Iterator<Item = (Option<(usize, usize)>, u32)> + 'a {
    let predictor = move |place| Some((index, row.predictor(place)?));
    tokens
        .iter()
        .map(move |&(place, id)| (predictor(place), id))
}
