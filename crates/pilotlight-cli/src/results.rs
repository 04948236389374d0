//! Results as text.

use pilotlight_compare::{result::TestResult, statistics::Interval};

/// What a model reaches on test examples.
pub(crate) fn test(test: &TestResult) -> String {
    let loss = format!("loss {:.4} on {} examples", test.loss, test.n_examples);
    match test.accuracy {
        Some(accuracy) => format!("accuracy {}, {loss}", interval(&accuracy)),
        None => loss,
    }
}

/// A value with its interval.
pub(crate) fn interval(Interval { value, low, high }: &Interval) -> String {
    format!("{value:.3} [{low:.3}, {high:.3}]")
}

/// A token's text with its blanks, line ends and control characters to be seen.
pub(crate) fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|character| match character {
            ' ' => vec!['·'],
            control if control.is_control() => control.escape_default().collect(),
            other => vec![other],
        })
        .collect()
}
