//! Results as text.

use pilotlight_compare::{
    Forgetting, Report, TextTable,
    numbers::{difference, interval, interval_to},
    result::TestResult,
};

use crate::{
    console::{Console, Output},
    failure::Failure,
    grid::grid,
};

/// What a model reaches on test examples.
pub(crate) fn test(test: &TestResult) -> String {
    let loss = format!("loss {:.4} on {} examples", test.loss, test.n_examples);
    let accuracy = test.accuracy.map(interval);
    let generated = test.generated;
    let scores = [
        ("accuracy", accuracy),
        ("macro-F1", test.macro_f1.map(|score| format!("{score:.3}"))),
        ("MCC", test.mcc.map(|score| format!("{score:.3}"))),
        ("BLEU", generated.map(|it| interval_to(it.bleu, 1))),
        ("ROUGE-L", generated.map(|it| interval(it.rouge_l))),
        ("exact match", generated.map(|it| interval(it.exact_match))),
        ("perplexity", test.perplexity.map(|it| interval_to(it, 2))),
    ];
    let scores = scores
        .into_iter()
        .filter_map(|(name, score)| Some(format!("{name} {}", score?)));
    scores.chain([loss]).collect::<Vec<_>>().join(", ")
}

/// What training made a model forget.
pub(crate) fn forgetting(forgetting: &Forgetting) -> String {
    let Forgetting {
        n_texts,
        before,
        after,
        ..
    } = forgetting;
    format!(
        "loss on {n_texts} general texts: {before:.4} of the base alone, {after:.4} with what was trained, {}",
        difference(forgetting.difference)
    )
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

/// The tables of a comparison and what their numbers mean.
pub(crate) fn report(report: &Report, json: bool, console: &Console) -> Result<(), Failure> {
    let mut output = Output::open();
    if json {
        output.json(report)?;
        return output.flush();
    }
    let results = report.table.results();
    table(results, &report.about.protocol, &mut output, console)?;
    if let Some(costs) = report.table.costs() {
        output.line("")?;
        table(costs, &[], &mut output, console)?;
    }
    output.flush()
}

fn table(
    table: TextTable,
    notes: &[String],
    output: &mut Output,
    console: &Console,
) -> Result<(), Failure> {
    output.line(&grid(&table.titles, table.cells, console.output_style()))?;
    for note in table.notes.iter().chain(notes) {
        output.line("")?;
        output.line(note)?;
    }
    Ok(())
}
