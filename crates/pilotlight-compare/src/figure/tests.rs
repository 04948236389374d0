use std::collections::BTreeSet;

use super::{
    colors::Ink,
    geometry::{Box2, Point},
    text::{TextStyle, text_width},
    *,
};
use crate::{
    report::{About, Sources},
    statistics::Interval,
    table::{Row, Table},
};

mod panels;
mod scatters;

/// A report on these rows.
fn report(rows: Vec<Row>) -> Report {
    Report {
        about: About {
            name: "sentences".into(),
            subject: "a model on sentences".into(),
            ..About::default()
        },
        table: Table {
            rows,
            comparisons: Vec::new(),
            confidence: 0.95,
            n_examples: vec![300..=300],
        },
        details: Vec::new(),
        chosen: Vec::new(),
        settings: Vec::new(),
        sources: Sources::default(),
        runs: Vec::new(),
        failures: Vec::new(),
    }
}

fn around_value(value: f64, half: f64) -> Interval {
    Interval {
        value,
        low: (value - half).max(0.0),
        high: (value + half).min(1.0),
    }
}

/// What a document shows.
pub(super) struct Shown {
    size: Point,
    pub(super) texts: Vec<(String, Box2)>,
    /// Lines of the frame, baselines, bars and leaders; the grid and the Pareto front are behind everything.
    lines: Vec<(Point, Point)>,
    pub(super) points: Vec<Box2>,
    /// Cells and bands, behind what stands on them.
    n_areas: usize,
    notes: Vec<String>,
    fills: BTreeSet<String>,
}

impl Shown {
    fn of(figure: &Figure) -> Self {
        let svg = figure.to_svg(Colors::Own);
        let title = format!("aria-label=\"{}\"", figure.title);
        assert!(svg.contains(&title), "{svg}");
        Self::of_svg(&svg)
    }

    pub(super) fn of_svg(svg: &str) -> Self {
        let document = roxmltree::Document::parse(svg).expect("XML");
        let mut shown = Self {
            size: (0, 0),
            texts: Vec::new(),
            lines: Vec::new(),
            points: Vec::new(),
            n_areas: 0,
            notes: Vec::new(),
            fills: BTreeSet::new(),
        };
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            let get = |name| node.attribute(name).expect(name);
            let number = |name| get(name).parse::<f64>().expect("a number").round() as i32;
            match node.tag_name().name() {
                "svg" => shown.size = (number("width"), number("height")),
                "g" => {}
                "title" => shown.notes.push(node.text().expect("text").to_owned()),
                "text" => shown.add_text(&node),
                "polyline" if ["#E6E6E6", "#B4B4B4"].contains(&get("stroke")) => {}
                "polyline" => {
                    let points = corners(get("points"));
                    let pairs = points.windows(2).map(|pair| (pair[0], pair[1]));
                    shown.lines.extend(pairs);
                }
                "polygon" if get("fill") == "#FFFFFF" => {}
                "polygon" if node.has_attribute("fill-opacity") => shown.n_areas += 1,
                "polygon" => {
                    shown.fills.insert(get("fill").to_owned());
                    shown.points.push(around(&corners(get("points"))));
                }
                "circle" => {
                    shown.fills.insert(get("fill").to_owned());
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

    fn add_text(&mut self, node: &roxmltree::Node<'_, '_>) {
        let get = |name| node.attribute(name).expect(name);
        let number = |name| get(name).parse::<f64>().expect("a number").round() as i32;
        let text = node.text().expect("text").trim();
        let style = TextStyle::new(number("font-size"), Ink::Dark);
        let style = match node.attribute("font-weight") {
            Some("bold") => style.bold(),
            _ => style,
        };
        let width = text_width(text, style);
        let (x, y) = (number("x"), number("y"));
        let half = number("font-size") / 2;
        let anchor = get("text-anchor");
        // How far the middle lies behind the place of the text, along it.
        let along = match anchor {
            "start" => width / 2,
            "end" => -width / 2,
            _ => 0,
        };
        let place = match node.attribute("transform") {
            Some(_) => Box2::around((x, y - along), half, width / 2),
            None => Box2::around((x + along, y), width / 2, half),
        };
        self.texts.push((text.to_owned(), place));
    }

    /// Every pair of things that hide each other.
    pub(super) fn clashes(&self) -> Vec<String> {
        let mut clashes = self.clashes_of_texts();
        for (text, place) in &self.texts {
            let mut clash = |with: String| clashes.push(format!("`{text}` and {with}"));
            for line in self.lines.iter().filter(|line| place.is_crossed(**line)) {
                clash(format!("the line {line:?}"));
            }
            for point in self.points.iter().filter(|point| point.overlaps(*place)) {
                clash(format!("the point {point:?}"));
            }
        }
        clashes
    }

    /// Every two texts that hide each other, and those that are not all inside.
    fn clashes_of_texts(&self) -> Vec<String> {
        let canvas = Box2 {
            left: 0,
            top: 0,
            right: self.size.0,
            bottom: self.size.1,
        };
        let mut clashes = Vec::new();
        for (index, (text, place)) in self.texts.iter().enumerate() {
            if !canvas.holds(*place) {
                clashes.push(format!("`{text}` and the rim"));
            }
            let rest = self.texts[index + 1..].iter();
            let hidden = rest.filter(|(_, other)| other.overlaps(*place));
            clashes.extend(hidden.map(|(other, _)| format!("`{text}` and `{other}`")));
        }
        clashes
    }

    fn has(&self, text: &str) -> bool {
        self.texts.iter().any(|(known, _)| known == text)
    }
}

fn corners(text: &str) -> Vec<Point> {
    let point = |pair: &str| {
        let (x, y) = pair.split_once(',').expect("a pair");
        let number = |text: &str| text.parse::<f64>().expect("a number").round() as i32;
        (number(x), number(y))
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
