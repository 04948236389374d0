//! A comparison as a picture: what each method reaches against what it trains.
//!
//! The picture is an SVG document of its own white background, so that it can be read on light and dark pages. Its
//! text is text in whatever sans-serif font the reader has; room is kept for wide ones.

mod bars;
mod canvas;
mod geometry;
mod labels;
mod marks;
mod scales;
mod subject;

pub(crate) use bars::{Bar, Bars};
pub(crate) use subject::subject;

use self::{
    canvas::{Anchor, Canvas, DARK, GRAY, GRID, TextStyle, fitted, text_width},
    geometry::Box2,
    labels::{Mark, place},
    marks::Look,
    scales::{Scales, spread},
};
use crate::{
    error::CompareError,
    matrix::Report,
    statistics::Interval,
    table::{Row, Table},
};

/// Name of the picture beside the report.
pub const FIGURE_FILE: &str = "accuracy.svg";

const WIDTH: i32 = 800;
const FRAME_LEFT: i32 = 66;
const FRAME_TOP: i32 = 70;
const FRAME_BOTTOM: i32 = 436;
/// What stands below the frame: numbers and name of the axis.
const AXIS_HEIGHT: i32 = 64;
const MARGIN: i32 = 20;
/// Between the frame and the names of the baselines.
const BASELINE_GAP: i32 = 16;
const LINE_HEIGHT: i32 = 20;
/// The widest name of a method, of a baseline.
const LABEL_WIDTH: i32 = 260;
const BASELINE_WIDTH: i32 = 170;
/// What lies between points of the same share, which stand side by side.
const DODGE: i32 = 18;
/// Lengths of dashes and of the gaps behind them, for one baseline after the other.
const DASHES: [(i32, i32); 3] = [(2, 4), (9, 5), (16, 4)];

const TITLE: TextStyle = TextStyle::new(18, DARK).bold();
const SUBTITLE: TextStyle = TextStyle::new(13, GRAY);
const AXIS: TextStyle = TextStyle::new(13, DARK);
const TICK: TextStyle = TextStyle::new(12, GRAY);
const LABEL: TextStyle = TextStyle::new(13, DARK);

/// A method or a baseline with its accuracy in percent.
struct Reached {
    label: String,
    percent: f64,
    accuracy: Interval,
    n_seeds: usize,
}

/// The accuracy of each method, with its interval, against its share of trained parameters on a logarithmic scale, as
/// an SVG document. Rows that train nothing, such as the majority and the untuned base, are dashed lines.
///
/// The same report always gives the same document. `None` where no method has an accuracy: tasks without classes.
///
/// # Errors
///
/// If the drawing library fails.
pub fn accuracy_figure(report: &Report) -> Result<Option<String>, CompareError> {
    let (methods, baselines) = reached(&report.table);
    if methods.is_empty() {
        return Ok(None);
    }
    let widest = baselines.iter().map(|line| text_width(&line.label, LABEL));
    let margin = match widest.max() {
        Some(width) => BASELINE_GAP + width + MARGIN,
        None => MARGIN,
    };
    let frame = Box2 {
        left: FRAME_LEFT,
        top: FRAME_TOP,
        right: WIDTH - margin,
        bottom: FRAME_BOTTOM.max(FRAME_TOP + LINE_HEIGHT * baselines.len() as i32),
    };
    let scales = Scales::new(&methods, &baselines, frame);
    let (marks, is_moved) = marks(&methods, &scales);
    let lines: Vec<i32> = baselines
        .iter()
        .map(|line| scales.y(line.accuracy.value))
        .collect();
    let widths: Vec<i32> = methods
        .iter()
        .map(|method| text_width(&method.label, LABEL))
        .collect();
    let places = place(&marks, &widths, &lines, frame);
    // Names without room in the frame stand in a list below.
    let listed: Vec<usize> = (0..methods.len())
        .filter(|method| places[*method].is_none())
        .collect();
    let widest = listed.iter().map(|method| widths[*method]).max();
    let column_width = widest.unwrap_or_default() + 40;
    let n_columns = (WIDTH - FRAME_LEFT) / column_width;
    let n_rows = (listed.len() as i32 + n_columns - 1) / n_columns;
    let height = frame.bottom + AXIS_HEIGHT + LINE_HEIGHT * n_rows;

    let mut svg = String::new();
    let canvas = Canvas::new(&mut svg, (WIDTH, height))?;
    draw_titles(&canvas, report, &methods)?;
    draw_axes(&canvas, &scales, is_moved)?;
    draw_baselines(&canvas, &baselines, &lines, frame)?;
    for (index, mark) in marks.iter().enumerate() {
        Look::of(index).draw(&canvas, mark)?;
    }
    for (method, place) in methods.iter().zip(&places) {
        let Some(place) = place else { continue };
        if let Some((from, to)) = place.leader {
            canvas.line(&[from, to], GRAY, 1)?;
        }
        canvas.blank(place.text)?;
        let (center, y) = place.text.center();
        let x = match place.anchor {
            Anchor::Start => place.text.left,
            Anchor::Middle => center,
            Anchor::End => place.text.right,
        };
        canvas.text(&method.label, (x, y), LABEL.anchored(place.anchor))?;
    }
    for (entry, method) in listed.into_iter().enumerate() {
        let (row, column) = (entry as i32 / n_columns, entry as i32 % n_columns);
        let x = FRAME_LEFT + column * column_width;
        let y = frame.bottom + AXIS_HEIGHT + row * LINE_HEIGHT;
        Look::of(method).draw(&canvas, &Mark::point(x, y))?;
        canvas.text(&methods[method].label, (x + 16, y), LABEL)?;
    }
    canvas.finish()?;
    Ok(Some(svg))
}

/// Whether a table has anything for [`accuracy_figure`] to show.
pub(crate) fn has_figure(table: &Table) -> bool {
    !reached(table).0.is_empty()
}

/// The rows with an accuracy: those that train something, and the others.
fn reached(table: &Table) -> (Vec<Reached>, Vec<Reached>) {
    let row = |row: &Row| {
        let accuracy = row.accuracy?;
        let percent = row.percent.unwrap_or_default();
        let width = if percent > 0.0 {
            LABEL_WIDTH
        } else {
            BASELINE_WIDTH
        };
        Some(Reached {
            label: fitted(&row.label, LABEL, width),
            percent,
            accuracy: Interval {
                value: 100.0 * accuracy.value,
                low: 100.0 * accuracy.low,
                high: 100.0 * accuracy.high,
            },
            n_seeds: row.seeds.len(),
        })
    };
    let rows = table.rows.iter().filter_map(row);
    rows.partition(|row| row.percent > 0.0)
}

/// Where the points and their bars stand, and whether some were moved aside to be seen.
fn marks(methods: &[Reached], scales: &Scales) -> (Vec<Mark>, bool) {
    let wanted: Vec<i32> = methods
        .iter()
        .map(|method| scales.x(method.percent))
        .collect();
    let frame = scales.frame;
    let range = (frame.left + DODGE / 2, frame.right - DODGE / 2);
    let found = spread(&wanted, DODGE, range);
    let marks = methods.iter().zip(&found).map(|(method, x)| Mark {
        x: *x,
        y: scales.y(method.accuracy.value),
        top: scales.y(method.accuracy.high),
        bottom: scales.y(method.accuracy.low),
    });
    (marks.collect(), found != wanted)
}

fn draw_titles(canvas: &Canvas, report: &Report, methods: &[Reached]) -> Result<(), CompareError> {
    let room = WIDTH - 2 * MARGIN;
    let title = match report.subject.as_str() {
        "" => &report.name,
        subject => subject,
    };
    canvas.text(&fitted(title, TITLE, room), (MARGIN, 26), TITLE)?;
    let table = &report.table;
    let seeds = methods.iter().map(|method| method.n_seeds);
    let (fewest, most) = seeds.fold((usize::MAX, 0), |(fewest, most), n_seeds| {
        (fewest.min(n_seeds), most.max(n_seeds))
    });
    let mut parts = Vec::new();
    match (fewest, most) {
        (_, 0) => {}
        (1, 1) => parts.push("1 seed".to_owned()),
        (fewest, most) if fewest == most => parts.push(format!("mean of {most} seeds")),
        (fewest, most) => parts.push(format!("mean of {fewest} to {most} seeds")),
    }
    if let Some(n_test) = table.n_examples.first() {
        let noun = if *n_test == 1 { "example" } else { "examples" };
        parts.push(format!("{} test {noun}", crate::table::count(*n_test)));
    }
    if methods
        .iter()
        .any(|method| method.accuracy.low < method.accuracy.high)
    {
        let share = 100.0 * table.confidence;
        parts.push(format!("bars: {share}% bootstrap intervals"));
    }
    let subtitle = fitted(&parts.join(" · "), SUBTITLE, room);
    canvas.text(&subtitle, (MARGIN, 48), SUBTITLE)
}

fn draw_axes(canvas: &Canvas, scales: &Scales, is_moved: bool) -> Result<(), CompareError> {
    let frame = scales.frame;
    for (value, label) in scales.x_ticks() {
        let x = scales.x(value);
        canvas.line(&[(x, frame.top), (x, frame.bottom)], GRID, 1)?;
        canvas.line(&[(x, frame.bottom), (x, frame.bottom + 6)], GRAY, 1)?;
        let at = (x, frame.bottom + 17);
        canvas.text(&label, at, TICK.anchored(Anchor::Middle))?;
    }
    for value in scales.x_small_ticks() {
        let x = scales.x(value);
        canvas.line(&[(x, frame.bottom), (x, frame.bottom + 3)], GRAY, 1)?;
    }
    for value in scales.y_ticks() {
        let y = scales.y(value.into());
        canvas.line(&[(frame.left, y), (frame.right, y)], GRID, 1)?;
        let at = (frame.left - 8, y);
        canvas.text(&value.to_string(), at, TICK.anchored(Anchor::End))?;
    }
    canvas.frame(frame)?;
    let name = match is_moved {
        true => "share of trained parameters (%, logarithmic; nearly equal shares side by side)",
        false => "share of trained parameters (%, logarithmic)",
    };
    let (center_x, center_y) = frame.center();
    let style = AXIS.anchored(Anchor::Middle);
    canvas.text(name, (center_x, frame.bottom + 42), style)?;
    canvas.text("test accuracy (%)", (22, center_y), style.upwards())
}

fn draw_baselines(
    canvas: &Canvas,
    baselines: &[Reached],
    lines: &[i32],
    frame: Box2,
) -> Result<(), CompareError> {
    let half = LINE_HEIGHT / 2;
    let levels = spread(lines, LINE_HEIGHT, (frame.top + half, frame.bottom - half));
    for (index, (baseline, y)) in baselines.iter().zip(lines).enumerate() {
        let dashes = DASHES[index % DASHES.len()];
        canvas.dashes((frame.left, *y), (frame.right, *y), dashes, GRAY)?;
        let x = frame.right + BASELINE_GAP;
        canvas.line(&[(frame.right, *y), (x - 5, levels[index])], GRAY, 1)?;
        canvas.text(&baseline.label, (x, levels[index]), LABEL)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
