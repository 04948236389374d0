//! What methods reach along a setting that has several values.

use super::{
    Figure, best_by, file_name,
    lines::{Along, Line, LinePlot, LinePoint, range_of},
    plane::Level,
    scale::{Scale, are_wide, linear_range, logarithmic_range},
    scatter::{percents, seeds_text},
    text::fitted,
};
use crate::{
    experiment::{Axis, AxisValues},
    numbers::short,
    report::Report,
    statistics::Interval,
    subject::{point_text, titled, value_text},
    table::Row,
};

/// More lines than these are no picture: of each method its best setting of the other axes is shown alone.
const MOST_LINES: usize = 8;
/// The least that the axis of accuracies covers, in points of a percent.
const LEAST_SPAN: f64 = 10.0;

/// What is drawn along an axis.
struct Measure {
    name: &'static str,
    of: fn(&Row) -> Option<Interval>,
    text: fn(Interval) -> String,
    least: fn(&[f64]) -> f64,
    limits: (f64, f64),
}

const ACCURACY: Measure = Measure {
    name: "test accuracy (%)",
    of: |row| row.accuracy.map(|accuracy| accuracy.times(100.0)),
    text: percents,
    least: |_| LEAST_SPAN,
    limits: (0.0, 100.0),
};

const LOSS: Measure = Measure {
    name: "test loss",
    of: |row| row.loss.map(Interval::exact),
    text: |loss| format!("{:.4}", loss.value),
    least: |values| 0.05 * values.iter().copied().fold(1e-3, f64::max),
    limits: (0.0, f64::INFINITY),
};

/// A figure for each axis.
pub(super) fn axes(report: &Report) -> Vec<Figure> {
    let has_accuracy = report
        .table
        .rows
        .iter()
        .any(|row| row.accuracy.is_some() && !row.method.is_empty());
    let measure = if has_accuracy { ACCURACY } else { LOSS };
    report
        .about
        .axes
        .iter()
        .filter_map(|axis| figure(report, axis, &measure))
        .collect()
}

fn figure(report: &Report, axis: &Axis, measure: &Measure) -> Option<Figure> {
    let places = Places::of(axis);
    let is_along = |row: &&Row| row.point.contains_key(&axis.key);
    let rows = || report.table.rows.iter().filter(|row| row.is_drawn());
    let along: Vec<&Row> = rows().filter(is_along).collect();
    let (mut lines, is_best) = lines(&along, axis, &places, measure);
    lines.retain(|line| line.points.len() > 1);
    if lines.is_empty() {
        return None;
    }
    for (look, line) in lines.iter_mut().enumerate() {
        line.look = look;
    }
    let across = rows().filter(|row| !is_along(row));
    let level = |row: &Row| {
        Some(Level {
            label: row.label.clone(),
            value: (measure.of)(row)?.value,
        })
    };
    let mut levels: Vec<Level> = across.filter_map(level).collect();
    levels.truncate(MOST_LINES);
    let values: Vec<f64> = lines
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.y)
        .collect();
    let y_range = range_of(&lines, &levels, (measure.least)(&values), measure.limits);
    let names = along.iter().map(|row| row.name.as_str());
    let only = names.reduce(|first, name| if first == name { first } else { "" });
    let mut subtitle: Vec<String> = only
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .into_iter()
        .collect();
    subtitle.extend(seeds_text(along.iter().map(|row| row.seeds.len())));
    if lines.iter().any(Line::has_ends) {
        subtitle.push(format!(
            "bars: {}% bootstrap intervals",
            100.0 * report.table.confidence
        ));
    }
    if is_best {
        subtitle.push("other settings: those of the lowest validation loss".into());
    }
    let is_wide = places.are_wide();
    let plot = LinePlot {
        file: format!("axis-{}", file_name(&axis.key)),
        title: format!("{} along {}", measure.name, axis.key),
        heading: report.title(),
        subtitle: subtitle.join(" · "),
        x_name: match is_wide {
            true => format!("{} (logarithmic)", axis.key),
            false => axis.key.clone(),
        },
        x: &|pixels| places.along(pixels),
        y_name: measure.name.to_owned(),
        y: &|pixels| Scale::linear(y_range, pixels),
        lines,
        levels,
        has_bars: true,
    };
    Some(plot.draw())
}

/// A line for each method and each choice of the other axes, in the order of the rows; whether only the best of these
/// choices are shown.
fn lines(rows: &[&Row], axis: &Axis, places: &Places, measure: &Measure) -> (Vec<Line>, bool) {
    let others = |row: &Row| -> AxisValues {
        let others = row.point.iter().filter(|(key, _)| **key != axis.key);
        others
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    let grouped = |others: &dyn Fn(&Row) -> AxisValues| {
        let mut groups: Vec<(&str, AxisValues, Vec<&Row>)> = Vec::new();
        for row in rows {
            let (method, others) = (row.method.as_str(), others(row));
            match groups
                .iter_mut()
                .find(|known| known.0 == method && known.1 == others)
            {
                Some((.., group)) => group.push(row),
                None => groups.push((method, others, vec![row])),
            }
        }
        groups
    };
    let mut groups = grouped(&others);
    let is_best = groups.len() > MOST_LINES;
    if is_best {
        groups = grouped(&|_| AxisValues::new());
    }
    // The name of the only method need not be said of each line.
    let is_one = rows.iter().all(|row| row.method == rows[0].method);
    let place = |row: &Row| places.of_value(row.point.get(&axis.key)?);
    let line = |(_, others, rows): (&str, AxisValues, Vec<&Row>)| {
        let name = match (is_one, others.is_empty()) {
            (true, false) => point_text(&others),
            _ => titled(&rows[0].name, &others),
        };
        let shown = best_by(rows, |row| *row, place);
        let point = |row: &Row| {
            let value = (measure.of)(row)?;
            Some(LinePoint {
                x: place(row)?,
                y: value.value,
                low: value.low,
                high: value.high,
                note: format!("{}: {}", row.label, (measure.text)(value)),
            })
        };
        let mut points: Vec<LinePoint> = shown.into_iter().filter_map(point).collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        Line {
            label: name,
            look: 0,
            points,
        }
    };
    (groups.into_iter().map(line).collect(), is_best)
}

/// Where the values of an axis stand.
enum Places {
    /// Where numbers say.
    Numbers(Vec<f64>),
    /// One beside the other.
    Names(Vec<(toml::Value, String)>),
}

impl Places {
    fn of(axis: &Axis) -> Self {
        let numbers: Option<Vec<f64>> = axis.values.iter().map(number).collect();
        match numbers {
            Some(numbers) => Self::Numbers(numbers),
            None => {
                let name = |value: &toml::Value| (value.clone(), value_text(&axis.key, value));
                Self::Names(axis.values.iter().map(name).collect())
            }
        }
    }

    fn of_value(&self, value: &toml::Value) -> Option<f64> {
        match self {
            Self::Numbers(_) => number(value),
            Self::Names(names) => {
                let place = names.iter().position(|(known, _)| known == value)?;
                Some(place as f64)
            }
        }
    }

    fn are_wide(&self) -> bool {
        matches!(self, Self::Numbers(numbers) if are_wide(numbers))
    }

    fn along(&self, pixels: (i32, i32)) -> Along {
        match self {
            Self::Numbers(numbers) => {
                let values = || numbers.iter().copied();
                let scale = match are_wide(numbers) {
                    true => Scale::logarithmic(logarithmic_range(values(), 1.0), pixels),
                    false => Scale::linear(
                        linear_range(values(), 1e-9, (f64::NEG_INFINITY, f64::INFINITY)),
                        pixels,
                    ),
                };
                // The values themselves, which are often no round numbers.
                let ticks = values().map(|value| (value, short(value)));
                Along {
                    scale,
                    ticks: Some(ticks.collect()),
                }
            }
            Self::Names(names) => {
                let last = names.len() as f64 - 1.0;
                let room = (pixels.1 - pixels.0) / names.len().max(1) as i32 - 8;
                let ticks = names.iter().enumerate();
                let ticks = ticks.map(|(place, (_, name))| {
                    (place as f64, fitted(name, super::plane::TICK, room))
                });
                Along {
                    scale: Scale::linear((-0.5, last + 0.5), pixels),
                    ticks: Some(ticks.collect()),
                }
            }
        }
    }
}

fn number(value: &toml::Value) -> Option<f64> {
    let number = match value {
        toml::Value::Integer(number) => *number as f64,
        toml::Value::Float(number) => *number,
        _ => return None,
    };
    number.is_finite().then_some(number)
}
