//! A frame with an axis below and one at its side.

use super::{
    colors::Ink,
    drawing::{Drawing, Spot},
    geometry::Box2,
    marks::Look,
    scale::{Scale, spread},
    text::{Anchor, TextStyle, fitted, text_width},
};

/// Width of a figure.
pub(super) const WIDTH: i32 = 800;
pub(super) const MARGIN: i32 = 20;
pub(super) const LINE_HEIGHT: i32 = 20;
/// What stands below a frame: numbers and name of the axis.
pub(super) const AXIS_HEIGHT: i32 = 64;
pub(super) const FRAME_TOP: i32 = 70;
pub(super) const FRAME_BOTTOM: i32 = 436;
/// Between the frame and the names at its right.
pub(super) const NAMES_GAP: i32 = 16;
/// What shows how a line looks, in front of its name.
const SAMPLE: i32 = 20;
/// Size of points on lines.
pub(super) const SMALL: f64 = 0.7;
/// Lengths of dashes and of the gaps behind them, for one level after the other.
const DASHES: [&[u32]; 3] = [&[2, 4], &[9, 5], &[16, 4]];

pub(super) const LABEL: TextStyle = TextStyle::new(13, Ink::Dark);
const TITLE: TextStyle = TextStyle::new(18, Ink::Dark).bold();
const SUBTITLE: TextStyle = TextStyle::new(13, Ink::Gray);
pub(super) const AXIS: TextStyle = TextStyle::new(13, Ink::Dark);
pub(super) const TICK: TextStyle = TextStyle::new(12, Ink::Gray);

/// An axis: its name, and where values stand.
pub(super) struct Side {
    pub(super) name: String,
    pub(super) scale: Scale,
    /// The values that are named; by default those of the scale.
    pub(super) ticks: Option<Vec<(f64, String)>>,
}

/// A value that no axis below changes, as a dashed line across.
pub(super) struct Level {
    pub(super) label: String,
    pub(super) value: f64,
}

/// A name at the right of a frame, and what it is the name of.
pub(super) struct Name<'a> {
    pub(super) text: &'a str,
    pub(super) from: Spot,
    pub(super) ink: Ink,
    /// How its line looks, and its points where they are drawn.
    pub(super) width: f64,
    pub(super) dashes: &'static [u32],
    pub(super) point: Option<Look>,
}

/// A frame with its axes.
pub(super) struct Plane {
    pub(super) frame: Box2,
    pub(super) x: Side,
    pub(super) y: Side,
}

/// Title and subtitle of a figure.
pub(super) fn draw_titles(drawing: &mut Drawing, title: &str, subtitle: &str) {
    let room = WIDTH - 2 * MARGIN;
    drawing.text(&fitted(title, TITLE, room), (MARGIN, 26), TITLE);
    drawing.text(&fitted(subtitle, SUBTITLE, room), (MARGIN, 48), SUBTITLE);
}

/// The room that the names at the right of a frame take.
pub(super) fn names_width<'a>(names: impl Iterator<Item = &'a str>) -> i32 {
    match names.map(|name| text_width(name, LABEL)).max() {
        Some(width) => NAMES_GAP + SAMPLE + 6 + width + MARGIN,
        None => MARGIN,
    }
}

/// Where the frame begins, right of the numbers of its axis.
pub(super) fn frame_left(y_ticks: &[(f64, String)]) -> i32 {
    let widest = y_ticks.iter().map(|(_, name)| text_width(name, TICK)).max();
    // Behind the name of the axis.
    44 + widest.unwrap_or_default()
}

impl Side {
    fn ticks(&self) -> Vec<(f64, String)> {
        self.ticks.clone().unwrap_or_else(|| self.scale.ticks())
    }
}

impl Plane {
    pub(super) fn draw(&self, drawing: &mut Drawing) {
        let Self { frame, x, y } = self;
        let mut taken = i32::MIN;
        for (value, label) in x.ticks() {
            let at = x.scale.pixel(value);
            drawing.line(&[(at, frame.top), (at, frame.bottom)], Ink::Grid, 1.0);
            drawing.line(
                &[(at, frame.bottom), (at, frame.bottom + 6)],
                Ink::Gray,
                1.0,
            );
            let half = text_width(&label, TICK) / 2;
            // A name that would run into the one before is left out.
            if at - half > taken {
                let style = TICK.anchored(Anchor::Middle);
                drawing.text(&label, (at, frame.bottom + 17), style);
                taken = at + half + 4;
            }
        }
        for value in x.scale.small_ticks() {
            let at = x.scale.pixel(value);
            drawing.line(
                &[(at, frame.bottom), (at, frame.bottom + 3)],
                Ink::Gray,
                1.0,
            );
        }
        for (value, label) in y.ticks() {
            let at = y.scale.pixel(value);
            drawing.line(&[(frame.left, at), (frame.right, at)], Ink::Grid, 1.0);
            let style = TICK.anchored(Anchor::End);
            drawing.text(&label, (frame.left - 8, at), style);
        }
        drawing.frame(*frame);
        let (center_x, center_y) = frame.center();
        let style = AXIS.anchored(Anchor::Middle);
        let name = fitted(&x.name, AXIS, WIDTH - 2 * MARGIN);
        // Beside the middle of the frame, where it would not fit into the figure.
        let half = text_width(&name, AXIS) / 2;
        let center_x = center_x.clamp(MARGIN + half, (WIDTH - MARGIN - half).max(MARGIN + half));
        drawing.text(&name, (center_x, frame.bottom + 42), style);
        drawing.text(&y.name, (22, center_y), style.upwards());
    }

    /// Dashed lines across.
    pub(super) fn draw_levels(&self, drawing: &mut Drawing, levels: &[Level]) {
        let Box2 { left, right, .. } = self.frame;
        for (index, level) in levels.iter().enumerate() {
            let y = self.y.scale.at(level.value);
            let dashes = DASHES[index % DASHES.len()];
            drawing.dashed(
                &[(left.into(), y), (right.into(), y)],
                Ink::Gray,
                1.0,
                dashes,
            );
        }
    }

    /// The names of levels.
    pub(super) fn names_of<'a>(&self, levels: &'a [Level]) -> Vec<Name<'a>> {
        let name = |(index, level): (usize, &'a Level)| Name {
            text: &level.label,
            from: (self.frame.right.into(), self.y.scale.at(level.value)),
            ink: Ink::Gray,
            width: 1.0,
            dashes: DASHES[index % DASHES.len()],
            point: None,
        };
        levels.iter().enumerate().map(name).collect()
    }

    /// Names at the right of the frame, each behind a sample of its line, tied to its place and over no other.
    pub(super) fn draw_names(&self, drawing: &mut Drawing, names: &[Name<'_>]) {
        let half = LINE_HEIGHT / 2;
        let range = (self.frame.top + half, self.frame.bottom - half);
        let wanted: Vec<i32> = names
            .iter()
            .map(|name| name.from.1.round() as i32)
            .collect();
        let left = self.frame.right + NAMES_GAP;
        for (y, name) in spread(&wanted, LINE_HEIGHT, range).into_iter().zip(names) {
            let (start, middle) = (f64::from(left), f64::from(y));
            let end = start + f64::from(SAMPLE);
            drawing.line(&[name.from, (start, middle)], name.ink, 1.0);
            drawing.dashed(
                &[(start, middle), (end, middle)],
                name.ink,
                name.width,
                name.dashes,
            );
            if let Some(look) = name.point {
                look.draw_point(drawing, ((start + end) / 2.0, middle), SMALL);
            }
            drawing.text(name.text, (left + SAMPLE + 6, y), LABEL);
        }
    }
}
