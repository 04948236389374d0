//! BLEU as sacrebleu computes it (Papineni et al. 2002; Post 2018): one reference, tokens by `13a`, exponential
//! smoothing, scores of a corpus.

use std::{collections::HashMap, ops::AddAssign, sync::LazyLock};

use regex::Regex;
use serde::{Deserialize, Serialize};

/// The longest n-grams.
const MAX_ORDER: usize = 4;

/// What BLEU counts of a text against its reference. Those of several texts add up to those of a corpus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BleuCounts {
    /// For n = 1 to 4 the n-grams that the reference has too, each as often at most as there.
    pub matches: [usize; MAX_ORDER],
    /// For n = 1 to 4 all n-grams.
    pub totals: [usize; MAX_ORDER],
    /// Tokens of the text.
    pub n_tokens: usize,
    /// Tokens of the reference.
    pub n_reference: usize,
}

impl BleuCounts {
    /// Counts the n-grams of a text.
    pub fn new(text: &str, reference: &str) -> Self {
        let (text, reference) = (tokens_13a(text), tokens_13a(reference));
        let text: Vec<&str> = text.split_whitespace().collect();
        let reference: Vec<&str> = reference.split_whitespace().collect();
        let mut counts = Self {
            n_tokens: text.len(),
            n_reference: reference.len(),
            ..Self::default()
        };
        for order in 1..=MAX_ORDER {
            let of_reference = n_grams(&reference, order);
            let of_text = n_grams(&text, order);
            counts.totals[order - 1] = of_text.values().sum();
            counts.matches[order - 1] = of_text
                .iter()
                .map(|(n_gram, count)| of_reference.get(n_gram).copied().unwrap_or(0).min(*count))
                .sum();
        }
        counts
    }

    /// BLEU, from 0 to 100:
    ///
    /// ```text
    /// 100 min(1, exp(1 - r / c)) (p_1 p_2 p_3 p_4)^(1/4)      p_n = matches_n / totals_n
    /// ```
    ///
    /// for c tokens against r of the reference. The k-th order without a match has `p_n = 1 / (2^k totals_n)`; without
    /// any match, or where no text has four tokens, it is 0.
    pub fn score(&self) -> f64 {
        if self.matches == [0; MAX_ORDER] || self.totals.contains(&0) {
            return 0.0;
        }
        let mut smoothing = 1.0;
        let orders = self.matches.iter().zip(self.totals);
        let logarithms = orders.map(|(&matches, total)| match matches {
            0 => {
                smoothing *= 2.0;
                -(smoothing * total as f64).ln()
            }
            matches => (matches as f64 / total as f64).ln(),
        });
        let mean = logarithms.sum::<f64>() / MAX_ORDER as f64;
        let brevity = match self.n_tokens < self.n_reference {
            true => 1.0 - self.n_reference as f64 / self.n_tokens as f64,
            false => 0.0,
        };
        100.0 * (brevity + mean).exp()
    }
}

impl AddAssign for BleuCounts {
    fn add_assign(&mut self, other: Self) {
        for order in 0..MAX_ORDER {
            self.matches[order] += other.matches[order];
            self.totals[order] += other.totals[order];
        }
        self.n_tokens += other.n_tokens;
        self.n_reference += other.n_reference;
    }
}

fn n_grams<'a>(tokens: &'a [&'a str], order: usize) -> HashMap<&'a [&'a str], usize> {
    let mut counts = HashMap::new();
    for n_gram in tokens.windows(order) {
        *counts.entry(n_gram).or_default() += 1;
    }
    counts
}

/// Tokens with blanks between them: those of `mteval-v13a.pl`, which the conference on machine translation uses. They
/// suit languages that have blanks between words.
fn tokens_13a(text: &str) -> String {
    static RULES: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
        let regex = |pattern| Regex::new(pattern).expect("it is constant");
        [
            // Marks of ASCII but for the period, the comma and the hyphen.
            (regex(r"([{-~\[-` -&(-+:-@/])"), " $1 "),
            // Periods and commas unless a digit stands in front, or behind.
            (regex(r"([^0-9])([.,])"), "$1 $2 "),
            (regex(r"([.,])([^0-9])"), " $1 $2"),
            // Hyphens behind a digit.
            (regex(r"([0-9])(-)"), "$1 $2 "),
        ]
    });
    let text = text
        .trim_end()
        .replace("<skipped>", "")
        .replace("-\n", "")
        .replace('\n', " ")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
        .replace("&lt;", "<")
        .replace("&gt;", ">");
    let padded = format!(" {text} ");
    let rules = RULES.iter();
    rules.fold(padded, |text, (rule, parts)| {
        rule.replace_all(&text, *parts).into_owned()
    })
}
