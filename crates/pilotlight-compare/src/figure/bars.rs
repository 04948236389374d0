//! Bars below each other, from zero to the right, with whiskers.

use super::{
    colors::{Colors, Ink},
    drawing::Drawing,
    geometry::{Box2, Point},
    plane::{AXIS, LABEL, LINE_HEIGHT, MARGIN, TICK, WIDTH, draw_titles},
    text::{Anchor, fitted, text_width},
};

const TOP: i32 = 70;
const BAR_DISTANCE: i32 = 26;
const HALF_BAR: i32 = 8;
/// Half the height of a whisker's ends.
const HALF_CAP: i32 = 4;
const AXIS_HEIGHT: i32 = 64;
/// The widest name of a bar, the widest remark.
const LABEL_WIDTH: i32 = 260;
const REMARK_WIDTH: i32 = 200;
/// Between the frame and what stands beside it.
const GAP: i32 = 10;
/// The most lines of the grid.
const MOST_LINES: f64 = 8.0;
/// A square of the legend and what is kept free behind its name.
const SQUARE: i32 = 12;
const LEGEND_GAP: i32 = 24;

/// Bars with their texts.
pub(crate) struct Bars {
    pub(crate) title: String,
    pub(crate) subtitle: String,
    /// Name of the axis.
    pub(crate) axis: String,
    /// What colors stand for.
    pub(crate) groups: Vec<String>,
    pub(crate) bars: Vec<Bar>,
}

/// A bar from 0 to `value`, with a whisker from `low` to `high`.
pub(crate) struct Bar {
    pub(crate) label: String,
    /// Index of its group.
    pub(crate) group: usize,
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// What stands behind it.
    pub(crate) remark: String,
}

impl Bars {
    /// The bars as an SVG document.
    pub(crate) fn draw(&self) -> String {
        let labels = self.fitted(|bar| &bar.label, LABEL_WIDTH);
        let remarks = self.fitted(|bar| &bar.remark, REMARK_WIDTH);
        let legend = self.legend();
        let top = match legend.last() {
            Some((_, (_, y), _)) => y + LINE_HEIGHT,
            None => TOP,
        };
        let frame = Box2 {
            left: MARGIN + widest(&labels) + GAP,
            top,
            right: WIDTH - MARGIN - widest(&remarks) - GAP,
            bottom: top + BAR_DISTANCE * self.bars.len() as i32 + BAR_DISTANCE / 2,
        };
        let highest = self.bars.iter().map(|bar| bar.value.max(bar.high));
        let end = 1.04 * highest.fold(f64::MIN_POSITIVE, f64::max);
        let x =
            |value: f64| frame.left + (f64::from(frame.right - frame.left) * value / end) as i32;

        let mut drawing = Drawing::new(&self.title, (WIDTH, frame.bottom + AXIS_HEIGHT));
        draw_titles(&mut drawing, &self.title, &self.subtitle);
        for (group, (x, y), name) in &legend {
            let middle = (x + SQUARE / 2, *y);
            let square = Box2::around(middle, SQUARE / 2, SQUARE / 2);
            drawing.fill(square, Ink::Series(*group), 1.0);
            drawing.text(name, (x + SQUARE + 6, *y), LABEL);
        }
        for (value, name) in ticks(end, frame.right - frame.left) {
            let x = x(value);
            drawing.line(&[(x, frame.top), (x, frame.bottom)], Ink::Grid, 1.0);
            drawing.line(&[(x, frame.bottom), (x, frame.bottom + 6)], Ink::Gray, 1.0);
            let at = (x, frame.bottom + 17);
            drawing.text(&name, at, TICK.anchored(Anchor::Middle));
        }
        drawing.frame(frame);
        for (index, it) in self.bars.iter().enumerate() {
            let y = frame.top + BAR_DISTANCE * (index as i32 + 1) - BAR_DISTANCE / 4;
            let sides = Box2 {
                left: frame.left,
                top: y - HALF_BAR,
                right: x(it.value).max(frame.left + 1),
                bottom: y + HALF_BAR,
            };
            drawing.fill(sides, Ink::Series(it.group), 1.0);
            let ends = (x(it.low), x(it.high));
            drawing.line(&[(ends.0, y), (ends.1, y)], Ink::Dark, 1.0);
            for x in [ends.0, ends.1] {
                drawing.line(&[(x, y - HALF_CAP), (x, y + HALF_CAP)], Ink::Dark, 1.0);
            }
            let at = (frame.left - GAP, y);
            drawing.text(&labels[index], at, LABEL.anchored(Anchor::End));
            drawing.text(&remarks[index], (frame.right + GAP, y), LABEL);
        }
        let at = (frame.center().0, frame.bottom + 42);
        drawing.text(&self.axis, at, AXIS.anchored(Anchor::Middle));
        drawing.to_svg(Colors::Own)
    }

    fn fitted(&self, text: fn(&Bar) -> &String, width: i32) -> Vec<String> {
        let texts = self.bars.iter().map(text);
        texts.map(|text| fitted(text, LABEL, width)).collect()
    }

    /// The groups with the places of their squares, in lines below each other; nothing where there is one group.
    fn legend(&self) -> Vec<(usize, Point, String)> {
        let mut entries = Vec::new();
        if self.groups.len() < 2 {
            return entries;
        }
        let (mut x, mut y) = (MARGIN, TOP + 4);
        for (group, name) in self.groups.iter().enumerate() {
            let name = fitted(name, LABEL, WIDTH - 2 * MARGIN - SQUARE - 6);
            let width = SQUARE + 6 + text_width(&name, LABEL);
            if x > MARGIN && x + width > WIDTH - MARGIN {
                (x, y) = (MARGIN, y + LINE_HEIGHT);
            }
            entries.push((group, (x, y), name));
            x += width + LEGEND_GAP;
        }
        entries
    }
}

fn widest(texts: &[String]) -> i32 {
    let widths = texts.iter().map(|text| text_width(text, LABEL));
    widths.max().unwrap_or(0)
}

/// Round values from 0 to `end` with their names, no more than there is room for on an axis of `width` pixels.
fn ticks(end: f64, width: i32) -> Vec<(f64, String)> {
    let power = end.log10().floor() as i32 - 1;
    let steps = (power..=power + 2).flat_map(|power| [1, 2, 5].map(|digit| (digit, power)));
    let all = steps.map(|(digit, power)| {
        let step = f64::from(digit) * 10f64.powi(power);
        let n_decimals = (-power).max(0) as usize;
        let values = (0..=(end / step) as i32).map(|index| f64::from(index) * step);
        let ticks = values.map(|value| (value, format!("{value:.n_decimals$}")));
        (step, ticks.collect::<Vec<_>>())
    });
    let mut all = all.filter(|(step, ticks)| {
        let names = ticks.iter().map(|(_, name)| text_width(name, TICK) + GAP);
        let room = f64::from(width) * step / end;
        end / step <= MOST_LINES && names.max().is_some_and(|name| f64::from(name) <= room)
    });
    all.next().map_or_else(Vec::new, |(_, ticks)| ticks)
}

#[cfg(test)]
mod tests;
