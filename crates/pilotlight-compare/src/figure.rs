//! A comparison as pictures.
//!
//! A picture is an SVG document of its own white background, so that it can be read on light and dark pages, or one that takes
//! the colors of the page it stands in. Its text is text in whatever sans-serif font the reader has; room is kept for wide
//! ones.

mod axes;
mod bars;
mod colors;
mod confusion;
mod curves;
mod drawing;
mod fonts;
mod geometry;
mod labels;
mod lines;
mod marks;
mod pixels;
mod plane;
mod rates;
mod scale;
mod scatter;
mod text;

use self::{
    axes::axes,
    confusion::confusions,
    curves::curves,
    drawing::Drawing,
    rates::rates,
    scatter::{PARAMETERS, TIME, scatter},
};
pub(crate) use self::{
    bars::{Bar, Bars},
    colors::{Colors, variables},
};
use crate::{report::Report, table::Row};

/// A picture of a report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    /// Name of its files, without an extension.
    pub(crate) name: String,
    /// What it shows.
    pub(crate) title: String,
    drawing: Drawing,
}

impl Figure {
    /// Its SVG document. The same report always gives the same one.
    pub(crate) fn to_svg(&self, colors: Colors) -> String {
        self.drawing.to_svg(colors)
    }

    /// The same as a PNG file; `None` if it is too large.
    pub(crate) fn to_png(&self) -> Option<Vec<u8>> {
        self.drawing.to_png()
    }
}

/// All pictures that a report has something to show in: what methods reach against what they cost, along each axis and
/// the learning rates that were tried, which classes they take for which, and their losses along the steps.
pub(crate) fn figures(report: &Report) -> Vec<Figure> {
    let costs = [PARAMETERS, TIME];
    let scatters = costs.iter().filter_map(|cost| scatter(report, cost));
    let mut figures: Vec<Figure> = scatters.collect();
    figures.extend(axes(report));
    figures.extend(rates(report));
    figures.extend(confusions(report));
    figures.extend(curves(report));
    // Names of methods that differ in what a file's name cannot hold.
    for index in 1..figures.len() {
        let (before, figure) = figures.split_at_mut(index);
        let name = figure[0].name.clone();
        let mut copy = 2;
        while before.iter().any(|known| known.name == figure[0].name) {
            figure[0].name = format!("{name}-{copy}");
            copy += 1;
        }
    }
    figures
}

/// Of items with rows of the same key the one with the lowest validation loss, in the order of the first of each. What is
/// left out was no better before the test was looked at.
fn best_by<'a, T, K: PartialEq>(
    items: impl IntoIterator<Item = T>,
    row: impl Fn(&T) -> &'a Row,
    key: impl Fn(&'a Row) -> K,
) -> Vec<T> {
    let mut best: Vec<(K, T)> = Vec::new();
    let loss = |item: &T| row(item).validation_loss.unwrap_or(f64::INFINITY);
    for item in items {
        let own = key(row(&item));
        match best.iter_mut().find(|(known, _)| *known == own) {
            Some((_, known)) if loss(&item) < loss(known) => *known = item,
            Some(_) => {}
            None => best.push((own, item)),
        }
    }
    best.into_iter().map(|(_, item)| item).collect()
}

/// What a row is a setting of: its method, or a baseline of its own.
fn family(row: &Row) -> &str {
    match row.method.as_str() {
        "" => &row.label,
        method => method,
    }
}

/// A text as part of a file's name.
fn file_name(text: &str) -> String {
    let plain = |character: char| match character {
        letter if letter.is_ascii_alphanumeric() => letter,
        '-' | '_' => character,
        _ => '-',
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests;
