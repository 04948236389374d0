//! The table as text.

use super::{Row, Table};
use crate::statistics::Interval;

/// What stands where there is nothing to say.
const NOTHING: &str = "-";

/// A column: whether a table has it, its title, its cells.
struct Column {
    title: &'static str,
    is_number: bool,
    cell: fn(&Row) -> Option<String>,
}

const COLUMNS: &[Column] = &[
    Column {
        title: "method",
        is_number: false,
        cell: |row| Some(row.label.clone()),
    },
    Column {
        title: "trained parameters",
        is_number: true,
        cell: |row| row.trained.filter(|trained| *trained > 0).map(count),
    },
    Column {
        title: "%",
        is_number: true,
        cell: |row| row.percent.filter(|percent| *percent > 0.0).map(percent),
    },
    Column {
        title: "file size",
        is_number: true,
        cell: |row| row.adapter_bytes.map(bytes),
    },
    Column {
        title: "time/step",
        is_number: true,
        cell: |row| row.step_seconds.map(seconds),
    },
    Column {
        title: "peak memory",
        is_number: true,
        cell: |row| row.peak_memory_bytes.map(bytes),
    },
    Column {
        title: "test accuracy",
        is_number: true,
        cell: |row| row.accuracy.map(interval),
    },
    Column {
        title: "std over seeds",
        is_number: true,
        cell: |row| row.deviation.map(|deviation| format!("{deviation:.3}")),
    },
    Column {
        title: "whole test set",
        is_number: true,
        cell: |row| row.whole_accuracy.map(interval),
    },
    Column {
        title: "test loss",
        is_number: true,
        cell: |row| row.loss.map(|loss| format!("{loss:.4}")),
    },
];

impl Table {
    /// The columns that this table has anything to put in.
    fn columns(&self) -> impl Iterator<Item = &'static Column> {
        COLUMNS
            .iter()
            .filter(|column| self.rows.iter().any(|row| (column.cell)(row).is_some()))
    }

    /// The titles of the columns, and whether each holds numbers.
    pub fn titles(&self) -> Vec<(&'static str, bool)> {
        self.columns()
            .map(|column| (column.title, column.is_number))
            .collect()
    }

    /// The cells of each row.
    pub fn cells(&self) -> Vec<Vec<String>> {
        let row = |row: &Row| {
            let cells = self.columns().map(|column| (column.cell)(row));
            cells.map(|cell| cell.unwrap_or(NOTHING.into())).collect()
        };
        self.rows.iter().map(row).collect()
    }

    /// What the numbers mean and how methods compare pair by pair, one line each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let share = 100.0 * self.confidence;
        match self.n_examples.as_slice() {
            [] => {}
            [n_test] => notes.push(format!(
                "Test accuracy on {} examples, with the {share}% bootstrap interval over them.",
                count(*n_test)
            )),
            [n_test, n_whole, ..] => notes.push(format!(
                "Test accuracy on {} examples drawn from the test set, and on all {}, with the {share}% bootstrap \
                 interval over them.",
                count(*n_test),
                count(*n_whole)
            )),
        }
        for pair in &self.pairs {
            let comparison = &pair.comparison;
            notes.push(format!(
                "{} against {}: {} in accuracy; right by the first alone {}, by the second alone {} (McNemar p = {}).",
                pair.first,
                pair.second,
                signed(comparison.difference),
                comparison.first_only,
                comparison.second_only,
                probability(comparison.p_value),
            ));
        }
        notes
    }

    /// The table and its notes as Markdown.
    pub fn to_markdown(&self) -> String {
        let titles = self.titles();
        let mut lines = Vec::new();
        let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
        let escape = |cell: &String| cell.replace('|', "\\|");
        lines.push(line(
            titles.iter().map(|(title, _)| (*title).into()).collect(),
        ));
        let rule = |(_, is_number): &(&str, bool)| if *is_number { "---:" } else { "---" }.into();
        lines.push(line(titles.iter().map(rule).collect()));
        for row in self.cells() {
            lines.push(line(row.iter().map(escape).collect()));
        }
        let mut text = lines.join("\n") + "\n";
        for note in self.notes() {
            text += &format!("\n{note}\n");
        }
        text
    }

    /// The numbers of the table as comma-separated values, not rounded.
    pub fn to_csv(&self) -> String {
        let header = [
            "method",
            "trained_parameters",
            "percent",
            "adapter_bytes",
            "step_seconds",
            "peak_memory_bytes",
            "accuracy",
            "accuracy_low",
            "accuracy_high",
            "accuracy_std_over_seeds",
            "whole_accuracy",
            "whole_accuracy_low",
            "whole_accuracy_high",
            "test_loss",
            "seeds",
        ];
        let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        let whole = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
        let ends = |interval: Option<Interval>| {
            let ends: [fn(Interval) -> f64; 3] = [|it| it.value, |it| it.low, |it| it.high];
            ends.map(|end| number(interval.map(end)))
        };
        let mut text = header.join(",") + "\n";
        for row in &self.rows {
            let seeds: Vec<String> = row.seeds.iter().map(u64::to_string).collect();
            let mut cells = vec![
                quoted(&row.label),
                whole(row.trained.map(|trained| trained as u64)),
                number(row.percent),
                whole(row.adapter_bytes),
                number(row.step_seconds),
                whole(row.peak_memory_bytes),
            ];
            cells.extend(ends(row.accuracy));
            cells.push(number(row.deviation));
            cells.extend(ends(row.whole_accuracy));
            cells.push(number(row.loss));
            cells.push(seeds.join(" "));
            text += &(cells.join(",") + "\n");
        }
        text
    }
}

/// A text as a field of comma-separated values.
pub(crate) fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// A whole number with commas between thousands.
pub(crate) fn count(number: usize) -> String {
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

fn percent(percent: f64) -> String {
    match percent {
        100.0 => "100".into(),
        percent if percent < 0.1 => format!("{percent:.4}"),
        percent => format!("{percent:.2}"),
    }
}

/// A size in the unit that suits it.
pub(crate) fn bytes(bytes: u64) -> String {
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

fn seconds(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 0.9995 => format!("{:.0} ms", seconds * 1000.0),
        seconds => format!("{seconds:.2} s"),
    }
}

fn interval(interval: Interval) -> String {
    let Interval { value, low, high } = interval;
    match low == high {
        true => format!("{value:.3}"),
        false => format!("{value:.3} [{low:.3}, {high:.3}]"),
    }
}

fn signed(interval: Interval) -> String {
    let Interval { value, low, high } = interval;
    format!("{value:+.3} [{low:+.3}, {high:+.3}]")
}

fn probability(p_value: f64) -> String {
    match p_value {
        p_value if p_value < 0.001 => format!("{p_value:.1e}"),
        p_value => format!("{p_value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{statistics::PairedComparison, table::Pair};

    fn table() -> Table {
        let interval = |value, low, high| Some(Interval { value, low, high });
        Table {
            rows: vec![
                Row {
                    label: "majority".into(),
                    accuracy: interval(0.5, 0.5, 0.5),
                    ..Row::default()
                },
                Row {
                    label: "prompt, \"soft\"".into(),
                    trained: Some(11_520),
                    percent: Some(0.008_563_2),
                    adapter_bytes: Some(46_500),
                    step_seconds: Some(0.25),
                    peak_memory_bytes: Some(1_500_000_000),
                    accuracy: interval(0.7, 0.651, 0.75),
                    loss: Some(0.61),
                    seeds: vec![1, 2],
                    ..Row::default()
                },
            ],
            pairs: vec![Pair {
                first: "a".into(),
                second: "b".into(),
                comparison: PairedComparison {
                    difference: Interval {
                        value: -0.04,
                        low: -0.08,
                        high: 0.0,
                    },
                    first_only: 3,
                    second_only: 15,
                    p_value: 0.0075,
                },
            }],
            confidence: 0.95,
            n_examples: vec![300],
        }
    }

    #[test]
    fn markdown_has_the_columns_that_say_something() {
        assert_eq!(
            table().to_markdown(),
            "| method | trained parameters | % | file size | time/step | peak memory | test accuracy | test loss |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n\
             | majority | - | - | - | - | - | 0.500 | - |\n\
             | prompt, \"soft\" | 11,520 | 0.0086 | 45 KiB | 250 ms | 1.4 GiB | 0.700 [0.651, 0.750] | 0.6100 |\n\
             \n\
             Test accuracy on 300 examples, with the 95% bootstrap interval over them.\n\
             \n\
             a against b: -0.040 [-0.080, +0.000] in accuracy; right by the first alone 3, by the second alone 15 (McNemar p = 0.007).\n"
        );
    }

    #[test]
    fn csv_is_quoted_and_not_rounded() {
        let csv = table().to_csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[2],
            "\"prompt, \"\"soft\"\"\",11520,0.0085632,46500,0.25,1500000000,0.7,0.651,0.75,,,,,0.61,1 2"
        );
        let columns = csv::Reader::from_reader(csv.as_bytes())
            .into_records()
            .map(|record| record.expect("CSV").len());
        assert!(columns.into_iter().all(|columns| columns == 15));
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(999), "999");
        assert_eq!(count(134_515_008), "134,515,008");
        assert_eq!(percent(100.0), "100");
        assert_eq!(percent(0.34), "0.34");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(6 << 20), "6.0 MiB");
        assert_eq!(seconds(0.9996), "1.00 s");
        assert_eq!(probability(0.000_04), "4.0e-5");
    }
}
