//! The report as a page: one file that needs neither a network nor scripts.

use minijinja::{Environment, Value, context};

use super::{Report, settings::written};
use crate::{
    error::CompareError,
    figure::{Colors, Figure, variables},
    numbers::{difference, probability, short},
    search::Chosen,
    table::{Row, Standing, Table},
    text_table::TextTable,
};

const TEMPLATE: &str = include_str!("page.html");

impl Report {
    /// The report as a page. The same report always gives the same one.
    ///
    /// # Errors
    ///
    /// If the page cannot be made: the template is at fault.
    pub(crate) fn to_html(&self, figures: &[Figure]) -> Result<String, CompareError> {
        let mut environment = Environment::new();
        let page = environment.add_template("page.html", TEMPLATE);
        let page = page.and_then(|()| {
            environment
                .get_template("page.html")?
                .render(self.context(figures))
        });
        page.map_err(|error| CompareError::Page {
            message: format!("{error:#}"),
        })
    }

    fn context(&self, figures: &[Figure]) -> Value {
        let figures = figures.iter().map(|figure| {
            context! { name => &figure.name, title => &figure.title, svg => figure.to_svg(Colors::OfPage) }
        });
        let own = self
            .details
            .iter()
            .filter(|detail| !detail.settings.is_empty());
        let own = own.map(|detail| {
            context! { label => &self.row(detail).label, settings => written(&detail.settings) }
        });
        let failures = self.failures.iter().map(|failure| {
            context! {
                method => &failure.method,
                seed => failure.seed,
                folder => failure.folder.display().to_string(),
                message => &failure.message,
            }
        });
        let variables = variables().map(|(name, light, dark)| context! { name, light, dark });
        context! {
            title => self.title(),
            name => &self.about.name,
            command => &self.about.command,
            variables => variables.collect::<Vec<_>>(),
            tables => self.tables_context(),
            chosen => self.chosen.iter().map(rates).collect::<Vec<_>>(),
            figures => figures.collect::<Vec<_>>(),
            pairs => pairs(&self.table),
            settings => written(&self.settings),
            own => own.collect::<Vec<_>>(),
            facts => self.sources.facts(),
            runs => self.runs_context(),
            failures => failures.collect::<Vec<_>>(),
        }
    }

    fn tables_context(&self) -> Vec<Value> {
        let mut results = self.table.results();
        results.notes.extend(self.about.protocol.iter().cloned());
        let marks = |row: usize| marks(&self.table.rows[row]);
        let costs = self.table.costs();
        let costs = costs.map(|costs| table("costs", "What it costs", &costs, |_| ""));
        [table("results", "Results", &results, marks)]
            .into_iter()
            .chain(costs)
            .collect()
    }

    fn runs_context(&self) -> Vec<Value> {
        let run = |run: &super::ReportedRun| {
            let result = &run.result;
            let accuracy = result.test.and_then(|test| test.accuracy);
            context! {
                label => &run.label,
                seed => result.seed,
                accuracy => accuracy.map(crate::numbers::interval),
                loss => result.test.map(|test| format!("{:.4}", test.loss)),
                validation => result.loss.validation.map(|loss| format!("{loss:.4}")),
                best_step => (result.steps > 0).then(|| format!("{} of {}", result.best_step, result.steps)),
                training => (result.seconds.training > 0.0).then(|| crate::numbers::seconds(result.seconds.training)),
                tokens => result.tokens_per_second.map(|tokens| short(tokens.round())),
                folder => run.folder.display().to_string(),
            }
        };
        self.runs.iter().map(run).collect()
    }
}

/// A table; `marks` are the classes of a row.
fn table(id: &str, title: &str, table: &TextTable, marks: impl Fn(usize) -> &'static str) -> Value {
    let titles = &table.titles;
    let cell = |(text, (_, is_number)): (&str, &(&str, bool))| context! { text, is_number };
    let head = titles.iter().map(|column| cell((column.0, column)));
    let rows = table.cells.iter().enumerate().map(|(row, cells)| {
        let cells = cells.iter().map(String::as_str).zip(titles).map(cell);
        context! { cells => cells.collect::<Vec<_>>(), marks => marks(row) }
    });
    context! {
        id,
        title,
        titles => head.collect::<Vec<_>>(),
        rows => rows.collect::<Vec<_>>(),
        notes => &table.notes,
    }
}

fn marks(row: &Row) -> &'static str {
    match row.standing {
        Some(Standing::Best | Standing::Tied) if row.method.is_empty() => "good baseline",
        Some(Standing::Best | Standing::Tied) => "good",
        _ if row.method.is_empty() => "baseline",
        _ => "",
    }
}

/// The learning rates of a method that were tried, and the one that was chosen.
fn rates(chosen: &Chosen) -> Value {
    let trials = chosen.trials.iter().map(|(rate, found)| {
        let loss = found.and_then(|found| found.loss);
        context! {
            rate => short(*rate),
            loss => loss.map_or("failed".to_owned(), |loss| format!("{loss:.4}")),
            is_chosen => chosen.learning_rate == Some(*rate),
        }
    });
    context! { title => &chosen.title, trials => trials.collect::<Vec<_>>() }
}

/// Every row against every other one: the points of accuracy by which the row is ahead of the column.
fn pairs(table: &Table) -> Option<Value> {
    let compared = |place: &usize| {
        let mut comparisons = table.comparisons.iter();
        comparisons.any(|pair| pair.first == *place || pair.second == *place)
    };
    let places: Vec<usize> = (0..table.rows.len()).filter(compared).collect();
    let cell = |first: usize, second: usize| {
        let Some(pair) = table.comparison(first, second) else {
            return context! { text => "", kind => "none" };
        };
        let kind = match (pair.is_tie, pair.difference.value > 0.0) {
            (true, _) => "tie",
            (false, true) => "ahead",
            (false, false) => "behind",
        };
        let note = format!(
            "{} against {}: {} in accuracy, {} better and {} worse outcomes, p = {}, corrected {}",
            table.rows[first].label,
            table.rows[second].label,
            difference(pair.difference),
            pair.first_better,
            pair.second_better,
            probability(pair.p_value),
            probability(pair.corrected_p_value),
        );
        context! { text => format!("{:+.1}", 100.0 * pair.difference.value), kind, note }
    };
    let rows = places.iter().enumerate().map(|(number, &first)| {
        let cells = places.iter().map(|&second| cell(first, second));
        context! { number => number + 1, label => &table.rows[first].label, cells => cells.collect::<Vec<_>>() }
    });
    let rows: Vec<Value> = rows.collect();
    (!rows.is_empty()).then(|| context! { rows })
}
