//! Losses along the steps.

use super::{
    Figure, best_by, family, file_name,
    lines::{Along, Line, LinePlot, LinePoint, MOST_BANDS, MOST_LINES, range_of},
    scale::{Scale, are_wide, logarithmic_range},
    scatter::seeds_text,
};
use crate::{
    report::{CurvePoint, Detail, Report},
    subject::point_text,
};

/// Losses beyond are those of a run that has gone astray.
const LARGEST: f64 = 1e6;

/// Losses of which split.
#[derive(Clone, Copy)]
struct Curves {
    file: &'static str,
    title: &'static str,
    y_name: &'static str,
    of: fn(&Detail) -> &[CurvePoint],
}

const VALIDATION: Curves = Curves {
    file: "validation-loss",
    title: "Validation loss along the steps",
    y_name: "validation loss",
    of: |detail| &detail.validation,
};

const TRAINING: Curves = Curves {
    file: "training-loss",
    title: "Training loss along the steps",
    y_name: "training loss (mean over neighbouring steps)",
    of: |detail| &detail.training,
};

/// Validation and training losses of all methods, each with the best of its settings, then validation losses of all settings
/// of each method that has several.
pub(super) fn curves(report: &Report) -> Vec<Figure> {
    let mut figures = Vec::new();
    let row = |detail: &&Detail| report.row(detail);
    for curves in [VALIDATION, TRAINING] {
        let details = report
            .details
            .iter()
            .filter(|detail| (curves.of)(detail).len() > 1);
        let best = best_by(details, row, family);
        figures.extend(in_parts(report, curves, &best, None));
    }
    let mut methods: Vec<(&str, Vec<&Detail>)> = Vec::new();
    for detail in &report.details {
        let method = family(report.row(detail));
        match methods.iter_mut().find(|(known, _)| *known == method) {
            Some((_, details)) => details.push(detail),
            None => methods.push((method, vec![detail])),
        }
    }
    for (method, details) in methods.iter().filter(|(_, details)| details.len() > 1) {
        figures.extend(in_parts(report, VALIDATION, details, Some(method)));
    }
    figures
}

/// As many figures as so many curves need.
fn in_parts(
    report: &Report,
    curves: Curves,
    details: &[&Detail],
    method: Option<&str>,
) -> Vec<Figure> {
    let parts = details.chunks(MOST_LINES);
    parts
        .filter_map(|part| figure(report, curves, part, method))
        .collect()
}

fn figure(
    report: &Report,
    curves: Curves,
    details: &[&Detail],
    method: Option<&str>,
) -> Option<Figure> {
    let lines = details.iter().enumerate().map(|(look, detail)| {
        let row = report.row(detail);
        let points = (curves.of)(detail).iter();
        Line {
            label: match method {
                // The same of all need not be said of each.
                Some(_) => point_text(&row.point),
                None => row.label.clone(),
            },
            look,
            points: points.filter_map(|loss| point(loss, &row.label)).collect(),
        }
    });
    let lines: Vec<Line> = lines.filter(|line| line.points.len() > 1).collect();
    let values: Vec<f64> = lines
        .iter()
        .flat_map(|line| &line.points)
        .flat_map(|point| [point.low, point.high])
        .collect();
    if values.is_empty() {
        return None;
    }
    let is_wide = are_wide(&values);
    let y_range = match is_wide {
        true => logarithmic_range(values.iter().copied(), 1.0),
        false => range_of(&lines, &[], 1e-3, (0.0, f64::INFINITY)),
    };
    let last = lines
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.x);
    let last = last.fold(1.0, f64::max);
    let seeds = details.iter().map(|detail| report.row(detail).seeds.len());
    let name = details.first().filter(|_| method.is_some());
    let mut subtitle: Vec<String> = name
        .map(|detail| report.row(detail).name.clone())
        .into_iter()
        .collect();
    subtitle.extend(seeds_text(seeds));
    if lines.iter().any(Line::has_ends) && lines.len() <= MOST_BANDS {
        subtitle.push("bands: from the lowest to the highest seed".into());
    }
    let plot = LinePlot {
        file: match method {
            Some(method) => format!("{}-{}", curves.file, file_name(method)),
            None => curves.file.to_owned(),
        },
        title: curves.title.to_owned(),
        heading: report.title(),
        subtitle: subtitle.join(" · "),
        x_name: "step".into(),
        x: &|pixels| Along {
            scale: Scale::linear((0.0, 1.02 * last), pixels),
            ticks: None,
        },
        y_name: match is_wide {
            true => format!("{} (logarithmic)", curves.y_name),
            false => curves.y_name.to_owned(),
        },
        y: &|pixels| match is_wide {
            true => Scale::logarithmic(y_range, pixels),
            false => Scale::linear(y_range, pixels),
        },
        lines,
        levels: Vec::new(),
        has_bars: false,
    };
    Some(plot.draw())
}

fn point(point: &CurvePoint, label: &str) -> Option<LinePoint> {
    let CurvePoint {
        step,
        mean,
        low,
        high,
    } = *point;
    (low >= 0.0 && high < LARGEST).then(|| LinePoint {
        x: step as f64,
        y: mean,
        low,
        high,
        note: format!("{label}, step {step}: {mean:.4}"),
    })
}
