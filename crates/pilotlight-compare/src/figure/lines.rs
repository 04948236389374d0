//! Values of several methods along an axis, as lines.

use super::{
    Figure,
    drawing::{Drawing, Spot},
    geometry::Box2,
    marks::Look,
    plane::{
        AXIS_HEIGHT, FRAME_BOTTOM, FRAME_TOP, LABEL, LINE_HEIGHT, Level, Name, Plane, SMALL, Side,
        WIDTH, draw_titles, frame_left, names_width,
    },
    scale::{Scale, linear_range},
    text::fitted,
};

/// The widest name of a line.
const NAME_WIDTH: i32 = 220;
/// What lies between the points of lines at the same value, and all of them together at most.
const DODGE: f64 = 7.0;
const MOST_DODGE: f64 = 42.0;
/// A line of more points has none drawn.
const MOST_POINTS: usize = 40;
/// Lines in a figure at most, and those among them that would not hide each other's bands.
pub(super) const MOST_LINES: usize = 16;
pub(super) const MOST_BANDS: usize = 5;

/// Lines in a frame.
pub(super) struct LinePlot<'a> {
    pub(super) file: String,
    pub(super) title: String,
    pub(super) heading: &'a str,
    pub(super) subtitle: String,
    /// Name of the axis below, and how values become places in a frame between two columns.
    pub(super) x_name: String,
    pub(super) x: &'a dyn Fn((i32, i32)) -> Along,
    pub(super) y_name: String,
    pub(super) y: &'a dyn Fn((i32, i32)) -> Scale,
    pub(super) lines: Vec<Line>,
    pub(super) levels: Vec<Level>,
    /// Whether what a value may also be is shown as a bar at each point, else as a band along the line.
    pub(super) has_bars: bool,
}

/// An axis below.
pub(super) struct Along {
    pub(super) scale: Scale,
    /// The values that are named; by default those of the scale.
    pub(super) ticks: Option<Vec<(f64, String)>>,
}

/// The values of a method.
pub(super) struct Line {
    pub(super) label: String,
    /// Whose colors it has.
    pub(super) look: usize,
    /// In the order of `x`.
    pub(super) points: Vec<LinePoint>,
}

/// A value, with the ends of what it may also be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LinePoint {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// What it says when it is pointed at.
    pub(super) note: String,
}

impl LinePlot<'_> {
    pub(super) fn draw(self) -> Figure {
        let names = || {
            let lines = self.lines.iter().map(|line| line.label.as_str());
            lines.chain(self.levels.iter().map(|level| level.label.as_str()))
        };
        let fitting: Vec<String> = names()
            .map(|name| fitted(name, LABEL, NAME_WIDTH))
            .collect();
        let bottom = FRAME_BOTTOM.max(FRAME_TOP + LINE_HEIGHT * fitting.len() as i32);
        let y = (self.y)((bottom, FRAME_TOP));
        let frame = Box2 {
            left: frame_left(&y.ticks()),
            top: FRAME_TOP,
            right: WIDTH - names_width(fitting.iter().map(String::as_str)),
            bottom,
        };
        let Along { scale: x, ticks } = (self.x)((frame.left, frame.right));
        let plane = Plane {
            frame,
            x: Side {
                name: self.x_name.clone(),
                scale: x,
                ticks,
            },
            y: Side {
                name: self.y_name.clone(),
                scale: y,
                ticks: None,
            },
        };
        let mut drawing = Drawing::new(&self.title, (WIDTH, bottom + AXIS_HEIGHT));
        draw_titles(&mut drawing, self.heading, &self.subtitle);
        plane.draw(&mut drawing);
        plane.draw_levels(&mut drawing, &self.levels);
        self.draw_lines(&mut drawing, &plane);
        self.draw_names(&mut drawing, &plane, &fitting);
        Figure {
            name: self.file,
            title: self.title,
            drawing,
        }
    }

    fn draw_lines(&self, drawing: &mut Drawing, plane: &Plane) {
        for (index, line) in self.lines.iter().enumerate() {
            let look = Look::of(line.look);
            let place = |point: &LinePoint, value: f64| {
                let x = plane.x.scale.at(point.x) + self.aside(index);
                (x, plane.y.scale.at(value))
            };
            if !self.has_bars && self.lines.len() <= MOST_BANDS && line.has_ends() {
                let up = line.points.iter().map(|point| place(point, point.high));
                let down = line
                    .points
                    .iter()
                    .rev()
                    .map(|point| place(point, point.low));
                drawing.area(&up.chain(down).collect::<Vec<_>>(), look.ink, 0.15);
            }
            let spots: Vec<Spot> = line
                .points
                .iter()
                .map(|point| place(point, point.y))
                .collect();
            look.draw_line(drawing, &spots);
            if !line.has_points() {
                continue;
            }
            for (point, spot) in line.points.iter().zip(&spots) {
                drawing.noted(point.note.clone(), |drawing| {
                    if self.has_bars && point.low < point.high {
                        let ends = [point.low, point.high].map(|value| place(point, value));
                        drawing.line(&ends, look.ink, 1.5);
                        for (x, y) in ends {
                            drawing.line(&[(x - 3.0, y), (x + 3.0, y)], look.ink, 1.5);
                        }
                    }
                    look.draw_point(drawing, *spot, SMALL);
                });
            }
        }
    }

    /// By how much a line is moved aside, so that bars at the same value do not hide each other.
    fn aside(&self, index: usize) -> f64 {
        match (self.has_bars, self.lines.len()) {
            (true, n_lines @ 2..) => {
                let last = (n_lines - 1) as f64;
                DODGE.min(MOST_DODGE / last) * (index as f64 - last / 2.0)
            }
            _ => 0.0,
        }
    }

    /// The names of the lines behind their ends, and those of the levels.
    fn draw_names(&self, drawing: &mut Drawing, plane: &Plane, names: &[String]) {
        let (of_lines, of_levels) = names.split_at(self.lines.len());
        let lines = self.lines.iter().zip(of_lines).enumerate();
        let lines = lines.filter_map(|(index, (line, text))| {
            let end = line.points.last()?;
            let look = Look::of(line.look);
            Some(Name {
                text,
                from: (
                    plane.x.scale.at(end.x) + self.aside(index),
                    plane.y.scale.at(end.y),
                ),
                ink: look.ink,
                width: 2.0,
                dashes: look.dashes,
                point: line.has_points().then_some(look),
            })
        });
        let levels = plane.names_of(&self.levels).into_iter().zip(of_levels);
        let levels = levels.map(|(name, text)| Name { text, ..name });
        plane.draw_names(drawing, &lines.chain(levels).collect::<Vec<_>>());
    }
}

impl Line {
    /// Whether its points are drawn.
    fn has_points(&self) -> bool {
        self.points.len() <= MOST_POINTS
    }

    /// Whether any of its values may also be another.
    pub(super) fn has_ends(&self) -> bool {
        self.points.iter().any(|point| point.low < point.high)
    }
}

/// Room for the values of lines, and for what they may also be.
pub(super) fn range_of(
    lines: &[Line],
    levels: &[Level],
    least: f64,
    limits: (f64, f64),
) -> (f64, f64) {
    let points = lines.iter().flat_map(|line| &line.points);
    let values = points.flat_map(|point| [point.low, point.y, point.high]);
    linear_range(
        values.chain(levels.iter().map(|level| level.value)),
        least,
        limits,
    )
}
