//! Boxes and lines in pixels; y points down.

/// A place in pixels.
pub(super) type Point = (i32, i32);

/// A box whose sides are parallel to the axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Box2 {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) right: i32,
    pub(super) bottom: i32,
}

impl Box2 {
    /// The box around a point that reaches so far to both sides.
    pub(super) fn around((x, y): Point, half_width: i32, half_height: i32) -> Self {
        Self {
            left: x - half_width,
            top: y - half_height,
            right: x + half_width,
            bottom: y + half_height,
        }
    }

    pub(super) fn grown(self, by: i32) -> Self {
        Self {
            left: self.left - by,
            top: self.top - by,
            right: self.right + by,
            bottom: self.bottom + by,
        }
    }

    pub(super) fn center(self) -> Point {
        ((self.left + self.right) / 2, (self.top + self.bottom) / 2)
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    pub(super) fn holds(self, other: Self) -> bool {
        self.left <= other.left
            && self.top <= other.top
            && self.right >= other.right
            && self.bottom >= other.bottom
    }

    /// The point of the box that is nearest to another point.
    pub(super) fn nearest(self, (x, y): Point) -> Point {
        (
            x.clamp(self.left, self.right),
            y.clamp(self.top, self.bottom),
        )
    }

    /// The distance of two boxes; 0 where they overlap.
    pub(super) fn distance(self, other: Self) -> f64 {
        let x = (other.left - self.right).max(self.left - other.right);
        let y = (other.top - self.bottom).max(self.top - other.bottom);
        f64::from(x.max(0)).hypot(f64::from(y.max(0)))
    }

    /// Whether a line runs through the inside of the box.
    pub(super) fn is_crossed(self, ((x0, y0), (x1, y1)): (Point, Point)) -> bool {
        // The part of the line, from 0 to 1, that lies between both pairs of sides.
        let mut part = (0.0, 1.0);
        for (from, to, least, most) in [
            (x0, x1, self.left, self.right),
            (y0, y1, self.top, self.bottom),
        ] {
            if from == to {
                if from <= least || from >= most {
                    return false;
                }
                continue;
            }
            let at = |side: i32| f64::from(side - from) / f64::from(to - from);
            let (first, last) = (at(least).min(at(most)), at(least).max(at(most)));
            part = (f64::max(part.0, first), f64::min(part.1, last));
        }
        part.0 < part.1
    }
}

/// Whether two lines have a point in common that is inside both.
pub(super) fn cross(first: (Point, Point), second: (Point, Point)) -> bool {
    let side = |line: (Point, Point), point: Point| {
        let ((x0, y0), (x1, y1)) = line;
        let turn = i64::from(x1 - x0) * i64::from(point.1 - y0)
            - i64::from(y1 - y0) * i64::from(point.0 - x0);
        turn.signum()
    };
    side(first, second.0) * side(first, second.1) < 0
        && side(second, first.0) * side(second, first.1) < 0
}
