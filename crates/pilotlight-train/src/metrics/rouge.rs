//! ROUGE-L (Lin 2004): the longest common subsequence of a text and its reference, as the package rouge-score has it.

/// The F1 score of ROUGE-L, from 0 to 1.
///
/// With the longest common subsequence of `l` tokens, precision is `l` over the tokens of the text and recall `l` over
/// those of the reference. Tokens are runs of ASCII letters and digits, in lower case, not stemmed: a text in another
/// script has none, and scores 0.
pub fn rouge_l(text: &str, reference: &str) -> f64 {
    let (text, reference) = (text.to_lowercase(), reference.to_lowercase());
    let (text, reference) = (tokens(&text), tokens(&reference));
    let common = longest_common(&text, &reference);
    match text.len() + reference.len() {
        0 => 0.0,
        both => 2.0 * common as f64 / both as f64,
    }
}

fn tokens(text: &str) -> Vec<&str> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).collect()
}

/// Length of the longest common subsequence, row by row of its table.
fn longest_common(first: &[&str], second: &[&str]) -> usize {
    let mut above = vec![0; second.len() + 1];
    for word in first {
        let mut row = vec![0; second.len() + 1];
        for (index, other) in second.iter().enumerate() {
            row[index + 1] = match word == other {
                true => above[index] + 1,
                false => row[index].max(above[index + 1]),
            };
        }
        above = row;
    }
    above[second.len()]
}
