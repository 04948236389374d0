//! The tables for a paper written in LaTeX.

use super::Report;
use crate::{
    table::{Row, Standing},
    text_table::TextTable,
};

/// The columns of the table that a paper has no room for: what they say is in its type.
const LEFT_OUT: &str = "against the best";
const BOLD: &str = "test accuracy";

impl Report {
    /// What methods reach, and behind it what they cost, each as a `table` of LaTeX with the rules of `booktabs`. What is
    /// best, and what is within noise of it, is bold.
    pub fn to_latex(&self) -> String {
        let mut notes: Vec<&str> = Vec::new();
        if !self.table.comparisons.is_empty() {
            notes.push("Bold: the best accuracy and those tied with it.");
        }
        let rows = &self.table.rows;
        let is_bold = |row: usize, title: &str| title == BOLD && is_bold(&rows[row]);
        let mut text = String::from(
            "% Needs \\usepackage{booktabs}, and, for letters beyond Latin, XeLaTeX or LuaLaTeX.\n",
        );
        text += &self.environment(&self.table.results(), &notes, &is_bold);
        if let Some(costs) = self.table.costs() {
            text += &format!("\n{}", self.environment(&costs, &[], &|_, _| false));
        }
        text
    }

    fn environment(
        &self,
        table: &TextTable,
        notes: &[&str],
        is_bold: &dyn Fn(usize, &str) -> bool,
    ) -> String {
        let titles = &table.titles;
        let is_shown = |column: &usize| titles[*column].0 != LEFT_OUT;
        let shown: Vec<usize> = (0..titles.len()).filter(is_shown).collect();
        let line = |cells: Vec<String>| format!("    {} \\\\\n", cells.join(" & "));
        let columns: String = shown
            .iter()
            .map(|&column| if titles[column].1 { 'r' } else { 'l' })
            .collect();
        let head = shown
            .iter()
            .map(|&column| escaped(titles[column].0))
            .collect();
        let rows = table.cells.iter().enumerate().map(|(row, cells)| {
            let cell = |&column: &usize| {
                let text = escaped(&cells[column]);
                match is_bold(row, titles[column].0) {
                    true => format!("\\textbf{{{text}}}"),
                    false => text,
                }
            };
            line(shown.iter().map(cell).collect())
        });
        let rows: String = rows.collect();
        let title = format!("{}.", self.title());
        let notes = table
            .notes
            .iter()
            .map(String::as_str)
            .chain(notes.iter().copied());
        let caption: Vec<&str> = [title.as_str()].into_iter().chain(notes).collect();
        format!(
            "\\begin{{table}}\n  \\centering\n  \\caption{{{}}}\n  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n{}    \
             \\midrule\n{rows}    \\bottomrule\n  \\end{{tabular}}\n\\end{{table}}\n",
            escaped(&caption.join(" ")),
            line(head),
        )
    }
}

fn is_bold(row: &Row) -> bool {
    matches!(row.standing, Some(Standing::Best | Standing::Tied))
}

/// Text in which nothing is a command.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
