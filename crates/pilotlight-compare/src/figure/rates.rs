//! Validation losses of the learning rates that were tried.

use super::{
    Figure,
    lines::{Along, Line, LinePlot, LinePoint, MOST_LINES, range_of},
    scale::{Scale, are_wide, logarithmic_range},
};
use crate::{numbers::short, report::Report, search::Chosen};

/// The validation loss of each method along the learning rates that it was tried with.
pub(super) fn rates(report: &Report) -> Vec<Figure> {
    let tried: Vec<&Chosen> = report.chosen.iter().collect();
    let parts = tried.chunks(MOST_LINES);
    parts.filter_map(|part| figure(report, part)).collect()
}

fn figure(report: &Report, tried: &[&Chosen]) -> Option<Figure> {
    let lines = tried.iter().enumerate().map(|(look, chosen)| Line {
        label: chosen.title.clone(),
        look,
        points: points(chosen),
    });
    let lines: Vec<Line> = lines.filter(|line| line.points.len() > 1).collect();
    let points = || lines.iter().flat_map(|line| &line.points);
    let losses: Vec<f64> = points().map(|point| point.y).collect();
    if losses.is_empty() {
        return None;
    }
    let is_wide = are_wide(&losses);
    let y_range = match is_wide {
        true => logarithmic_range(losses.iter().copied(), 1.0),
        false => range_of(&lines, &[], 1e-3, (0.0, f64::INFINITY)),
    };
    let x_range = logarithmic_range(points().map(|point| point.x), 1.0);
    let plot = LinePlot {
        file: "learning-rates".into(),
        title: "Validation loss along the learning rates that were tried".into(),
        heading: report.title(),
        subtitle: "one seed; of each method the learning rate that was chosen was tested".into(),
        x_name: "learning rate (logarithmic)".into(),
        x: &|pixels| Along {
            scale: Scale::logarithmic(x_range, pixels),
            ticks: None,
        },
        y_name: match is_wide {
            true => "validation loss (logarithmic)".into(),
            false => "validation loss".into(),
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

fn points(chosen: &Chosen) -> Vec<LinePoint> {
    let trials = chosen.trials.iter();
    let points = trials.filter_map(|(rate, found)| {
        let loss = found
            .as_ref()?
            .loss
            .filter(|loss| (0.0..1e6).contains(loss))?;
        (*rate > 0.0).then(|| LinePoint {
            x: *rate,
            y: loss,
            low: loss,
            high: loss,
            note: format!("{}, {}: {loss:.4}", chosen.title, short(*rate)),
        })
    });
    points.collect()
}
