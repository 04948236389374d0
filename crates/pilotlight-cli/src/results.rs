//! Results as text.

use pilotlight_compare::{Report, TextTable, numbers::interval, result::TestResult};

use crate::{
    console::{Console, Output},
    failure::Failure,
    grid::grid,
};

/// What a model reaches on test examples.
pub(crate) fn test(test: &TestResult) -> String {
    let loss = format!("loss {:.4} on {} examples", test.loss, test.n_examples);
    let accuracy = test.accuracy.map(interval);
    let scores = [
        ("accuracy", accuracy),
        ("macro-F1", test.macro_f1.map(|score| format!("{score:.3}"))),
        ("MCC", test.mcc.map(|score| format!("{score:.3}"))),
    ];
    let scores = scores
        .into_iter()
        .filter_map(|(name, score)| Some(format!("{name} {}", score?)));
    scores.chain([loss]).collect::<Vec<_>>().join(", ")
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
