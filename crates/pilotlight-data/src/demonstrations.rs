//! Examples that stand in front of every input: learning in context (Brown et al. 2020, arXiv:2005.14165).
//!
//! `task.shots` training examples of each class are drawn by the seed of the run and put in an order that it draws
//! too. Each is rendered by the task's template, followed by the first word of its label and an empty line. All inputs
//! have the same ones in front, behind the special tokens that begin a row.

use crate::{
    config::TaskConfig,
    error::{DataError, Problem},
    input::{self, Fitted, SpecialTokens, Unfit},
    records::Record,
    template::InputTemplate,
    tokenizer::Tokenizer,
    verbalizer::Verbalizer,
};

/// What stands between two examples.
const SEPARATOR: &str = "\n\n";
/// Tokens below which an example says nothing.
const MIN_TOKENS: usize = 4;

/// The tokens of examples with their label words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Demonstrations {
    pub(crate) ids: Vec<u32>,
}

/// What makes the tokens of an example.
pub(crate) struct Demonstrator<'a> {
    pub(crate) task: &'a TaskConfig,
    pub(crate) template: &'a InputTemplate,
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) verbalizer: &'a Verbalizer,
    /// Positions of the model that are free for examples and an input.
    pub(crate) n_free: usize,
}

impl Demonstrator<'_> {
    /// The tokens of records and their classes, each shortened so that all of them leave room for an input of
    /// `task.max_tokens`.
    pub(crate) fn demonstrate<'r>(
        &self,
        records: impl ExactSizeIterator<Item = (&'r Record, usize)>,
        source: &str,
    ) -> Result<Demonstrations, DataError> {
        let separator = self.tokenizer.encode(SEPARATOR, false)?;
        let n_records = records.len().max(1);
        let room = self.n_free.saturating_sub(self.task.max_tokens) / n_records;
        let around = self.verbalizer.longest_word() + separator.len();
        let too_many = |n_tokens: usize| {
            Problem::with_key(
                "task.shots",
                format!("examples that fit into {n_tokens} tokens each, label word included"),
                format!(
                    "{n_records} examples in {} positions beside an input",
                    self.n_free
                ),
                "take fewer `shots`, lower `max_tokens`, or use a model with more positions",
            )
        };
        let max_tokens = room.saturating_sub(around);
        if max_tokens < MIN_TOKENS {
            return Err(too_many(room).into());
        }
        let mut ids = Vec::new();
        for (record, class) in records {
            let rendered = self.template.render(record, source)?;
            match input::fit(&rendered, self.tokenizer, SpecialTokens::None, max_tokens) {
                Ok(Fitted { row, .. }) => ids.extend(row.ids),
                // An example without text shows nothing.
                Err(Unfit::Empty) => continue,
                Err(Unfit::TooLong(_)) => return Err(too_many(room).into()),
                Err(Unfit::Tokenizer(error)) => return Err(error),
            }
            ids.extend(&self.verbalizer.labels[class].words[0]);
            ids.extend(&separator);
        }
        Ok(Demonstrations { ids })
    }
}

impl Demonstrations {
    /// Puts the examples in front of an input, behind its special tokens.
    pub(crate) fn in_front_of(&self, fitted: &mut Fitted) {
        let (place, n_shown) = (fitted.n_leading, self.ids.len());
        let row = &mut fitted.row;
        row.ids.splice(place..place, self.ids.iter().copied());
        if !row.token_types.is_empty() {
            row.token_types
                .splice(place..place, std::iter::repeat_n(0, n_shown));
        }
        for (_, offset) in &mut row.anchors.parts {
            *offset += n_shown;
        }
        if let Some(answer) = &mut row.anchors.answer {
            *answer += n_shown;
        }
    }
}
