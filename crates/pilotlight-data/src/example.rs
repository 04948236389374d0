//! What a trainer consumes: prepared examples and their splits.

use std::collections::HashMap;

use pilotlight_core::TokenRow;

/// One prepared example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The input as the model sees it, without the answer; its anchors name the parts of the template.
    pub input: TokenRow,
    /// What is to be learned of it.
    pub target: Target,
    /// Line of the source, from 1, where the record begins.
    pub origin: usize,
}

/// What is to be learned of an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The class of this index.
    Class(usize),
    /// These tokens follow the input.
    Completion(Vec<u32>),
    /// Every token of the input but the first.
    Text,
}

/// Examples that are used for one purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// The examples in the order of their source.
    pub examples: Vec<Example>,
    /// What was cut from them.
    pub truncation: TruncationReport,
}

/// How much text was left out to keep inputs within their bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TruncationReport {
    /// Number of examples that were shortened.
    pub examples: usize,
    /// Tokens cut from them, all together.
    pub tokens_cut: usize,
}

impl Example {
    /// The input followed by an answer, with the anchor of the answer between them. Where the input has segments,
    /// the answer continues the last one.
    pub fn with_answer(&self, answer: &[u32]) -> TokenRow {
        let mut row = self.input.clone();
        row.anchors.answer = Some(row.ids.len());
        row.ids.extend_from_slice(answer);
        if let Some(&last) = row.token_types.last() {
            row.token_types.resize(row.ids.len(), last);
        }
        row
    }
}

impl TruncationReport {
    /// Counts an example of which so many tokens were cut.
    pub(crate) fn add(&mut self, tokens_cut: usize) {
        self.examples += usize::from(tokens_cut > 0);
        self.tokens_cut += tokens_cut;
    }
}

/// How often each token occurs in the inputs of a split: the most frequent first, ties by id.
pub fn token_frequencies(split: &Split) -> Vec<(u32, usize)> {
    let mut counts: HashMap<u32, usize> = HashMap::new();
    for example in &split.examples {
        for &id in &example.input.ids {
            *counts.entry(id).or_default() += 1;
        }
    }
    let mut frequencies: Vec<_> = counts.into_iter().collect();
    frequencies.sort_unstable_by_key(|&(id, count)| (std::cmp::Reverse(count), id));
    frequencies
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(ids: &[u32]) -> Example {
        Example {
            input: TokenRow::new(ids.to_vec()),
            target: Target::Text,
            origin: 1,
        }
    }

    #[test]
    fn an_answer_follows_the_input_behind_its_anchor() {
        let mut example = example(&[4, 5]);
        let row = example.with_answer(&[6, 7]);
        assert_eq!(row.ids, [4, 5, 6, 7]);
        assert_eq!(row.anchors.answer, Some(2));
        assert!(row.token_types.is_empty());
        example.input.token_types = vec![0, 1];
        assert_eq!(example.with_answer(&[6, 7]).token_types, [0, 1, 1, 1]);
    }

    #[test]
    fn frequencies_come_in_a_fixed_order() {
        let split = Split {
            examples: vec![example(&[9, 3, 3]), example(&[3, 7, 9, 1])],
            ..Split::default()
        };
        assert_eq!(token_frequencies(&split), [(3, 3), (9, 2), (1, 1), (7, 1)]);
    }
}
