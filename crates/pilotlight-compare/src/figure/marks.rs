//! How points look: told apart by color and, for whoever cannot see colors, by shape.

use plotters::style::RGBColor;

use super::{
    canvas::Canvas,
    geometry::Point,
    labels::{CAP, Mark},
};
use crate::error::CompareError;

/// Colors that the color-blind tell apart (Okabe and Ito, "Color Universal Design", 2008); its yellow is too bright
/// for a white background.
const COLORS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x00, 0x00, 0x00),
];

/// A shape of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Disk,
    Square,
    TriangleUp,
    Diamond,
    TriangleDown,
    Cross,
}

/// As many as have no factor in common with the number of colors, so that all pairs come up.
const SHAPES: [Shape; 6] = [
    Shape::Disk,
    Shape::Square,
    Shape::TriangleUp,
    Shape::Diamond,
    Shape::TriangleDown,
    Shape::Cross,
];

/// The color of the thing of this number.
pub(super) fn color(index: usize) -> RGBColor {
    COLORS[index % COLORS.len()]
}

/// How a method looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    color: RGBColor,
    shape: Shape,
}

impl Look {
    /// That of the method of this number.
    pub(super) fn of(index: usize) -> Self {
        Self {
            color: color(index),
            shape: SHAPES[index % SHAPES.len()],
        }
    }

    /// Draws a point and its bar.
    pub(super) fn draw(self, canvas: &Canvas, mark: &Mark) -> Result<(), CompareError> {
        let Mark { x, y, top, bottom } = *mark;
        if top < bottom {
            canvas.line(&[(x, top), (x, bottom)], self.color, 2)?;
            for end in [top, bottom] {
                canvas.line(&[(x - CAP, end), (x + CAP, end)], self.color, 2)?;
            }
        }
        if self.shape == Shape::Disk {
            return canvas.disk((x, y), 6, self.color);
        }
        let corners: Vec<Point> = self
            .shape
            .corners()
            .iter()
            .map(|(dx, dy)| (x + dx, y + dy))
            .collect();
        canvas.polygon(&corners, self.color)
    }
}

impl Shape {
    /// The corners around the middle.
    fn corners(self) -> &'static [Point] {
        match self {
            Self::Disk => &[],
            Self::Square => &[(-5, -5), (5, -5), (5, 5), (-5, 5)],
            Self::TriangleUp => &[(0, -7), (7, 5), (-7, 5)],
            Self::Diamond => &[(0, -7), (7, 0), (0, 7), (-7, 0)],
            Self::TriangleDown => &[(0, 7), (7, -5), (-7, -5)],
            Self::Cross => &[
                (-2, -7),
                (2, -7),
                (2, -2),
                (7, -2),
                (7, 2),
                (2, 2),
                (2, 7),
                (-2, 7),
                (-2, 2),
                (-7, 2),
                (-7, -2),
                (-2, -2),
            ],
        }
    }
}
