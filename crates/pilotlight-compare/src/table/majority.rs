//! The baseline that always says the most frequent class of the training examples.

use super::Row;
use crate::{
    experiment::AxisValues,
    finished::FinishedRun,
    launch::RunKind,
    statistics::{Interval, mean},
    subject::titled,
};

/// What a run says of the majority.
struct Known<'a> {
    point: &'a AxisValues,
    seed: u64,
    accuracy: f64,
}

/// The rows of the majority: one, or as many as it takes to tell apart the values of axes with which it changes, as with
/// several test sets. A row holds the mean over seeds.
pub(super) fn majorities(runs: &[FinishedRun]) -> Vec<Row> {
    // Baselines are not run at all values of the axes.
    let mut known = told(runs, |kind| kind != RunKind::Baseline);
    if known.is_empty() {
        known = told(runs, |_| true);
    }
    let mut axes: Vec<&str> = Vec::new();
    for axis in known.iter().flat_map(|it| it.point.keys()) {
        if !axes.contains(&&**axis) {
            axes.push(axis);
        }
    }
    for axis in axes.clone() {
        let fewer: Vec<&str> = axes.iter().copied().filter(|it| *it != axis).collect();
        if tell(&fewer, &known) {
            axes = fewer;
        }
    }
    let mut rows: Vec<(AxisValues, Vec<(u64, f64)>)> = Vec::new();
    for it in &known {
        let point = along(it.point, &axes);
        let place = rows.iter().position(|(known, _)| *known == point);
        let place = place.unwrap_or_else(|| {
            rows.push((point, Vec::new()));
            rows.len() - 1
        });
        let of_seeds = &mut rows[place].1;
        if of_seeds.iter().all(|(seed, _)| *seed != it.seed) {
            of_seeds.push((it.seed, it.accuracy));
        }
    }
    let row = |(point, of_seeds): (AxisValues, Vec<(u64, f64)>)| {
        let accuracies: Vec<f64> = of_seeds.into_iter().map(|(_, accuracy)| accuracy).collect();
        Row {
            label: titled(NAME, &point),
            name: NAME.into(),
            accuracy: mean(&accuracies).map(Interval::exact),
            point,
            ..Row::default()
        }
    };
    rows.into_iter().map(row).collect()
}

const NAME: &str = "majority";

/// What runs of the kinds that are asked say.
fn told(runs: &[FinishedRun], is_asked: impl Fn(RunKind) -> bool) -> Vec<Known<'_>> {
    let runs = runs.iter().filter(|run| is_asked(run.planned.kind));
    let told = runs.map(|run| {
        Some(Known {
            point: &run.planned.point,
            seed: run.planned.config.seed,
            accuracy: run.result.majority_accuracy?,
        })
    });
    told.flatten().collect()
}

/// Whether the values of these axes and the seed say what the accuracy is.
fn tell(axes: &[&str], known: &[Known<'_>]) -> bool {
    let pairs = known.iter().enumerate().flat_map(|(place, one)| {
        let others = known[place + 1..].iter();
        others.map(move |other| (one, other))
    });
    let mut alike = pairs.filter(|(one, other)| {
        one.seed == other.seed && along(one.point, axes) == along(other.point, axes)
    });
    alike.all(|(one, other)| one.accuracy == other.accuracy)
}

/// The part of a point on these axes.
fn along(point: &AxisValues, axes: &[&str]) -> AxisValues {
    let values = point.iter().filter(|(key, _)| axes.contains(&&***key));
    values
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis_values(values: &[(&str, &str)]) -> AxisValues {
        let values = values.iter();
        values
            .map(|(key, value)| ((*key).to_owned(), toml::Value::from(*value)))
            .collect()
    }

    #[test]
    fn only_axes_that_change_the_majority_tell_it() {
        let points = ["imdb", "yelp"].map(|domain| {
            ["before", "after"].map(|place| axis_values(&[("test", domain), ("placement", place)]))
        });
        let known: Vec<Known<'_>> = points
            .iter()
            .zip([0.4, 0.6])
            .flat_map(|(points, accuracy)| {
                points.iter().map(move |point| Known {
                    point,
                    seed: 1,
                    accuracy,
                })
            })
            .collect();
        assert!(tell(&["test", "placement"], &known));
        assert!(tell(&["test"], &known));
        assert!(!tell(&["placement"], &known));
        assert!(!tell(&[], &known));
    }
}
