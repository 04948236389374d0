//! From shares and accuracies to pixels.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{Cartesian2d, CoordTranslate, IntoLogRange, LogCoord};

use super::{Reached, geometry::Box2};

/// The least that the axis of accuracies covers, in points of a percent.
const LEAST_SPAN: f64 = 10.0;
/// Lines across that are not too many.
const MOST_LINES: f64 = 8.0;

/// Both axes.
pub(super) struct Scales {
    pub(super) frame: Box2,
    plane: Cartesian2d<LogCoord<f64>, RangedCoordf64>,
}

impl Scales {
    /// Axes that have room for all methods and baselines.
    pub(super) fn new(methods: &[Reached], baselines: &[Reached], frame: Box2) -> Self {
        let shares = || methods.iter().map(|method| method.percent.log10());
        let (least, most) = ends(shares());
        // At least a factor of ten, and room for a bar and a name at the sides.
        let missing = (1.0 - (most - least)).max(0.0) / 2.0;
        let side = missing.max(0.06 * (most - least)).max(0.15);
        let x = 10f64.powf(least - side)..10f64.powf(most + side);

        let values = methods.iter().chain(baselines.iter());
        let (low, high) = ends(values.flat_map(|row| {
            let Reached { accuracy, .. } = row;
            [accuracy.low, accuracy.value, accuracy.high]
        }));
        let missing = (LEAST_SPAN - (high - low)).max(0.0) / 2.0;
        let side = missing.max(0.08 * (high - low));
        // Beyond 0 and 100 there is only room for half a point.
        let rim = 0.04 * (high - low + 2.0 * side);
        let excess = (high + side - 100.0 - rim).max(0.0);
        let lack = (side - low - rim).max(0.0);
        let bottom = (low - side - excess).max(-rim);
        let top = (high + side + lack).min(100.0 + rim);

        let pixels = (frame.left..frame.right, frame.bottom..frame.top);
        Self {
            frame,
            plane: Cartesian2d::new(x.log_scale(), bottom..top, pixels),
        }
    }

    /// The column of a share in percent.
    pub(super) fn x(&self, share: f64) -> i32 {
        self.plane
            .translate(&(share, self.plane.get_y_range().start))
            .0
    }

    /// The row of an accuracy in percent.
    pub(super) fn y(&self, accuracy: f64) -> i32 {
        self.plane
            .translate(&(self.plane.get_x_range().start, accuracy))
            .1
    }

    /// The shares that are named, with their names.
    pub(super) fn x_ticks(&self) -> Vec<(f64, String)> {
        let decades = self.x_values(&[1]);
        let values = match decades.len() {
            0..3 => self.x_values(&[1, 2, 5]),
            _ => decades,
        };
        let name = |value: f64| match value < 0.001 {
            true => format!("{value:e}"),
            false => value.to_string(),
        };
        values
            .into_iter()
            .map(|value| (value, name(value)))
            .collect()
    }

    /// The shares between them that are only marked.
    pub(super) fn x_small_ticks(&self) -> Vec<f64> {
        self.x_values(&[1, 2, 3, 4, 5, 6, 7, 8, 9])
    }

    /// Those of these multiples of powers of ten that are on the axis.
    fn x_values(&self, multiples: &[u32]) -> Vec<f64> {
        let range = self.plane.get_x_range();
        let first = range.start.log10().floor() as i32;
        let last = range.end.log10().ceil() as i32;
        let powers = (first..=last).flat_map(|power| {
            let parse = move |multiple: &u32| format!("{multiple}e{power}").parse::<f64>();
            multiples
                .iter()
                .filter_map(move |multiple| parse(multiple).ok())
        });
        // There is no share above all.
        let is_shown = |value: &f64| range.contains(value) && *value <= 100.0;
        powers.filter(is_shown).collect()
    }

    /// The accuracies that are named.
    pub(super) fn y_ticks(&self) -> Vec<i32> {
        let range = self.plane.get_y_range();
        let span = range.end - range.start;
        let steps = [1, 2, 5, 10, 20];
        let step = steps
            .into_iter()
            .find(|step| span / f64::from(*step) <= MOST_LINES)
            .unwrap_or(25);
        let is_shown = |value: &i32| range.contains(&f64::from(*value));
        (0..=100).step_by(step as usize).filter(is_shown).collect()
    }
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

/// Moves values as little as possible (in the sum of squares) so that any two are `gap` apart and all within `range`;
/// where there is no room for that, they are as far apart as the range allows. Equal values keep their order.
pub(super) fn spread(wanted: &[i32], gap: i32, range: (i32, i32)) -> Vec<i32> {
    let most = (range.1 - range.0) / (wanted.len() as i32 - 1).max(1);
    let gap = gap.min(most);
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|index| wanted[*index]);
    // Without their gaps, the values only have to keep their order: neighbors that do not are pooled at their mean.
    let mut pools: Vec<(f64, i32)> = Vec::new();
    for (place, index) in order.iter().enumerate() {
        let mut pool = (f64::from(wanted[*index] - gap * place as i32), 1);
        while let Some(before) = pools.pop_if(|before| before.0 > pool.0) {
            let (sum, size) = (
                before.0 * f64::from(before.1) + pool.0 * f64::from(pool.1),
                before.1 + pool.1,
            );
            pool = (sum / f64::from(size), size);
        }
        pools.push(pool);
    }
    let values = pools
        .into_iter()
        .flat_map(|(value, size)| std::iter::repeat_n(value.round() as i32, size as usize));
    let last = range.1 - gap * (wanted.len() as i32 - 1);
    let mut found = vec![0; wanted.len()];
    for (place, value) in values.enumerate() {
        found[order[place]] = value.clamp(range.0, last.max(range.0)) + gap * place as i32;
    }
    found
}
