//! Numbers as people read them.

use std::ops::RangeInclusive;

use crate::statistics::Interval;

/// A whole number with commas between thousands.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number, or the least and the largest of several.
pub fn counts(numbers: &RangeInclusive<usize>) -> String {
    match numbers.start() == numbers.end() {
        true => count(*numbers.start()),
        false => format!("{} to {}", count(*numbers.start()), count(*numbers.end())),
    }
}

/// A number in short, to six digits.
pub fn short(number: f64) -> String {
    let rounded: f64 = format!("{number:.5e}").parse().unwrap_or(number);
    match rounded.abs() {
        0.0 => "0".into(),
        size if !(0.001..1e9).contains(&size) => format!("{rounded:e}"),
        size if size >= 1e6 => format!("{}M", rounded / 1e6),
        size if size >= 1e4 => format!("{}k", rounded / 1e3),
        _ => rounded.to_string(),
    }
}

/// A share in percent.
pub fn percent(percent: f64) -> String {
    match percent {
        100.0 => "100".into(),
        percent if percent < 0.1 => format!("{percent:.4}"),
        percent => format!("{percent:.2}"),
    }
}

/// A number of bytes.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    match unit {
        "B" => format!("{bytes} B"),
        unit if size < 10.0 => format!("{size:.1} {unit}"),
        unit => format!("{size:.0} {unit}"),
    }
}

/// A large number of three digits with the prefix of its unit, such as `1.08 G`.
pub fn scaled(number: f64) -> String {
    const PREFIXES: [&str; 5] = [" k", " M", " G", " T", " P"];
    let (mut size, mut prefix) = (number, "");
    for next in PREFIXES {
        if size < 999.5 {
            break;
        }
        size /= 1000.0;
        prefix = next;
    }
    match size {
        size if prefix.is_empty() || size >= 99.95 => format!("{size:.0}{prefix}"),
        size if size >= 9.995 => format!("{size:.1}{prefix}"),
        size => format!("{size:.2}{prefix}"),
    }
}

/// A duration.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 0.9995 => format!("{:.0} ms", seconds * 1000.0),
        seconds if seconds < 99.5 => format!("{seconds:.2} s"),
        seconds => format!("{:.1} min", seconds / 60.0),
    }
}

/// A value with its interval; the value alone where it is exact.
pub fn interval(interval: Interval) -> String {
    interval_to(interval, 3)
}

/// The same with so many digits behind the point.
pub fn interval_to(interval: Interval, digits: usize) -> String {
    let Interval { value, low, high } = interval;
    match low == high {
        true => format!("{value:.digits$}"),
        false => format!("{value:.digits$} [{low:.digits$}, {high:.digits$}]"),
    }
}

/// A difference with its interval.
pub fn difference(interval: Interval) -> String {
    let Interval { value, low, high } = interval;
    format!("{value:+.3} [{low:+.3}, {high:+.3}]")
}

/// The p value of a test.
pub fn probability(p_value: f64) -> String {
    match p_value {
        p_value if p_value < 0.001 => format!("{p_value:.1e}"),
        p_value => format!("{p_value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(999), "999");
        assert_eq!(count(134_515_008), "134,515,008");
        assert_eq!(counts(&(300..=300)), "300");
        assert_eq!(counts(&(85..=1_300)), "85 to 1,300");
        assert_eq!(short(20_000.0), "20k");
        assert_eq!(short(0.1 + 0.2), "0.3");
        assert_eq!(short(3e-4), "3e-4");
        assert_eq!(short(-0.0), "0");
        assert_eq!(percent(100.0), "100");
        assert_eq!(percent(0.34), "0.34");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(6 << 20), "6.0 MiB");
        assert_eq!(scaled(12.0), "12");
        assert_eq!(scaled(1.076e9), "1.08 G");
        assert_eq!(scaled(999_600.0), "1.00 M");
        assert_eq!(scaled(80e12), "80.0 T");
        assert_eq!(scaled(250e12), "250 T");
        assert_eq!(seconds(0.9996), "1.00 s");
        assert_eq!(seconds(600.0), "10.0 min");
        assert_eq!(probability(0.000_04), "4.0e-5");
    }
}
