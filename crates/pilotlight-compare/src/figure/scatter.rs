//! What each method reaches against what it costs.

use super::{
    Figure, best_by,
    colors::Ink,
    drawing::Drawing,
    family,
    geometry::Box2,
    labels::{Mark, place},
    marks::Look,
    plane::{
        AXIS_HEIGHT, FRAME_BOTTOM, FRAME_TOP, LABEL, LINE_HEIGHT, Level, Plane, Side, WIDTH,
        draw_titles, frame_left, names_width,
    },
    scale::{Scale, linear_range, logarithmic_range, spread},
    text::{Anchor, fitted, text_width},
};
use crate::{
    numbers::{counts, percent, seconds},
    report::Report,
    statistics::Interval,
    subject::point_text,
    table::Row,
};

/// The widest name of a method, of a baseline.
const LABEL_WIDTH: i32 = 260;
const BASELINE_WIDTH: i32 = 170;
/// What lies between points of the same cost, which stand side by side.
const DODGE: i32 = 18;
/// The least that the axis of accuracies covers, in points of a percent.
const LEAST_SPAN: f64 = 10.0;

/// What a method costs.
pub(super) struct Cost {
    /// Name of the figure's file.
    pub(super) file: &'static str,
    /// What it is, in a sentence and on its axis.
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) of: fn(&Row) -> Option<f64>,
    /// Powers of ten that its axis covers at least.
    pub(super) least_span: f64,
    /// A cost as text.
    pub(super) text: fn(f64) -> String,
}

pub(super) const PARAMETERS: Cost = Cost {
    file: "accuracy-parameters",
    name: "share of trained parameters",
    unit: "%",
    of: |row| row.percent,
    least_span: 1.0,
    text: |value| format!("{}%", percent(value)),
};

pub(super) const TIME: Cost = Cost {
    file: "accuracy-time",
    name: "time of all training steps",
    unit: "s",
    of: |row| row.training_seconds,
    least_span: 0.5,
    text: seconds,
};

/// A method or a baseline with its accuracy in percent.
struct Reached<'a> {
    row: &'a Row,
    label: String,
    /// The number of its look: settings of a method look alike.
    look: usize,
    /// Whether other settings of its method are shown too.
    has_siblings: bool,
    cost: f64,
    accuracy: Interval,
}

/// The accuracy of each method, with its interval, against its cost on a logarithmic scale. Rows without a cost, such as
/// the majority and the untuned base, are dashed lines.
///
/// `None` where no method has an accuracy: tasks without classes.
pub(super) fn scatter(report: &Report, cost: &Cost) -> Option<Figure> {
    let (methods, baselines) = reached(&report.table.rows, cost);
    if methods.is_empty() {
        return None;
    }
    let everything = || methods.iter().chain(&baselines).map(|row| row.accuracy);
    let ends = everything().flat_map(|it| [it.low, it.value, it.high]);
    let range = linear_range(ends, LEAST_SPAN, (0.0, 100.0));
    let bottom = FRAME_BOTTOM.max(FRAME_TOP + LINE_HEIGHT * baselines.len() as i32);
    let y = Scale::linear(range, (bottom, FRAME_TOP));
    let frame = Box2 {
        left: frame_left(&y.ticks()),
        top: FRAME_TOP,
        right: WIDTH - names_width(baselines.iter().map(|line| line.label.as_str())),
        bottom,
    };
    let range = logarithmic_range(methods.iter().map(|method| method.cost), cost.least_span);
    let x = Scale::logarithmic(range, (frame.left, frame.right));
    let (marks, is_moved) = marks(&methods, x, y, frame);
    let name = match is_moved {
        true => format!(
            "{} ({}, logarithmic; nearly equal ones side by side)",
            cost.name, cost.unit
        ),
        false => format!("{} ({}, logarithmic)", cost.name, cost.unit),
    };
    let side = |name: String, scale| Side {
        name,
        scale,
        ticks: None,
    };
    let plane = Plane {
        frame,
        x: side(name, x),
        y: side("test accuracy (%)".into(), y),
    };
    let levels: Vec<Level> = baselines
        .iter()
        .map(|line| Level {
            label: line.label.clone(),
            value: line.accuracy.value,
        })
        .collect();
    let lines: Vec<i32> = levels.iter().map(|level| y.pixel(level.value)).collect();
    let widths: Vec<i32> = methods
        .iter()
        .map(|method| text_width(&method.label, LABEL))
        .collect();
    let places = place(&marks, &widths, &lines, frame);
    // Names without room in the frame stand in a list below, and those of methods with several settings.
    let mut listed: Vec<(usize, String)> = Vec::new();
    for (method, place) in methods.iter().zip(&places) {
        let is_listed = listed.iter().any(|(look, _)| *look == method.look);
        if (place.is_none() || method.has_siblings) && !is_listed {
            let name = if method.has_siblings {
                &method.row.name
            } else {
                &method.label
            };
            listed.push((method.look, fitted(name, LABEL, LABEL_WIDTH)));
        }
    }
    let widest = listed.iter().map(|(_, name)| text_width(name, LABEL)).max();
    let column_width = widest.unwrap_or_default() + 40;
    let n_columns = (WIDTH - frame.left) / column_width;
    let n_rows = (listed.len() as i32 + n_columns - 1) / n_columns;
    let height = frame.bottom + AXIS_HEIGHT + LINE_HEIGHT * n_rows;

    let title = format!("Test accuracy against the {}", cost.name);
    let mut drawing = Drawing::new(&title, (WIDTH, height));
    draw_titles(&mut drawing, report.title(), &subtitle(report, &methods));
    plane.draw(&mut drawing);
    draw_front(&mut drawing, &methods, &baselines, &marks, &plane);
    plane.draw_levels(&mut drawing, &levels);
    plane.draw_names(&mut drawing, &plane.names_of(&levels));
    for (mark, method) in marks.iter().zip(&methods) {
        drawing.noted(note(method, cost), |drawing| {
            Look::of(method.look).draw(drawing, mark)
        });
    }
    for (method, place) in methods.iter().zip(&places) {
        let Some(place) = place else { continue };
        if let Some((from, to)) = place.leader {
            drawing.line(&[from, to], Ink::Gray, 1.0);
        }
        let (center, y) = place.text.center();
        let x = match place.anchor {
            Anchor::Start => place.text.left,
            Anchor::Middle => center,
            Anchor::End => place.text.right,
        };
        let style = LABEL.anchored(place.anchor).rimmed();
        drawing.text(&method.label, (x, y), style);
    }
    for (entry, (look, name)) in listed.into_iter().enumerate() {
        let (row, column) = (entry as i32 / n_columns, entry as i32 % n_columns);
        let x = frame.left + column * column_width;
        let y = frame.bottom + AXIS_HEIGHT + row * LINE_HEIGHT;
        Look::of(look).draw(&mut drawing, &Mark::point(x, y));
        drawing.text(&name, (x + 16, y), LABEL);
    }
    Some(Figure {
        name: cost.file.to_owned(),
        title,
        drawing,
    })
}

/// The rows with an accuracy: those that cost something, and the others. Of settings of a method that train equally many
/// parameters the best in validation is shown alone.
fn reached<'a>(rows: &'a [Row], cost: &Cost) -> (Vec<Reached<'a>>, Vec<Reached<'a>>) {
    let tested = rows
        .iter()
        .filter(|row| row.is_drawn() && row.accuracy.is_some());
    let shown = best_by(tested, |row| row, |row| (family(row), row.trained));
    let mut families: Vec<&str> = Vec::new();
    let mut reached = |row: &'a Row| {
        let own = (cost.of)(row).unwrap_or_default();
        if own > 0.0 && !families.contains(&family(row)) {
            families.push(family(row));
        }
        let of_family = shown.iter().filter(|other| family(other) == family(row));
        let has_siblings = of_family.count() > 1;
        let text = if has_siblings {
            point_text(&row.point)
        } else {
            row.label.clone()
        };
        let width = if own > 0.0 {
            LABEL_WIDTH
        } else {
            BASELINE_WIDTH
        };
        Some(Reached {
            row,
            label: fitted(&text, LABEL, width),
            look: families
                .iter()
                .position(|known| *known == family(row))
                .unwrap_or_default(),
            has_siblings,
            cost: own,
            accuracy: row.accuracy?.times(100.0),
        })
    };
    let reached: Vec<Reached> = shown.iter().filter_map(|row| reached(row)).collect();
    reached.into_iter().partition(|row| row.cost > 0.0)
}

/// Where the points and their bars stand, and whether some were moved aside to be seen.
fn marks(methods: &[Reached], x: Scale, y: Scale, frame: Box2) -> (Vec<Mark>, bool) {
    let wanted: Vec<i32> = methods.iter().map(|method| x.pixel(method.cost)).collect();
    let range = (frame.left + DODGE / 2, frame.right - DODGE / 2);
    let found = spread(&wanted, DODGE, range);
    let marks = methods.iter().zip(&found).map(|(method, x)| Mark {
        x: *x,
        y: y.pixel(method.accuracy.value),
        top: y.pixel(method.accuracy.high),
        bottom: y.pixel(method.accuracy.low),
    });
    (marks.collect(), found != wanted)
}

/// The Pareto front: what can be reached at a cost of at most so much. What costs nothing is where it begins.
fn draw_front(
    drawing: &mut Drawing,
    methods: &[Reached],
    baselines: &[Reached],
    marks: &[Mark],
    plane: &Plane,
) {
    let free = baselines.iter().map(|baseline| baseline.accuracy.value);
    let mut best = free.fold(f64::NEG_INFINITY, f64::max);
    let mut line: Vec<(i32, i32)> = Vec::new();
    if best.is_finite() {
        line.push((plane.frame.left, plane.y.scale.pixel(best)));
    }
    let mut order: Vec<(&Reached, &Mark)> = methods.iter().zip(marks).collect();
    order.sort_by(|(a, _), (b, _)| {
        let by_cost = a.cost.total_cmp(&b.cost);
        by_cost.then(b.accuracy.value.total_cmp(&a.accuracy.value))
    });
    for (method, mark) in order {
        if method.accuracy.value <= best {
            continue;
        }
        best = method.accuracy.value;
        line.extend(line.last().map(|(_, level)| (mark.x, *level)));
        line.push((mark.x, mark.y));
    }
    line.extend(line.last().map(|(_, level)| (plane.frame.right, *level)));
    drawing.line(&line, Ink::Faint, 1.5);
}

fn subtitle(report: &Report, methods: &[Reached]) -> String {
    let table = &report.table;
    let seeds = methods.iter().map(|method| method.row.seeds.len());
    let mut parts: Vec<String> = seeds_text(seeds).into_iter().collect();
    if let Some(n_test) = table.n_examples.first() {
        let noun = if *n_test == (1..=1) {
            "example"
        } else {
            "examples"
        };
        parts.push(format!("{} test {noun}", counts(n_test)));
    }
    if methods
        .iter()
        .any(|method| method.accuracy.low < method.accuracy.high)
    {
        let share = 100.0 * table.confidence;
        parts.push(format!("bars: {share}% bootstrap intervals"));
    }
    parts.push("line: Pareto front".into());
    parts.join(" · ")
}

/// How many seeds there are, in words.
pub(super) fn seeds_text(seeds: impl Iterator<Item = usize>) -> Option<String> {
    let (fewest, most) = seeds.fold((usize::MAX, 0), |(fewest, most), n_seeds| {
        (fewest.min(n_seeds), most.max(n_seeds))
    });
    match (fewest, most) {
        (_, 0) => None,
        (1, 1) => Some("1 seed".to_owned()),
        (fewest, most) if fewest == most => Some(format!("mean of {most} seeds")),
        (fewest, most) => Some(format!("mean of {fewest} to {most} seeds")),
    }
}

/// A share of right answers in percent, with its interval.
pub(super) fn percents(Interval { value, low, high }: Interval) -> String {
    format!("{value:.1}% [{low:.1}, {high:.1}]")
}

fn note(method: &Reached, cost: &Cost) -> String {
    let (accuracy, cost) = (percents(method.accuracy), (cost.text)(method.cost));
    format!("{}: {accuracy}, {cost}", method.row.label)
}
