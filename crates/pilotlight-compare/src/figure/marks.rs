//! How methods look: told apart by color and, for whoever cannot see colors, by shape and by dashes.

use super::{
    colors::{Ink, N_SERIES},
    drawing::{Drawing, Spot},
    labels::{CAP, Mark},
};

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

/// Lengths of dashes and of the gaps behind them; lines of the same color differ in these.
const DASHES: [&[u32]; 4] = [&[], &[7, 4], &[2, 3], &[10, 3, 2, 3]];

/// How a method looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) ink: Ink,
    shape: Shape,
    pub(super) dashes: &'static [u32],
}

impl Look {
    /// That of the method of this number.
    pub(super) fn of(index: usize) -> Self {
        Self {
            ink: Ink::Series(index % N_SERIES),
            shape: SHAPES[index % SHAPES.len()],
            dashes: DASHES[index / N_SERIES % DASHES.len()],
        }
    }

    /// Draws a point and its bar.
    pub(super) fn draw(self, drawing: &mut Drawing, mark: &Mark) {
        let Mark { x, y, top, bottom } = *mark;
        if top < bottom {
            drawing.line(&[(x, top), (x, bottom)], self.ink, 2.0);
            for end in [top, bottom] {
                drawing.line(&[(x - CAP, end), (x + CAP, end)], self.ink, 2.0);
            }
        }
        self.draw_point(drawing, (x.into(), y.into()), 1.0);
    }

    /// Draws a point alone, `size` times as large.
    pub(super) fn draw_point(self, drawing: &mut Drawing, (x, y): Spot, size: f64) {
        if self.shape == Shape::Disk {
            return drawing.disk((x, y), 6.0 * size, self.ink);
        }
        let corners = self.shape.corners().iter();
        let corners =
            corners.map(|(dx, dy)| (x + size * f64::from(*dx), y + size * f64::from(*dy)));
        drawing.area(&corners.collect::<Vec<_>>(), self.ink, 1.0);
    }

    /// Draws a line.
    pub(super) fn draw_line(self, drawing: &mut Drawing, points: &[Spot]) {
        drawing.dashed(points, self.ink, 2.0, self.dashes);
    }
}

impl Shape {
    /// The corners around the middle.
    fn corners(self) -> &'static [(i32, i32)] {
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
