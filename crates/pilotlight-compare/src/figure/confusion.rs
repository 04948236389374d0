//! Which classes are taken for which.

use super::{
    Figure, best_by,
    colors::Ink,
    drawing::Drawing,
    family,
    geometry::Box2,
    plane::{MARGIN, WIDTH, draw_titles},
    text::{Anchor, TextStyle, fitted, text_width},
};
use crate::report::{Confusion, Detail, Report};

const HEAD: TextStyle = TextStyle::new(13, Ink::Dark);
const CLASS: TextStyle = TextStyle::new(11, Ink::Gray);
const CELL: TextStyle = TextStyle::new(11, Ink::Dark).anchored(Anchor::Middle);
const TOP: i32 = 76;
const GAP: i32 = 28;
/// Height of a method's name, of a line of text.
const HEAD_HEIGHT: i32 = 24;
/// The most room for the name of a class.
const NAME_WIDTH: i32 = 96;
/// Cells smaller than these have no number, those smaller still no name of a class.
const CELL_WITH_NUMBER: i32 = 26;
const CELL_WITH_NAME: i32 = 12;
const LARGEST_CELL: i32 = 72;
/// From this share on, numbers are white on color.
const DEEP: f64 = 0.85;

/// The confusion matrix of each method: of the right class in each row, the shares of the predicted ones. Of a method with
/// several settings, that of the lowest validation loss.
pub(super) fn confusions(report: &Report) -> Option<Figure> {
    let chosen = chosen(report);
    let most = chosen
        .iter()
        .map(|(_, confusion)| confusion.labels.len())
        .max()?;
    let n_columns = match most {
        0..=4 => 3,
        5..=14 => 2,
        // One, so that there is room for the names of the classes, while they can be read at all.
        15..=55 => 1,
        _ => 2,
    };
    let width = (WIDTH - 2 * MARGIN - GAP * (n_columns - 1)) / n_columns;
    let panels: Vec<Panel> = chosen
        .iter()
        .map(|(label, confusion)| Panel::new(label, confusion, width))
        .collect();
    let mut top = TOP;
    let mut drawn: Vec<(i32, i32)> = Vec::new();
    for row in panels.chunks(n_columns as usize) {
        let columns = 0..row.len() as i32;
        drawn.extend(columns.map(|column| (MARGIN + column * (width + GAP), top)));
        top += row.iter().map(Panel::height).max().unwrap_or_default() + GAP;
    }
    let title = "Right and predicted classes";
    let mut drawing = Drawing::new(title, (WIDTH, top));
    let subtitle = match panels.iter().any(|panel| panel.side > 0) {
        true => {
            "rows: the right class · columns: the predicted one · numbers: percent of the row, over all seeds"
        }
        false => {
            "rows: the right class · columns: the predicted one · both in the order of the classes"
        }
    };
    draw_titles(&mut drawing, report.title(), subtitle);
    for (panel, (left, top)) in panels.iter().zip(drawn) {
        panel.draw(&mut drawing, left, top);
    }
    Some(Figure {
        name: "confusion".into(),
        title: title.into(),
        drawing,
    })
}

/// The rows that are shown, with their names.
fn chosen(report: &Report) -> Vec<(&str, &Confusion)> {
    let with_classes = report
        .details
        .iter()
        .filter(|detail| detail.confusion.is_some());
    let best = best_by(with_classes, |detail| report.row(detail), family);
    let named = best.into_iter().filter_map(|detail: &Detail| {
        Some((
            report.row(detail).label.as_str(),
            detail.confusion.as_ref()?,
        ))
    });
    named.collect()
}

struct Panel<'a> {
    name: String,
    confusion: &'a Confusion,
    classes: Vec<String>,
    /// Room for the names of classes at the left, and below.
    side: i32,
    below: i32,
    is_upwards: bool,
    cell: i32,
}

impl<'a> Panel<'a> {
    fn new(name: &str, confusion: &'a Confusion, width: i32) -> Self {
        let classes: Vec<String> = confusion
            .labels
            .iter()
            .map(|label| fitted(label, CLASS, NAME_WIDTH))
            .collect();
        let widest = classes
            .iter()
            .map(|class| text_width(class, CLASS))
            .max()
            .unwrap_or_default();
        let n_classes = classes.len().max(1) as i32;
        let cell = ((width - widest - 8) / n_classes).clamp(1, LARGEST_CELL);
        let is_named = cell >= CELL_WITH_NAME;
        let is_upwards = widest > cell - 4;
        Self {
            name: fitted(name, HEAD, width),
            confusion,
            classes,
            side: if is_named { widest + 8 } else { 0 },
            below: match (is_named, is_upwards) {
                (false, _) => 0,
                (true, true) => widest + 8,
                (true, false) => 20,
            },
            is_upwards,
            cell,
        }
    }

    fn height(&self) -> i32 {
        HEAD_HEIGHT + self.cell * self.classes.len() as i32 + self.below
    }

    fn draw(&self, drawing: &mut Drawing, left: i32, top: i32) {
        let n_classes = self.classes.len() as i32;
        drawing.text(&self.name, (left, top + HEAD_HEIGHT / 2 - 2), HEAD);
        let (left, top) = (left + self.side, top + HEAD_HEIGHT);
        let bottom = top + n_classes * self.cell;
        for (gold, counts) in self.confusion.counts.counts.iter().enumerate() {
            let y = top + gold as i32 * self.cell;
            let all: usize = counts.iter().sum();
            for (predicted, &count) in counts.iter().enumerate() {
                let x = left + predicted as i32 * self.cell;
                let share = count as f64 / all.max(1) as f64;
                let cell = Box2 {
                    left: x,
                    top: y,
                    right: x + self.cell,
                    bottom: y + self.cell,
                };
                self.draw_cell(drawing, cell, share, || {
                    let [gold, predicted] =
                        [gold, predicted].map(|class| &self.confusion.labels[class]);
                    format!("{gold} taken for {predicted}: {count} of {all}")
                });
            }
            if self.cell >= CELL_WITH_NAME {
                let middle = y + self.cell / 2;
                drawing.text(
                    &self.classes[gold],
                    (left - 6, middle),
                    CLASS.anchored(Anchor::End),
                );
            }
        }
        drawing.frame(Box2 {
            left,
            top,
            right: left + n_classes * self.cell,
            bottom,
        });
        for (predicted, class) in self.classes.iter().enumerate().filter(|_| self.below > 0) {
            let x = left + predicted as i32 * self.cell + self.cell / 2;
            match self.is_upwards {
                true => drawing.text(
                    class,
                    (x, bottom + 6),
                    CLASS.anchored(Anchor::End).upwards(),
                ),
                false => drawing.text(class, (x, bottom + 11), CLASS.anchored(Anchor::Middle)),
            }
        }
    }

    fn draw_cell(
        &self,
        drawing: &mut Drawing,
        cell: Box2,
        share: f64,
        note: impl FnOnce() -> String,
    ) {
        let draw = |drawing: &mut Drawing| {
            drawing.fill(cell, Ink::Series(0), share);
            if self.cell >= CELL_WITH_NUMBER {
                let ink = if share > DEEP { Ink::Paper } else { Ink::Dark };
                let style = TextStyle { ink, ..CELL };
                drawing.text(&format!("{:.0}", 100.0 * share), cell.center(), style);
            }
        };
        match self.cell >= CELL_WITH_NUMBER {
            true => drawing.noted(note(), draw),
            // A note for each of thousands of cells would be most of the document.
            false if share > 0.0 => draw(drawing),
            false => {}
        }
    }
}
