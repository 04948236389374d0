//! Words without a tokenizer.

use pilotlight_tuners::Vocabulary;

/// Words that are the numbers of tokens, such as `17 60 5`.
#[derive(Debug)]
pub struct Numbers;

impl Vocabulary for Numbers {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let number = |word: &str| word.parse().map_err(|_| format!("`{word}` is no number"));
        text.split_whitespace().map(number).collect()
    }

    fn is_special(&self, _id: u32) -> bool {
        false
    }

    fn frequencies(&self) -> Vec<(u32, usize)> {
        Vec::new()
    }

    fn label_words(&self) -> Vec<Vec<u32>> {
        Vec::new()
    }
}
