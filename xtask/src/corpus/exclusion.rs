//! Texts that must not be in the corpus, nor anything close to them.

use std::collections::{HashMap, HashSet};

/// So many words in a row that two texts share make one a near duplicate of the other.
const SHARED_WORDS: usize = 8;

/// The fewest words of a text that is looked for within longer ones; shorter ones ("Great phone!") are common speech.
const FEWEST_WORDS: usize = 5;

/// A set of excluded texts, compared by their words alone: no case, no punctuation.
#[derive(Default)]
pub(crate) struct Exclusion {
    /// Texts of fewer than [`FEWEST_WORDS`] words.
    short: HashSet<String>,
    /// Runs of words, by their number.
    runs: HashMap<usize, HashSet<String>>,
}

impl Exclusion {
    /// Excludes a text.
    pub(crate) fn add(&mut self, text: &str) {
        let words = normalised(text);
        if words.len() < FEWEST_WORDS {
            self.short.insert(words.join(" "));
            return;
        }
        let length = words.len().min(SHARED_WORDS);
        let runs = self.runs.entry(length).or_default();
        runs.extend(words.windows(length).map(|run| run.join(" ")));
    }

    /// Whether a text equals an excluded one, holds one, or shares a long run of words with one.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let words = normalised(text);
        self.short.contains(&words.join(" "))
            || self.runs.iter().any(|(length, runs)| {
                words
                    .windows(*length)
                    .any(|run| runs.contains(&run.join(" ")))
            })
    }
}

/// The words of a text in lower case, without punctuation.
pub(crate) fn normalised(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(Into::into)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_equal_and_close_texts() {
        let mut exclusion = Exclusion::default();
        exclusion.add("Great phone!");
        exclusion.add("The battery dies after an hour.");
        exclusion.add("One two three four five six seven eight nine ten.");
        for text in [
            "great  PHONE",
            "They say the battery dies, after an hour; true.",
            "zero two three four five six seven eight nine eleven",
        ] {
            assert!(exclusion.holds(text), "{text}");
        }
        for text in [
            "A great phone",
            "The battery dies after a day",
            "two three four five six seven eight ten",
        ] {
            assert!(!exclusion.holds(text), "{text}");
        }
    }
}
