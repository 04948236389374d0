use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::{geometry::Point, *};
use crate::table::Table;

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

fn report(lines: &[Line]) -> Report {
    let row = |(label, percent, value, half): &Line| Row {
        label: (*label).into(),
        percent: *percent,
        accuracy: Some(Interval {
            value: *value,
            low: value - half,
            high: (value + half).min(1.0),
        }),
        seeds: vec![1, 2, 3],
        ..Row::default()
    };
    Report {
        axes: Vec::new(),
        protocol: Vec::new(),
        chosen: Vec::new(),
        name: "sentences".into(),
        subject: "a model on sentences".into(),
        table: Table {
            rows: lines.iter().map(row).collect(),
            pairs: Vec::new(),
            confidence: 0.95,
            n_examples: vec![300],
        },
        failures: Vec::new(),
    }
}

fn drawn(lines: &[Line]) -> String {
    accuracy_figure(&report(lines))
        .expect("a drawing")
        .expect("an accuracy")
}

/// What a document shows.
pub(super) struct Shown {
    size: Point,
    pub(super) texts: Vec<(String, Box2)>,
    /// Lines of the frame, baselines, bars and leaders; the grid is behind everything.
    lines: Vec<(Point, Point)>,
    pub(super) points: Vec<Box2>,
}

impl Shown {
    pub(super) fn of(svg: &str) -> Self {
        let document = roxmltree::Document::parse(svg).expect("XML");
        let mut shown = Self {
            size: (0, 0),
            texts: Vec::new(),
            lines: Vec::new(),
            points: Vec::new(),
        };
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            let get = |name| node.attribute(name).expect(name);
            let number = |name| get(name).parse::<f64>().expect("a number").round() as i32;
            match node.tag_name().name() {
                "svg" => shown.size = (number("width"), number("height")),
                "text" => {
                    assert_eq!(get("font-family"), "sans-serif");
                    let text = node.text().expect("text").trim();
                    let style = TextStyle::new(number("font-size"), DARK);
                    let style = match node.attribute("font-weight") {
                        Some("bold") => style.bold(),
                        _ => style,
                    };
                    let width = text_width(text, style);
                    let (x, y) = (number("x"), number("y"));
                    let half = number("font-size") / 2;
                    let middle = match get("text-anchor") {
                        "start" => (x + width / 2, y),
                        "end" => (x - width / 2, y),
                        _ => (x, y),
                    };
                    let across = match node.attribute("transform") {
                        Some(_) => Box2::around((x, y), half, width / 2),
                        None => Box2::around(middle, width / 2, half),
                    };
                    shown.texts.push((text.to_owned(), across));
                }
                "polyline" if get("stroke") != "#E6E6E6" => {
                    let points = corners(get("points"));
                    let pairs = points.windows(2).map(|pair| (pair[0], pair[1]));
                    shown.lines.extend(pairs);
                }
                "polyline" => {}
                "polygon" => shown.points.push(around(&corners(get("points")))),
                "circle" => {
                    let center = (number("cx"), number("cy"));
                    shown
                        .points
                        .push(Box2::around(center, number("r"), number("r")));
                }
                "rect" if get("fill") == "none" => {
                    let (left, top) = (number("x"), number("y"));
                    let (right, bottom) = (left + number("width"), top + number("height"));
                    shown.lines.extend([
                        ((left, top), (right, top)),
                        ((right, top), (right, bottom)),
                        ((left, bottom), (right, bottom)),
                        ((left, top), (left, bottom)),
                    ]);
                }
                "rect" => assert_eq!(get("fill"), "#FFFFFF"),
                other => panic!("<{other}>"),
            }
        }
        shown
    }

    /// Every pair of things that hide each other.
    pub(super) fn clashes(&self) -> Vec<String> {
        let mut clashes = Vec::new();
        let canvas = Box2 {
            left: 0,
            top: 0,
            right: self.size.0,
            bottom: self.size.1,
        };
        for (index, (text, place)) in self.texts.iter().enumerate() {
            let mut clash = |with: String| clashes.push(format!("`{text}` and {with}"));
            if !canvas.holds(*place) {
                clash("the rim".into());
            }
            for (other, _) in self.texts[index + 1..]
                .iter()
                .filter(|(_, other)| other.overlaps(*place))
            {
                clash(format!("`{other}`"));
            }
            for line in self.lines.iter().filter(|line| place.is_crossed(**line)) {
                clash(format!("the line {line:?}"));
            }
            for point in self.points.iter().filter(|point| point.overlaps(*place)) {
                clash(format!("the point {point:?}"));
            }
        }
        clashes
    }
}

fn corners(text: &str) -> Vec<Point> {
    let point = |pair: &str| {
        let (x, y) = pair.split_once(',').expect("a pair");
        (x.parse().expect("x"), y.parse().expect("y"))
    };
    text.split_whitespace().map(point).collect()
}

fn around(points: &[Point]) -> Box2 {
    let ends = |of: fn(&Point) -> i32| {
        let values = || points.iter().map(of);
        (values().min().expect("any"), values().max().expect("any"))
    };
    let ((left, right), (top, bottom)) = (ends(|point| point.0), ends(|point| point.1));
    Box2 {
        left,
        top,
        right,
        bottom,
    }
}

/// Draws the lines behind the baselines and checks that all is there and nothing hides anything.
fn check(methods: &[Line]) -> Shown {
    let lines = [&BASELINES, methods].concat();
    let shown = Shown::of(&drawn(&lines));
    assert_eq!(shown.clashes(), Vec::<String>::new());
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
        "mean of 3 seeds · 300 test examples · bars: 95% bootstrap intervals"
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
    let shown = Shown::of(&drawn(&rows));
    assert_eq!(shown.clashes(), Vec::<String>::new());
}

#[test]
fn names_fit_into_the_document() {
    let long = "a method whose name does not end before the room for it does";
    let shown = Shown::of(&drawn(&[
        (long, Some(1.0), 0.5, 0.1),
        ("\u{1}x\n", None, 0.4, 0.0),
    ]));
    assert_eq!(shown.clashes(), Vec::<String>::new());
    let is_shown = |wanted: fn(&str) -> bool| shown.texts.iter().any(|(text, _)| wanted(text));
    assert!(is_shown(
        |text| text.starts_with("a method whose") && text.ends_with('…')
    ));
    assert!(is_shown(|text| text == "x"));
}

#[test]
fn the_same_report_gives_the_same_picture() {
    assert_eq!(drawn(&USUAL), drawn(&USUAL));
}

#[test]
fn without_accuracies_there_is_no_picture() {
    assert_eq!(accuracy_figure(&report(&BASELINES)).expect("fine"), None);
    let mut untested = report(&USUAL);
    for row in &mut untested.table.rows {
        row.accuracy = None;
    }
    assert_eq!(accuracy_figure(&untested).expect("fine"), None);
    assert!(!has_figure(&untested.table) && has_figure(&report(&USUAL).table));
}

#[test]
fn points_stand_where_their_numbers_say() {
    let (methods, baselines) = reached(&report(&[BASELINES[0], USUAL[0], USUAL[3]]).table);
    let frame = Box2 {
        left: 0,
        top: 0,
        right: 1000,
        bottom: 1000,
    };
    let scales = Scales::new(&methods, &baselines, frame);
    let steps: Vec<i32> = [0.01, 0.1, 1.0, 10.0].map(|share| scales.x(share)).into();
    let decade = steps[1] - steps[0];
    assert!(decade > 0);
    for pair in steps.windows(2) {
        assert!((pair[1] - pair[0] - decade).abs() <= 1, "{steps:?}");
    }
    let heights = [50.0, 60.0, 70.0].map(|accuracy| scales.y(accuracy));
    let [low, middle, high] = heights;
    assert!((low - middle - (middle - high)).abs() <= 1 && low > high);
    let names: Vec<String> = scales.x_ticks().into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["0.01", "0.1", "1", "10", "100"]);
    assert_eq!(scales.y_ticks(), [50, 60, 70, 80]);
}

#[test]
fn values_are_spread_no_further_than_needed() {
    assert_eq!(spread(&[10, 50], 20, (0, 100)), [10, 50]);
    assert_eq!(spread(&[50, 50, 50], 20, (0, 100)), [30, 50, 70]);
    assert_eq!(spread(&[60, 50, 10], 20, (0, 100)), [65, 45, 10]);
    assert_eq!(spread(&[95, 95], 20, (0, 100)), [80, 100]);
    assert_eq!(spread(&[5, 5, 5], 60, (0, 100)), [0, 50, 100]);
    assert_eq!(spread(&[], 60, (0, 100)), [0; 0]);
}

#[test]
fn boxes_and_lines_meet_only_inside() {
    let place = Box2::around((10, 10), 5, 5);
    assert!(place.is_crossed(((0, 0), (20, 20))));
    assert!(place.is_crossed(((10, 10), (11, 11))));
    assert!(!place.is_crossed(((0, 15), (20, 15))));
    assert!(!place.is_crossed(((0, 0), (4, 4))));
    assert!(place.overlaps(Box2::around((14, 10), 1, 1)));
    assert!(!place.overlaps(Box2::around((16, 10), 1, 1)));
    assert_eq!(place.distance(Box2::around((18, 19), 0, 0)), 5.0);
    assert_eq!(place.nearest((0, 12)), (5, 12));
}
