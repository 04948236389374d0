//! Which rows have to be run to know the probability of every label word.

use pilotlight_core::TokenRow;
use pilotlight_data::{Example, Target, Verbalizer};

/// The rows for each input: it runs once with each of `endings` behind it, and every word is read off one of them.
///
/// A causal model's prediction of a token does not depend on what follows. So a word whose first tokens (all but
/// the last) begin an ending is read there, and if all words are single tokens, there is one ending and it is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WordPlan {
    /// For each ending its tokens, and the words that are read off it, as indices into `words`.
    endings: Vec<(Vec<u32>, Vec<usize>)>,
    /// All words of all labels, label by label.
    words: Vec<Vec<u32>>,
    /// Number of words of each label.
    n_words: Vec<usize>,
}

impl WordPlan {
    pub(crate) fn new(verbalizer: &Verbalizer) -> Self {
        let labels = verbalizer.labels.iter();
        let n_words = labels.clone().map(|label| label.words.len()).collect();
        let words: Vec<Vec<u32>> = labels.flat_map(|label| label.words.clone()).collect();
        Self::of_words(words, n_words)
    }

    /// A plan for answers of no label, each by itself.
    pub(crate) fn of_choices(choices: &[Vec<u32>]) -> Self {
        Self::of_words(choices.to_vec(), vec![1; choices.len()])
    }

    fn of_words(words: Vec<Vec<u32>>, n_words: Vec<usize>) -> Self {
        let mut by_length: Vec<usize> = (0..words.len()).collect();
        by_length.sort_by_key(|&word| std::cmp::Reverse(words[word].len()));
        let mut endings: Vec<(Vec<u32>, Vec<usize>)> = Vec::new();
        for word in by_length {
            let begin = &words[word][..words[word].len().saturating_sub(1)];
            match endings
                .iter_mut()
                .find(|(ending, _)| ending.starts_with(begin))
            {
                Some((_, of_ending)) => of_ending.push(word),
                None => endings.push((begin.to_vec(), vec![word])),
            }
        }
        Self {
            endings,
            words,
            n_words,
        }
    }

    /// Rows per input.
    pub(crate) fn n_rows(&self) -> usize {
        self.endings.len()
    }

    /// The rows of an input, with the tokens to ask for.
    pub(crate) fn rows(&self, input: &TokenRow) -> Vec<(TokenRow, Vec<(usize, u32)>)> {
        let n_input = input.ids.len();
        let example = Example {
            input: input.clone(),
            target: Target::Text,
            origin: 0,
        };
        let rows = self.endings.iter().map(|(ending, words)| {
            let tokens = words.iter().flat_map(|&word| {
                let ids = self.words[word].iter().enumerate();
                ids.map(|(index, &id)| (n_input + index, id))
            });
            (example.with_answer(ending), tokens.collect())
        });
        rows.collect()
    }

    /// The log-probability of every word, label by label, out of those of the tokens of the rows.
    pub(crate) fn word_logprobs(&self, of_rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let mut sums = vec![0.0; self.words.len()];
        for ((_, words), values) in self.endings.iter().zip(of_rows) {
            let mut values = values.iter();
            for &word in words {
                sums[word] = values.by_ref().take(self.words[word].len()).sum();
            }
        }
        let mut sums = sums.into_iter();
        let labels = self.n_words.iter();
        labels
            .map(|&n_words| sums.by_ref().take(n_words).collect())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(words: &[&[u32]]) -> WordPlan {
        let words: Vec<_> = words.iter().map(|word| word.to_vec()).collect();
        WordPlan::of_choices(&words)
    }

    #[test]
    fn single_tokens_take_one_row_without_an_answer() {
        let plan = plan(&[&[5], &[6], &[7]]);
        let rows = plan.rows(&TokenRow::new(vec![1, 2]));
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].0.ids, [1, 2]);
        assert_eq!(rows[0].0.anchors.answer, Some(2));
        assert_eq!(rows[0].1, [(2, 5), (2, 6), (2, 7)]);
        let values = vec![vec![-1.0, -2.0, -3.0]];
        assert_eq!(plan.word_logprobs(&values), [[-1.0], [-2.0], [-3.0]]);
    }

    #[test]
    fn words_share_the_row_of_a_longer_one() {
        let plan = plan(&[&[5], &[6, 7, 8], &[6, 9], &[4, 9]]);
        let rows = plan.rows(&TokenRow::new(vec![1]));
        let ids: Vec<_> = rows.iter().map(|(row, _)| row.ids.clone()).collect();
        assert_eq!(ids, [vec![1, 6, 7], vec![1, 4]]);
        // The longest comes first, then the others in their order.
        assert_eq!(rows[0].1, [(1, 6), (2, 7), (3, 8), (1, 6), (2, 9), (1, 5)]);
        assert_eq!(rows[1].1, [(1, 4), (2, 9)]);
        let values = vec![vec![-1.0, -2.0, -4.0, -1.0, -8.0, -0.5], vec![-0.25, -16.0]];
        let expected = [[-0.5], [-7.0], [-9.0], [-16.25]];
        assert_eq!(plan.word_logprobs(&values), expected);
    }
}
