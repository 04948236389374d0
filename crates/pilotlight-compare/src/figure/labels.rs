//! Where the names of points stand: beside them, and on nothing else.

use super::{
    geometry::{Box2, Point, cross},
    text::Anchor,
};

/// Half the width of the ends of a bar.
pub(super) const CAP: i32 = 5;
/// Half the size of a point.
const POINT: i32 = 7;
/// Half the height of a name.
const HALF_HEIGHT: i32 = 8;
/// What is kept free around a name, and between two of them.
const CLEARANCE: i32 = 3;
const NAMES_APART: i32 = 2;
/// The distance of a name from its point where nothing is in the way.
const NEAR: i32 = 5;
/// How finely places are tried.
const STEP: usize = 4;
/// A name this near to another's point, or this far from its own, is tied to its own by a line.
const DOUBTFUL: f64 = 14.0;
const FAR: f64 = 9.0;
/// What it costs, in pixels of distance, that a line crosses a point, a bar or another line.
const CROSSING: f64 = 40.0;
/// What it costs that a line crosses a baseline.
const BASELINE_CROSSING: f64 = 6.0;
/// What it costs to stand so near to another point that a line is needed.
const DOUBT: f64 = 8.0;
/// From this cost on a name is better off outside of the frame.
const NO_PLACE: f64 = 100.0;
/// Orders in which names are tried, at most.
const MOST_ORDERS: usize = 8;

/// A point and its bar, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) top: i32,
    pub(super) bottom: i32,
}

impl Mark {
    /// A point without a bar.
    pub(super) fn point(x: i32, y: i32) -> Self {
        Self {
            x,
            y,
            top: y,
            bottom: y,
        }
    }

    /// What it covers: the point, the bar and the bar's ends.
    fn boxes(&self) -> [Box2; 4] {
        let Self { x, y, top, bottom } = *self;
        let bar = Box2 {
            left: x - 1,
            top,
            right: x + 1,
            bottom,
        };
        let end = |y| Box2::around((x, y), CAP, 1);
        [
            Box2::around((x, y), POINT, POINT),
            bar,
            end(top),
            end(bottom),
        ]
    }

    fn distance(&self, other: Box2) -> f64 {
        let distances = self.boxes().map(|own| own.distance(other));
        distances.into_iter().fold(f64::INFINITY, f64::min)
    }

    /// The line from a name to the nearest part of this.
    fn leader(&self, name: Box2) -> (Point, Point) {
        let [point, bar, ..] = self.boxes();
        let nearest = match point.distance(name) <= bar.distance(name) {
            true => point,
            false => bar,
        };
        let own = nearest.nearest(name.center());
        (name.grown(NAMES_APART).nearest(own), own)
    }
}

/// Where a name stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) text: Box2,
    /// Which end of it is next to its point.
    pub(super) anchor: Anchor,
    /// The line that ties it to its point, where that is not plain.
    pub(super) leader: Option<(Point, Point)>,
}

/// Finds a place inside the frame for the name of each point, off all points, bars, baselines and other names.
/// `None` where there is no room that is near enough.
pub(super) fn place(
    marks: &[Mark],
    widths: &[i32],
    baselines: &[i32],
    frame: Box2,
) -> Vec<Option<Place>> {
    let room = Room {
        marks,
        frame,
        baselines: baselines
            .iter()
            .map(|y| Box2 {
                left: frame.left,
                top: y - 1,
                right: frame.right,
                bottom: y + 1,
            })
            .collect(),
    };
    // Whoever comes first has the best place: several turns are tried.
    let n_marks = marks.len();
    let orders = (0..n_marks.min(MOST_ORDERS)).map(|first| {
        let mut placed: Vec<Option<Place>> = vec![None; n_marks];
        let mut cost = 0.0;
        for turn in 0..n_marks {
            let index = (first + turn) % n_marks;
            let best = room.best(index, widths[index], &placed);
            cost += best.map_or(NO_PLACE, |(_, cost)| cost);
            placed[index] = best.map(|(place, _)| place);
        }
        (cost, placed)
    });
    let best = orders.min_by(|first, second| first.0.total_cmp(&second.0));
    best.map(|(_, placed)| placed).unwrap_or_default()
}

struct Room<'a> {
    marks: &'a [Mark],
    baselines: Vec<Box2>,
    frame: Box2,
}

impl Room<'_> {
    /// The place of the least cost, beside those that are taken.
    fn best(&self, index: usize, width: i32, placed: &[Option<Place>]) -> Option<(Place, f64)> {
        let mut best: Option<(Place, f64)> = None;
        let mut consider = |text: Box2| {
            let bound = best.map_or(NO_PLACE, |(_, cost)| cost);
            if let Some(found) = self.judged(index, text, placed, bound) {
                best = Some(found);
            }
        };
        for text in self.beside(&self.marks[index], width) {
            consider(text);
        }
        let inside = self.frame.grown(-CLEARANCE);
        let height = 2 * HALF_HEIGHT;
        for top in (inside.top..=inside.bottom - height).step_by(STEP) {
            for left in (inside.left..=inside.right - width).step_by(STEP) {
                consider(Box2 {
                    left,
                    top,
                    right: left + width,
                    bottom: top + height,
                });
            }
        }
        best
    }

    /// The places that look best: right, left, above, below.
    fn beside(&self, mark: &Mark, width: i32) -> [Box2; 4] {
        let Mark { x, y, top, bottom } = *mark;
        let sideways = POINT + NEAR;
        let from = |left: i32, middle: i32| Box2 {
            left,
            top: middle - HALF_HEIGHT,
            right: left + width,
            bottom: middle + HALF_HEIGHT,
        };
        let above = top.min(y - POINT) - CLEARANCE - 1 - HALF_HEIGHT;
        let below = bottom.max(y + POINT) + CLEARANCE + 1 + HALF_HEIGHT;
        [
            from(x + sideways, y),
            from(x - sideways - width, y),
            from(x - width / 2, above),
            from(x - width / 2, below),
        ]
    }

    /// The place and its cost, if it is free and below the bound.
    fn judged(
        &self,
        index: usize,
        text: Box2,
        placed: &[Option<Place>],
        bound: f64,
    ) -> Option<(Place, f64)> {
        let own = &self.marks[index];
        let distance = own.distance(text);
        let off_level = f64::from((text.center().1 - own.y).abs());
        let mut cost = distance + 0.2 * off_level;
        if cost >= bound {
            return None;
        }
        let wide = text.grown(CLEARANCE);
        let is_free = self.frame.holds(wide)
            && !self.baselines.iter().any(|line| line.overlaps(wide))
            && !self
                .marks
                .iter()
                .any(|mark| mark.boxes().iter().any(|part| part.overlaps(wide)));
        let others = || placed.iter().flatten();
        let is_taken = || {
            others().any(|other| {
                let is_crossed = other.leader.is_some_and(|line| wide.is_crossed(line));
                other.text.overlaps(text.grown(NAMES_APART)) || is_crossed
            })
        };
        if !is_free || is_taken() {
            return None;
        }
        let rest = || {
            let marks = self.marks.iter().enumerate();
            marks.filter_map(|(other, mark)| (other != index).then_some(mark))
        };
        let is_doubtful = rest().any(|mark| mark.distance(text) < DOUBTFUL);
        if is_doubtful {
            cost += DOUBT;
        }
        let leader = (is_doubtful || distance > FAR).then(|| own.leader(text));
        if let Some(line) = leader {
            if others().any(|other| other.text.grown(1).is_crossed(line)) {
                return None;
            }
            let parts = rest().flat_map(|mark| mark.boxes());
            let n_crossed = parts.filter(|part| part.is_crossed(line)).count()
                + others()
                    .filter(|other| other.leader.is_some_and(|other| cross(other, line)))
                    .count();
            let lines = self.baselines.iter().filter(|it| it.is_crossed(line));
            cost += CROSSING * n_crossed as f64 + BASELINE_CROSSING * lines.count() as f64;
        }
        let anchor = match own.x {
            x if x <= text.left => Anchor::Start,
            x if x >= text.right => Anchor::End,
            _ => Anchor::Middle,
        };
        let place = Place {
            text,
            anchor,
            leader,
        };
        (cost < bound).then_some((place, cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_on_the_line_of_another() {
        let marks = [Mark::point(20, 20), Mark::point(150, 50)];
        let room = Room {
            marks: &marks,
            baselines: Vec::new(),
            frame: Box2::around((100, 100), 100, 100),
        };
        let text = Box2::around((150, 150), 20, HALF_HEIGHT);
        let mut taken = Place {
            text,
            anchor: Anchor::Start,
            leader: None,
        };
        let wanted = Box2::around((150, 90), 20, HALF_HEIGHT);
        let is_free = |taken| {
            let found = room.judged(1, wanted, &[Some(taken), None], NO_PLACE);
            found.is_some_and(|(place, _)| place.leader.is_some())
        };
        assert!(is_free(taken));
        taken.leader = Some(((160, 142), (160, 20)));
        assert!(!is_free(taken));
        // Nor is it tied to its point by a line that runs through another name.
        taken.leader = None;
        taken.text = Box2::around((150, 70), 20, 5);
        assert!(!is_free(taken));
    }
}
