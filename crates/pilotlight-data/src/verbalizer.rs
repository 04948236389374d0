//! Label words: how a language model says a label.

use std::collections::HashMap;

use crate::{
    config::TaskConfig,
    error::{DataError, Problem, Problems, quote},
    tokenizer::Tokenizer,
};

/// The labels of a task and the words that stand for them (Schick and Schütze 2021, arXiv:2001.07676).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verbalizer {
    /// The labels in the order of the classes.
    pub labels: Vec<Label>,
}

/// One label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its name, as in the data.
    pub name: String,
    /// Token ids of each of its words; no word is empty, none stands under two labels.
    pub words: Vec<Vec<u32>>,
}

impl Verbalizer {
    /// Tokenises the label words of a task: each by itself, exactly as it is written, without special tokens.
    ///
    /// # Errors
    ///
    /// If there are no label words, a label has none, or a word has no tokens or the same tokens as another word.
    pub fn of_task(task: &TaskConfig, tokenizer: &Tokenizer) -> Result<Self, DataError> {
        let mut problems = Problems::default();
        if task.labels.len() < 2 {
            problems.push(Problem::with_key(
                "task.labels",
                "label words of at least two labels",
                task.labels.len().to_string(),
                "for example `labels = { negative = \" negative\", positive = \" positive\" }`, or \
                 train a linear head by `head = \"linear\"`",
            ));
        }
        let mut owners: HashMap<Vec<u32>, String> = HashMap::new();
        let mut labels = Vec::with_capacity(task.labels.len());
        for (name, words) in &task.labels {
            let key = format!("task.labels.{name}");
            if words.words().is_empty() {
                problems.push(Problem::with_key(
                    &key,
                    "a label word",
                    "an empty list",
                    "write the text that stands for the label",
                ));
            }
            let mut label = Label {
                name: name.clone(),
                words: Vec::new(),
            };
            for word in words.words() {
                let ids = tokenizer.encode(word, false)?;
                if ids.is_empty() {
                    problems.push(Problem::with_key(
                        &key,
                        "a label word",
                        format!("{}, which has no tokens", quote(word)),
                        "write the text that stands for the label",
                    ));
                } else if let Some(owner) = owners.insert(ids.clone(), key.clone()) {
                    problems.push(Problem::with_key(
                        &key,
                        "words that differ in their tokens",
                        format!(
                            "{}, which has the tokens of a word of `{owner}`",
                            quote(word)
                        ),
                        "choose another word",
                    ));
                }
                label.words.push(ids);
            }
            labels.push(label);
        }
        problems.into_result()?;
        Ok(Self { labels })
    }

    /// Tokens of the longest word.
    pub fn longest_word(&self) -> usize {
        let words = self.labels.iter().flat_map(|label| &label.words);
        words.map(Vec::len).max().unwrap_or(0)
    }
}
