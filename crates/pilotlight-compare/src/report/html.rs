//! The report as a page: one file that needs neither a network nor scripts.

use minijinja::{Environment, Value, context};

use super::{Report, settings::written};
use crate::{
    error::CompareError,
    figure::{Colors, Figure, variables},
    numbers::{difference, probability, short},
    search::Chosen,
    table::{Standing, Table},
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
            table => context! {
                titles => titles(&self.table),
                rows => rows(&self.table),
                notes => self.table.notes(),
            },
            protocol => &self.about.protocol,
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

fn titles(table: &Table) -> Vec<Value> {
    let titles = table.titles().into_iter();
    titles
        .map(|(text, is_number)| context! { text, is_number })
        .collect()
}

fn rows(table: &Table) -> Vec<Value> {
    let titles = table.titles();
    let rows = table.rows.iter().zip(table.cells());
    let rows = rows.map(|(row, cells)| {
        let cells = cells.into_iter().zip(&titles);
        let cells = cells.map(|(text, (_, is_number))| context! { text, is_number });
        context! {
            cells => cells.collect::<Vec<_>>(),
            is_good => matches!(row.standing, Some(Standing::Best | Standing::Tied)),
            is_baseline => row.method.is_empty(),
        }
    });
    rows.collect()
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
