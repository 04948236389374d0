//! The report as a Markdown document.

use super::{Report, settings::written, write::FIGURES_FOLDER};
use crate::{
    figure::Figure,
    numbers::{difference, probability, short},
    search::Chosen,
    statistics::Comparison,
    table::Table,
    text_table::TextTable,
};

/// More pairs than these are left to `results.json`, but for those with the best.
const MOST_PAIRS: usize = 120;

impl Report {
    /// The report as a Markdown document beside its figures.
    pub(crate) fn to_markdown(&self, figures: &[Figure]) -> String {
        let mut text = format!("# {}\n\n", line(&self.about.name));
        if !self.about.subject.is_empty() {
            text += &format!("{}.\n\n", line(&self.about.subject));
        }
        text += &shown(&self.table.results());
        for sentence in &self.about.protocol {
            text += &format!("\n{}\n", line(sentence));
        }
        for Figure { name, title, .. } in figures {
            text += &format!("\n![{title}]({FIGURES_FOLDER}/{name}.svg)\n");
        }
        if let Some(costs) = self.table.costs() {
            text += &format!("\n## What it costs\n\n{}", shown(&costs));
        }
        text += &pairs(&self.table);
        text += &rates(&self.chosen);
        text += &self.settings_text();
        text += &self.sources_text();
        if !self.failures.is_empty() {
            text += "\n## Failed runs\n";
        }
        for failure in &self.failures {
            text += &format!(
                "\n**{}, seed {}** ({}):\n\n{}",
                line(&failure.method),
                failure.seed,
                line(&failure.folder.display().to_string()),
                block("text", &failure.message)
            );
        }
        text
    }

    fn settings_text(&self) -> String {
        let mut text = String::new();
        if !self.settings.is_empty() {
            text += &format!(
                "\n## Settings\n\nOf all methods:\n\n{}",
                block("toml", &written(&self.settings))
            );
        }
        for detail in self
            .details
            .iter()
            .filter(|detail| !detail.settings.is_empty())
        {
            let label = line(&self.row(detail).label);
            text += &format!(
                "\nOf {label}:\n\n{}",
                block("toml", &written(&detail.settings))
            );
        }
        text
    }

    fn sources_text(&self) -> String {
        let mut text = String::from("\n## Made by\n\n");
        if let Some(command) = &self.about.command {
            text += &format!("{}\n", block("sh", command));
        }
        for fact in self.sources.facts() {
            text += &format!("- {}\n", line(&fact));
        }
        text
    }
}

/// Every comparison of two rows, or, where they are many, those with the best.
fn pairs(table: &Table) -> String {
    let is_best = |place: usize| table.rows[place].standing == Some(crate::table::Standing::Best);
    let with_best = |pair: &&Comparison| is_best(pair.first) || is_best(pair.second);
    let (shown, note): (Vec<&Comparison>, _) = match table.comparisons.len() {
        0 => return String::new(),
        n_pairs if n_pairs > MOST_PAIRS => {
            let note =
                format!("\nThese are the pairs with the best; `results.json` has all {n_pairs}.\n");
            (table.comparisons.iter().filter(with_best).collect(), note)
        }
        _ => (table.comparisons.iter().collect(), String::new()),
    };
    let titles = [
        ("first", false),
        ("second", false),
        ("difference in accuracy", true),
        ("better by the first, by the second", true),
        ("p", true),
        ("corrected p", true),
        ("verdict", false),
    ];
    let cells = shown.into_iter().map(|pair| {
        let verdict = match (pair.is_tie, pair.difference.value > 0.0) {
            (true, _) => "tie",
            (false, true) => "first",
            (false, false) => "second",
        };
        vec![
            table.rows[pair.first].label.clone(),
            table.rows[pair.second].label.clone(),
            difference(pair.difference),
            format!("{}, {}", pair.first_better, pair.second_better),
            probability(pair.p_value),
            probability(pair.corrected_p_value),
            verdict.to_owned(),
        ]
    });
    let cells: Vec<Vec<String>> = cells.collect();
    format!("\n## Pairs\n\n{}{note}", grid(&titles, &cells))
}

/// The learning rates that were tried and chosen.
fn rates(chosen: &[Chosen]) -> String {
    if chosen.is_empty() {
        return String::new();
    }
    let titles = [
        ("method", false),
        ("tried: validation loss", false),
        ("chosen", true),
    ];
    let cells = chosen.iter().map(|chosen| {
        let trials = chosen.trials.iter().map(|(rate, found)| {
            let loss = found.and_then(|found| found.loss);
            let loss = loss.map_or("failed".into(), |loss| format!("{loss:.4}"));
            format!("{}: {loss}", short(*rate))
        });
        vec![
            chosen.title.clone(),
            trials.collect::<Vec<_>>().join(", "),
            chosen.learning_rate.map_or("-".into(), short),
        ]
    });
    format!(
        "\n## Learning rates\n\n{}",
        grid(&titles, &cells.collect::<Vec<_>>())
    )
}

/// A table, and its notes behind it.
fn shown(table: &TextTable) -> String {
    let mut text = grid(&table.titles, &table.cells);
    for note in &table.notes {
        text += &format!("\n{note}\n");
    }
    text
}

/// A table of cells; each column has a title and holds numbers or not.
fn grid(titles: &[(&str, bool)], cells: &[Vec<String>]) -> String {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let rule = |(_, is_number): &(&str, bool)| if *is_number { "---:" } else { "---" }.to_owned();
    let mut text = row(titles
        .iter()
        .map(|(title, _)| (*title).to_owned())
        .collect());
    text += &row(titles.iter().map(rule).collect());
    for cells in cells {
        text += &row(cells
            .iter()
            .map(|cell| line(cell).replace('|', "\\|"))
            .collect());
    }
    text
}

/// Text that ends no line.
fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Text as it is. Its fence is longer than any inside.
fn block(language: &str, text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end())
}
