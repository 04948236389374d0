//! What a new tuner may learn of the words of a task.

use pilotlight_data::{TaskData, Tokenizer, token_frequencies};
use pilotlight_tuners::Vocabulary;

/// The words of a tokenizer and of a task.
#[derive(Debug)]
pub struct TaskVocabulary<'a> {
    /// The tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The task, whose training inputs are counted.
    pub data: &'a TaskData,
}

impl Vocabulary for TaskVocabulary<'_> {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let ids = self.tokenizer.encode(text, false);
        ids.map_err(|error| error.to_string())
    }

    fn is_special(&self, id: u32) -> bool {
        self.tokenizer.is_special(id)
    }

    fn frequencies(&self) -> Vec<(u32, usize)> {
        token_frequencies(&self.data.train)
    }

    /// The words of a verbalizer; a task that a linear head reads has the names of its classes.
    fn label_words(&self) -> Vec<Vec<u32>> {
        match &self.data.verbalizer {
            Some(verbalizer) => {
                let labels = verbalizer.labels.iter();
                labels.flat_map(|label| label.words.clone()).collect()
            }
            None => {
                let names = self.data.labels.iter();
                // A name without tokens is no word to begin with.
                let words = names.filter_map(|name| self.encode(name).ok());
                words.filter(|ids| !ids.is_empty()).collect()
            }
        }
    }
}
