//! Figures along axes and steps, and of classes.

use pilotlight_train::ConfusionMatrix;
use toml::Value;

use super::*;
use crate::{
    experiment::{Axis, AxisValues},
    report::{Confusion, CurvePoint, Detail},
    search::{Chosen, Validation},
};

fn row(name: &str, accuracy: f64, point: &[(&str, Value)]) -> Row {
    let point = point
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()));
    let point = AxisValues::from_iter(point);
    Row {
        label: crate::subject::titled(name, &point),
        name: name.into(),
        method: name.replace(' ', "-"),
        point,
        percent: Some(0.1),
        trained: Some(192),
        accuracy: Some(around_value(accuracy, 0.05)),
        validation_loss: Some(1.0 - accuracy),
        seeds: vec![1, 2],
        ..Row::default()
    }
}

fn axis(key: &str, values: Vec<Value>) -> Axis {
    Axis {
        key: key.into(),
        values,
    }
}

fn named<'a>(figures: &'a [Figure], name: &str) -> &'a Figure {
    let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
    let found = figures.iter().find(|figure| figure.name == name);
    found.unwrap_or_else(|| panic!("{name} is not among {names:?}"))
}

#[test]
fn several_majorities_are_not_drawn() {
    let domains = ["imdb", "yelp"].map(Value::from);
    let key = "data.where_test.domain";
    let rows = domains.iter().flat_map(|domain| {
        let at = [(key, domain.clone())];
        let majority = Row {
            seeds: Vec::new(),
            ..row("majority", 0.4, &at)
        };
        let lora = Row {
            trained: Some(192),
            percent: Some(0.1),
            ..row("LoRA", 0.7, &at)
        };
        [majority, lora]
    });
    let mut report = report(rows.collect());
    report.about.axes = vec![axis(key, domains.to_vec())];
    let figures = figures(&report);
    for name in ["accuracy-parameters", "axis-data-where_test-domain"] {
        let shown = Shown::of(named(&figures, name));
        assert!(!shown.has("majority"), "{name}");
        assert!(!shown.has("0 to"), "{name}");
    }
}

#[test]
fn a_setting_of_numbers_is_an_axis_of_them() {
    let lengths = [1, 5, 20, 50, 100];
    let values: Vec<Value> = lengths
        .iter()
        .map(|length| Value::Integer(*length))
        .collect();
    let mut rows = vec![Row {
        label: "majority".into(),
        accuracy: Some(Interval::exact(0.5)),
        ..Row::default()
    }];
    for (name, base) in [("prompt tuning", 0.55), ("prefix tuning", 0.6)] {
        rows.extend(values.iter().enumerate().map(|(index, value)| Row {
            trained: Some(192 * (index + 1)),
            percent: Some(0.01 * (index + 1) as f64),
            ..row(
                name,
                base + 0.05 * index as f64,
                &[("tuner.prompt_length", value.clone())],
            )
        }));
    }
    rows.push(row("LoRA", 0.7, &[]));
    let mut report = report(rows);
    report.about.axes = vec![axis("tuner.prompt_length", values)];
    let figures = figures(&report);
    let costs = Shown::of(named(&figures, "accuracy-parameters"));
    assert_eq!(costs.clashes(), Vec::<String>::new());
    assert!(costs.has("prompt_length 20") || costs.has("prompt tuning"));
    let shown = Shown::of(named(&figures, "axis-tuner-prompt_length"));
    assert_eq!(shown.clashes(), Vec::<String>::new());
    // Two lines of five points, and a point in front of each name; what is not along the axis is a level.
    assert_eq!(shown.points.len(), 12);
    for text in [
        "1",
        "5",
        "20",
        "50",
        "100",
        "prompt tuning",
        "prefix tuning",
        "LoRA",
        "majority",
    ] {
        assert!(shown.has(text), "{text}");
    }
    assert!(shown.has("tuner.prompt_length (logarithmic)"));
    let columns: BTreeSet<i32> = shown.points.iter().map(|point| point.center().0).collect();
    assert_eq!(
        columns.len(),
        10 + 1,
        "points of two methods stand side by side, and those of the names below each other"
    );
}

#[test]
fn settings_of_names_stand_side_by_side() {
    let places = ["before", "middle", "after"].map(|place| Value::String(place.into()));
    let rates = [1e-3, 1e-2].map(Value::Float);
    let mut rows = Vec::new();
    for (index, place) in places.iter().enumerate() {
        for (step, rate) in rates.iter().enumerate() {
            let accuracy = 0.5 + 0.1 * index as f64 + 0.02 * step as f64;
            let point = [
                ("tuner.placement", place.clone()),
                ("train.learning_rate", rate.clone()),
            ];
            rows.push(row("prompt tuning", accuracy, &point));
        }
    }
    let mut report = report(rows);
    report.about.axes = vec![
        axis("tuner.placement", places.to_vec()),
        axis("train.learning_rate", rates.to_vec()),
    ];
    let drawn = figures(&report);
    let shown = Shown::of(named(&drawn, "axis-tuner-placement"));
    assert_eq!(shown.clashes(), Vec::<String>::new());
    assert!(shown.has("before") && shown.has("learning_rate 0.01"));
    let costs = Shown::of(named(&drawn, "accuracy-parameters"));
    assert_eq!(
        costs.points.len(),
        1,
        "of settings of equal cost one is shown"
    );
    // Two lines with their names.
    assert_eq!(shown.points.len(), 2 * (3 + 1));

    // Where there are too many lines, each method has its best in validation.
    let mut rows = Vec::new();
    for name in (0..5).map(|index| format!("method {index}")) {
        for place in &places {
            for (step, rate) in rates.iter().enumerate() {
                let point = [
                    ("tuner.placement", place.clone()),
                    ("train.learning_rate", rate.clone()),
                ];
                rows.push(row(&name, 0.6 + 0.1 * step as f64, &point));
            }
        }
    }
    report.table.rows = rows;
    let drawn = figures(&report);
    let shown = Shown::of(named(&drawn, "axis-tuner-placement"));
    assert_eq!(shown.clashes(), Vec::<String>::new());
    assert_eq!(shown.points.len(), 5 * (3 + 1));
    let heights = shown.points.iter().map(|point| point.center().1 / 4);
    let heights: Vec<i32> = heights.collect();
    let of_height = |height: &i32| heights.iter().filter(|other| *other == height).count();
    let most = heights.iter().map(of_height).max();
    assert!(most >= Some(5 * 3), "all are the better ones: {heights:?}");
}

/// A report on so many methods with curves and a confusion of these classes.
fn detailed(n_methods: usize, labels: &[&str]) -> Report {
    let rows = (0..n_methods).map(|index| row(&format!("a method of number {index}"), 0.7, &[]));
    let mut report = report(rows.collect());
    let curve = |start: f64, index: usize| {
        let point = move |step: usize| {
            let mean = start / (1.0 + (step * (index + 1)) as f64 / 40.0);
            CurvePoint {
                step: 50 * step,
                mean,
                low: 0.9 * mean,
                high: 1.1 * mean,
            }
        };
        (1..=6).map(point).collect::<Vec<_>>()
    };
    let confusion = |index: usize| {
        let n_classes = labels.len();
        let pairs = (0..40 * n_classes).map(|example| {
            let missed = usize::from(example % (index + 2) == 0);
            (example % n_classes, (example + missed) % n_classes)
        });
        Confusion {
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            counts: ConfusionMatrix::new(n_classes, pairs),
        }
    };
    let detail = |row: usize| Detail {
        row,
        training: curve(0.7, row),
        validation: curve(0.6, row),
        confusion: (!labels.is_empty()).then(|| confusion(row)),
        settings: Vec::new(),
    };
    report.details = (0..n_methods).map(detail).collect();
    report
}

#[test]
fn curves_have_their_names_at_their_ends() {
    for n_methods in [1, 4, 13] {
        let figures = figures(&detailed(n_methods, &[]));
        for name in ["validation-loss", "training-loss"] {
            let shown = Shown::of(named(&figures, name));
            assert_eq!(shown.clashes(), Vec::<String>::new());
            assert_eq!(shown.points.len(), (6 + 1) * n_methods);
            assert!(shown.has(&format!("a method of number {}", n_methods - 1)));
            // Many bands would hide each other.
            assert_eq!(shown.n_areas, if n_methods > 5 { 0 } else { n_methods });
        }
    }
    // Too many for one figure go on in a second.
    let many = figures(&detailed(20, &[]));
    let curves = many
        .iter()
        .filter(|figure| figure.name.starts_with("validation-loss"));
    let shown: Vec<Shown> = curves.map(Shown::of).collect();
    assert_eq!(shown.len(), 2);
    for index in 0..20 {
        let name = format!("a method of number {index}");
        assert!(shown.iter().any(|shown| shown.has(&name)), "{name}");
    }
}

#[test]
fn learning_rates_that_were_tried_are_shown_but_for_those_that_failed() {
    let mut report = detailed(1, &[]);
    let chosen = |title: &str, rates: &[f64]| Chosen {
        title: title.into(),
        method: title.into(),
        point: AxisValues::new(),
        trials: rates
            .iter()
            .map(|rate| {
                let found = Validation {
                    loss: Some(0.5 + rate.log10().abs() / 10.0),
                    accuracy: None,
                };
                (*rate, (*rate < 1.0).then_some(found))
            })
            .collect(),
        learning_rate: Some(0.1),
    };
    report.chosen = vec![
        chosen("prompt tuning", &[0.01, 0.1, 1.0]),
        chosen("LoRA", &[1e-4, 1e-3, 1e-2]),
    ];
    let shown = Shown::of(named(&figures(&report), "learning-rates"));
    assert_eq!(shown.clashes(), Vec::<String>::new());
    assert_eq!(shown.points.len(), (2 + 1) + (3 + 1));
    assert!(shown.has("0.001") && shown.has("LoRA"));
}

#[test]
fn curves_that_go_astray_are_kept_out() {
    let mut report = detailed(2, &[]);
    report.details[0].validation[3].high = 1e300;
    report.details[1].validation[3].low = f64::NEG_INFINITY;
    let shown = Shown::of(named(&figures(&report), "validation-loss"));
    assert_eq!(shown.points.len(), 2 * (6 + 1) - 2);
    assert_eq!(shown.clashes(), Vec::<String>::new());
}

#[test]
fn confusions_are_legible_whatever_the_classes() {
    let topics: Vec<String> = (0..14)
        .map(|index| format!("a rather long topic {index}"))
        .collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let intents: Vec<String> = (0..77).map(|index| format!("intent {index}")).collect();
    let intents: Vec<&str> = intents.iter().map(String::as_str).collect();
    for labels in [
        &["negative", "positive"][..],
        &["负面", "正面", "中性"],
        &topics,
        &intents,
    ] {
        for n_methods in [1, 2, 13] {
            let figures = figures(&detailed(n_methods, labels));
            let figure = named(&figures, "confusion");
            let shown = Shown::of(figure);
            assert_eq!(shown.clashes_of_texts(), Vec::<String>::new());
            assert!(shown.has(&format!("a method of number {}", n_methods - 1)));
            assert!(figure.to_png().is_some(), "{:?}", shown.size);
        }
    }
    let figures = figures(&detailed(1, &["negative", "positive"]));
    let shown = Shown::of(named(&figures, "confusion"));
    // Every second example was missed: all of one class.
    assert!(shown.has("100") && shown.has("0"));
    let note = "negative taken for positive: 40 of 40".to_owned();
    assert!(shown.notes.contains(&note), "{:?}", shown.notes);
}
