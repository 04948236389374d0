//! From values to pixels.

use crate::numbers::short;

/// Lines across that are not too many.
const MOST_TICKS: f64 = 8.0;
/// Values this many times as large as the smallest are told apart on a logarithmic scale alone.
const WIDE: f64 = 12.0;

/// Values along one side of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    /// Where the lowest and the highest value stand.
    pixels: (i32, i32),
    is_logarithmic: bool,
}

impl Scale {
    pub(super) fn linear((low, high): (f64, f64), pixels: (i32, i32)) -> Self {
        Self {
            low,
            high,
            pixels,
            is_logarithmic: false,
        }
    }

    /// Powers of ten at equal distances; the values are above 0.
    pub(super) fn logarithmic((low, high): (f64, f64), pixels: (i32, i32)) -> Self {
        Self {
            low,
            high,
            pixels,
            is_logarithmic: true,
        }
    }

    /// Where a value stands.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = match self.is_logarithmic {
            true => (value / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        };
        let (from, to) = self.pixels;
        f64::from(from) + share * f64::from(to - from)
    }

    /// The pixel nearest to where a value stands.
    pub(super) fn pixel(&self, value: f64) -> i32 {
        self.at(value).round() as i32
    }

    /// The values that are named, with their names.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        if !self.is_logarithmic {
            return self.even_ticks();
        }
        let decades = self.multiples(&[1]);
        let values = match decades.len() {
            0..3 => self.multiples(&[1, 2, 5]),
            _ => decades,
        };
        let values = match values.len() {
            0..3 => return self.even_ticks(),
            _ => values,
        };
        values
            .into_iter()
            .map(|value| (value, short(value)))
            .collect()
    }

    /// The values between them that are only marked.
    pub(super) fn small_ticks(&self) -> Vec<f64> {
        match self.is_logarithmic {
            true => self.multiples(&[1, 2, 3, 4, 5, 6, 7, 8, 9]),
            false => Vec::new(),
        }
    }

    /// Those of these multiples of powers of ten that are on the scale.
    fn multiples(&self, multiples: &[u32]) -> Vec<f64> {
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
        let powers = (first..=last).flat_map(|power| {
            // Parsed, so that each is the nearest number to what it is called.
            let parse = move |multiple: &u32| format!("{multiple}e{power}").parse::<f64>();
            multiples
                .iter()
                .filter_map(move |multiple| parse(multiple).ok())
        });
        powers
            .filter(|value| (self.low..=self.high).contains(value))
            .collect()
    }

    /// Multiples of 1, 2 or 5 times a power of ten.
    fn even_ticks(&self) -> Vec<(f64, String)> {
        let span = self.high - self.low;
        let power = (span / MOST_TICKS).log10().floor() as i32;
        let steps = [(1, power), (2, power), (5, power), (1, power + 1)];
        let size = |(multiple, power): (i32, i32)| f64::from(multiple) * 10f64.powi(power);
        let fits = |step: &(i32, i32)| span / size(*step) <= MOST_TICKS;
        let step = steps.into_iter().find(fits).unwrap_or((1, power + 1));
        let n_digits = (-step.1).max(0) as usize;
        let step = size(step);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        let tick = |index: i64| {
            let value = index as f64 * step;
            (value, format!("{value:.n_digits$}"))
        };
        (first..=last).map(tick).collect()
    }
}

/// Whether a logarithmic scale suits these values.
pub(super) fn are_wide(values: &[f64]) -> bool {
    let (low, high) = ends(values.iter().copied());
    low > 0.0 && high / low >= WIDE
}

/// Room for positive values on a logarithmic scale: at least so many powers of ten, and more at the sides.
pub(super) fn logarithmic_range(values: impl Iterator<Item = f64>, least: f64) -> (f64, f64) {
    let (low, high) = ends(values);
    let (low, high) = (low.log10(), high.log10());
    let missing = (least - (high - low)).max(0.0) / 2.0;
    let side = missing.max(0.06 * (high - low)).max(0.15 * least);
    (10f64.powf(low - side), 10f64.powf(high + side))
}

/// Room for values on a linear scale: `least` at least from end to end, and more at the sides, within `limits` but for half a
/// point.
pub(super) fn linear_range(
    values: impl Iterator<Item = f64>,
    least: f64,
    limits: (f64, f64),
) -> (f64, f64) {
    let (low, high) = ends(values);
    let missing = (least - (high - low)).max(0.0) / 2.0;
    let side = missing.max(0.08 * (high - low));
    let rim = 0.04 * (high - low + 2.0 * side);
    let excess = (high + side - limits.1 - rim).max(0.0);
    let lack = (limits.0 - rim - (low - side)).max(0.0);
    let bottom = (low - side - excess).max(limits.0 - rim);
    let top = (high + side + lack).min(limits.1 + rim);
    (bottom, top)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_are_equally_far_apart() {
        let range = logarithmic_range([0.01, 100.0].into_iter(), 1.0);
        let scale = Scale::logarithmic(range, (0, 1000));
        let steps = [0.01, 0.1, 1.0, 10.0].map(|value| scale.at(value));
        for pair in steps.windows(2) {
            let decade = steps[1] - steps[0];
            assert!(decade > 0.0 && (pair[1] - pair[0] - decade).abs() < 1e-9);
        }
        let names: Vec<String> = scale.ticks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["0.01", "0.1", "1", "10", "100"]);
    }

    #[test]
    fn ticks_are_round_numbers() {
        let names = |range| {
            let ticks = Scale::linear(range, (0, 100)).ticks().into_iter();
            ticks.map(|(_, name)| name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names((47.0, 84.0)), "50 55 60 65 70 75 80");
        assert_eq!(names((0.0, 300.0)), "0 50 100 150 200 250 300");
        assert_eq!(names((0.012, 0.034)), "0.015 0.020 0.025 0.030");
        assert_eq!(names((-0.2, 0.1)), "-0.20 -0.15 -0.10 -0.05 0.00 0.05 0.10");
        let narrow = Scale::logarithmic((23.0, 47.0), (0, 100)).ticks();
        assert!(narrow.len() > 1, "{narrow:?}");
    }

    #[test]
    fn a_range_has_room_at_its_sides_and_stays_within_its_limits() {
        let limits = (0.0, 100.0);
        let (low, high) = linear_range([40.0, 60.0].into_iter(), 10.0, limits);
        assert!(low < 40.0 && high > 60.0);
        let (low, high) = linear_range([100.0].into_iter(), 10.0, limits);
        assert!((99.9..101.0).contains(&high) && (high - low - 10.0).abs() < 1e-9);
        let (low, _) = linear_range([0.0, 1.0].into_iter(), 10.0, limits);
        assert!((-1.0..0.0).contains(&low));
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
}
