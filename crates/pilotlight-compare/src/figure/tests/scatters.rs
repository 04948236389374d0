//! Accuracy against costs.

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::*;
use crate::figure::scatter::Cost;

/// A row: name, share of trained parameters in percent, accuracy, half the width of its interval.
type Line<'a> = (&'a str, Option<f64>, f64, f64);

const BASELINES: [Line; 2] = [
    ("majority", None, 0.5, 0.0),
    ("untuned", Some(0.0), 0.61, 0.05),
];
const USUAL: [Line; 4] = [
    ("prompt tuning", Some(0.0086), 0.74, 0.05),
    ("prefix tuning", Some(0.34), 0.80, 0.045),
    ("LoRA (rank 8)", Some(0.36), 0.815, 0.044),
    ("full fine-tuning", Some(100.0), 0.82, 0.045),
];

fn of_lines(lines: &[Line]) -> Report {
    let row = |(label, percent, value, half): &Line| Row {
        label: (*label).into(),
        percent: *percent,
        training_seconds: percent
            .filter(|percent| *percent > 0.0)
            .map(|percent| 20.0 + percent),
        accuracy: Some(around_value(*value, *half)),
        seeds: vec![1, 2, 3],
        ..Row::default()
    };
    report(lines.iter().map(row).collect())
}

fn drawn(lines: &[Line], cost: &Cost) -> Figure {
    scatter(&of_lines(lines), cost).expect("an accuracy")
}

/// Draws the lines behind the baselines and checks that all is there and nothing hides anything.
fn check(methods: &[Line]) -> Shown {
    let lines = [&BASELINES, methods].concat();
    let shown = Shown::of(&drawn(&lines, &PARAMETERS));
    assert_eq!(shown.clashes(), Vec::<String>::new());
    let of_time = Shown::of(&drawn(&lines, &TIME));
    assert_eq!(of_time.clashes(), Vec::<String>::new());
    for (label, ..) in &lines {
        let n_found = shown.texts.iter().filter(|(text, _)| text == label).count();
        assert_eq!(n_found, 1, "{label}");
    }
    shown
}

#[test]
fn usual_comparisons_are_legible() {
    for n_methods in 1..=USUAL.len() {
        let shown = check(&USUAL[..n_methods]);
        assert_eq!(shown.size, (800, 500));
        assert_eq!(shown.points.len(), n_methods);
    }
    let titles = check(&USUAL).texts;
    assert_eq!(titles[0].0, "a model on sentences");
    assert_eq!(
        titles[1].0,
        "mean of 3 seeds · 300 test examples · bars: 95% bootstrap intervals · line: Pareto front"
    );
}

#[test]
fn methods_of_equal_shares_and_accuracies_are_told_apart() {
    let names = ["a", "b", "c", "d", "e", "f", "g"].map(|name| format!("prompt tuning {name}"));
    for half in [0.0, 0.003, 0.05, 0.2] {
        let methods: Vec<Line> = names
            .iter()
            .map(|name| (name.as_str(), Some(0.01), 0.7, half))
            .collect();
        let shown = check(&methods);
        for (index, point) in shown.points.iter().enumerate() {
            let mut others = shown.points[index + 1..].iter();
            assert!(!others.any(|other| other.overlaps(*point)));
        }
    }
}

#[test]
fn wide_intervals_and_many_methods_are_legible() {
    let wide = [
        ("soft prompt", Some(0.01), 0.6, 0.3),
        ("LoRA", Some(0.5), 0.55, 0.29),
        ("prefix", Some(0.3), 0.65, 0.3),
        ("full", Some(100.0), 0.75, 0.25),
        ("head only & <more>", Some(0.002), 0.5, 0.3),
        ("bottleneck adapters of width 16", Some(0.4), 0.62, 0.3),
        ("BitFit", Some(90.0), 0.7, 0.29),
    ];
    check(&wide);
    let names: Vec<String> = (0..30)
        .map(|index| format!("method number {index}"))
        .collect();
    let many = names.iter().enumerate().map(|(index, name)| {
        let share = 0.01 * (1.0 + 0.3 * (7 * index % 30) as f64);
        let accuracy = 0.6 + 0.01 * (11 * index % 30) as f64;
        (name.as_str(), Some(share), accuracy, 0.12)
    });
    // Names without room stand below.
    let shown = check(&many.collect::<Vec<Line>>());
    assert!(shown.size.1 > 500, "{:?}", shown.size);
}

#[test]
fn drawn_comparisons_are_legible() {
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    for n_methods in (2..=13).cycle().take(36) {
        let names: Vec<String> = (0..n_methods)
            .map(|index| format!("prompt tuning {index}"))
            .collect();
        let methods = names.iter().map(|name| {
            // Few different shares, accuracies close to each other: crowds.
            let share = 10f64.powi(generator.random_range(-2..2));
            let accuracy = generator.random_range(0.6..0.7);
            let half = generator.random_range(0.0..0.1);
            (name.as_str(), Some(share), accuracy, half)
        });
        check(&methods.collect::<Vec<Line>>());
    }
}

#[test]
fn extreme_values_are_inside() {
    check(&[("nothing right", Some(1e-9), 0.0, 0.0)]);
    check(&[("all right", Some(100.0), 1.0, 0.0)]);
    let lines: Vec<String> = (0..30).map(|index| format!("prompt {index}")).collect();
    let mut rows: Vec<Line> = lines
        .iter()
        .map(|name| (name.as_str(), None, 0.5, 0.0))
        .collect();
    rows.push(USUAL[0]);
    let shown = Shown::of(&drawn(&rows, &PARAMETERS));
    assert_eq!(shown.clashes(), Vec::<String>::new());
}

#[test]
fn names_fit_into_the_document() {
    let long = "a method whose name does not end before the room for it does";
    let rows = [(long, Some(1.0), 0.5, 0.1), ("\u{1}x\n", None, 0.4, 0.0)];
    let shown = Shown::of(&drawn(&rows, &PARAMETERS));
    assert_eq!(shown.clashes(), Vec::<String>::new());
    let is_shown = |wanted: fn(&str) -> bool| shown.texts.iter().any(|(text, _)| wanted(text));
    assert!(is_shown(|text| text.starts_with("a method")
        && text.contains('…')
        && text.ends_with("it does")));
    assert!(is_shown(|text| text == "x"));
}

#[test]
fn the_same_report_gives_the_same_pictures() {
    let first = figures(&of_lines(&USUAL));
    assert_eq!(first, figures(&of_lines(&USUAL)));
    let names: Vec<&str> = first.iter().map(|figure| figure.name.as_str()).collect();
    assert_eq!(names, ["accuracy-parameters", "accuracy-time"]);
    let page = first[0].to_svg(Colors::OfPage);
    assert!(
        page.contains("var(--series-1)") && !page.contains('#'),
        "{page}"
    );
}

#[test]
fn pixels_show_what_the_document_shows() {
    let figure = drawn(&USUAL, &PARAMETERS);
    let png = figure.to_png().expect("pixels");
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let size = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("a number"));
    assert_eq!((size(16), size(20)), (1600, 1000));
    // All methods have points of their own colors.
    assert_eq!(Shown::of(&figure).fills.len(), USUAL.len());
}

#[test]
fn without_accuracies_there_is_no_picture() {
    let names =
        |report: &_| -> Vec<String> { figures(report).into_iter().map(|it| it.name).collect() };
    assert_eq!(names(&of_lines(&BASELINES)), Vec::<String>::new());
    let mut untested = of_lines(&USUAL);
    for row in &mut untested.table.rows {
        row.accuracy = None;
    }
    assert_eq!(names(&untested), Vec::<String>::new());
}

#[test]
fn the_front_has_what_nothing_cheaper_reaches() {
    let lines = [
        ("untuned", Some(0.0), 0.6, 0.0),
        ("below", Some(0.01), 0.5, 0.0),
        ("first", Some(0.1), 0.7, 0.0),
        ("worse", Some(1.0), 0.65, 0.0),
        ("last", Some(10.0), 0.8, 0.0),
    ];
    let svg = drawn(&lines, &PARAMETERS).to_svg(Colors::Own);
    let document = roxmltree::Document::parse(&svg).expect("XML");
    let front = document
        .descendants()
        .find(|node| node.attribute("stroke") == Some("#B4B4B4"));
    let points = corners(front.expect("a line").attribute("points").expect("points"));
    let shown = Shown::of(&drawn(&lines, &PARAMETERS));
    let at = |text: usize| shown.points[text].center();
    // From the rim along what costs nothing, up to the first, along, up to the last, and to the other rim.
    assert_eq!(points.len(), 6, "{points:?}");
    assert_eq!((points[2], points[4]), (at(1), at(3)));
    assert_eq!((points[1].0, points[3].0), (at(1).0, at(3).0));
}
