//! What methods cost, as text.

use super::{Row, Table};
use crate::{
    numbers::{bytes, count, scaled, seconds},
    text_table::{Column, TextTable},
};

const COLUMNS: &[Column<Row>] = &[
    Column {
        title: "method",
        is_number: false,
        cell: |row| Some(row.label.clone()),
    },
    Column {
        title: "trained parameters",
        is_number: true,
        cell: |row| row.trained.map(count),
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
        title: "tokens/s",
        is_number: true,
        cell: |row| {
            row.tokens_per_second
                .map(|tokens| count(tokens.round() as usize))
        },
    },
    Column {
        title: "operations/token",
        is_number: true,
        cell: |row| row.operations_per_token.map(scaled),
    },
    Column {
        title: "% of peak",
        is_number: true,
        cell: |row| row.peak_share.map(|share| format!("{:.0}", 100.0 * share)),
    },
    Column {
        title: "peak memory",
        is_number: true,
        cell: |row| row.peak_memory_bytes.map(bytes),
    },
    Column {
        title: "latency ratio",
        is_number: true,
        cell: |row| row.latency_ratio.map(|ratio| format!("{ratio:.2}")),
    },
    Column {
        title: "extra KV",
        is_number: true,
        cell: |row| match row.extra_kv_bytes? {
            0 => Some("0".into()),
            extra => Some(bytes(extra)),
        },
    },
];

impl Row {
    /// Whether it says of any training what it cost.
    fn has_costs(&self) -> bool {
        self.step_seconds.is_some()
    }
}

impl Table {
    /// What the methods cost that are trained here; nothing where none is.
    pub fn costs(&self) -> Option<TextTable> {
        let rows = self.rows.iter().filter(|row| row.has_costs());
        let is_empty = rows.clone().next().is_none();
        (!is_empty).then(|| TextTable::of_rows(COLUMNS, rows, self.notes_on_costs()))
    }

    /// What the numbers mean, one line each.
    fn notes_on_costs(&self) -> Vec<String> {
        let mut notes = vec![
            "Steps alone: loading, evaluation and checkpoints are not part of their time. Tokens are those of the texts; \
             inserted vectors and padding are not counted."
                .to_owned(),
        ];
        let has = |value: fn(&Row) -> bool| self.rows.iter().any(value);
        if has(|row| row.operations_per_token.is_some()) {
            let mut note =
                "Operations of training by formula, a multiplication and an addition being two"
                    .to_owned();
            if has(|row| row.peak_share.is_some()) {
                note += "; % of peak: those in a second of the steps, in parts of what the device reaches in products of \
                         square matrices";
                note += &self.peaks();
            }
            notes.push(note + ".");
        }
        if has(|row| row.latency_ratio.is_some()) {
            notes.push(
                "Latency ratio: the median time of a single test example with the adapter, not merged, in parts of that \
                 of the base alone."
                    .to_owned(),
            );
        }
        if has(|row| row.extra_kv_bytes.is_some()) {
            notes.push(
                "Extra KV: keys and values that the adapter adds to what a request holds in memory."
                    .to_owned(),
            );
        }
        notes
    }

    /// The peaks of the devices.
    fn peaks(&self) -> String {
        let peaks = self
            .rows
            .iter()
            .filter_map(|row| row.peak_operations_per_second);
        let low = peaks.clone().min_by(f64::total_cmp);
        let high = peaks.max_by(f64::total_cmp);
        match (low.map(scaled), high.map(scaled)) {
            (Some(low), Some(high)) if low == high => format!(", {low} a second"),
            (Some(low), Some(high)) => format!(", {low} to {high} a second"),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_those_of_the_methods_that_are_trained() {
        let table = |rows| Table {
            rows,
            comparisons: Vec::new(),
            confidence: 0.95,
            n_examples: Vec::new(),
        };
        let untuned = Row {
            label: "untuned".into(),
            trained: Some(0),
            ..Row::default()
        };
        assert_eq!(table(vec![untuned.clone()]).costs(), None);
        let prompt = Row {
            label: "soft prompt".into(),
            trained: Some(11_520),
            adapter_bytes: Some(46_080),
            step_seconds: Some(0.25),
            tokens_per_second: Some(1234.5),
            operations_per_token: Some(1.076e9),
            peak_share: Some(0.415),
            peak_operations_per_second: Some(80e9),
            latency_ratio: Some(1.0625),
            extra_kv_bytes: Some(460_800),
            ..Row::default()
        };
        let lora = Row {
            label: "LoRA".into(),
            trained: Some(460_800),
            step_seconds: Some(0.2),
            extra_kv_bytes: Some(0),
            ..Row::default()
        };
        let costs = table(vec![untuned, prompt, lora]).costs();
        let costs = costs.expect("two methods are trained");
        let titles: Vec<&str> = costs.titles.iter().map(|(title, _)| *title).collect();
        assert_eq!(
            titles.join(", "),
            "method, trained parameters, file size, time/step, tokens/s, operations/token, % of peak, latency ratio, extra KV"
        );
        assert_eq!(
            costs.cells,
            [
                [
                    "soft prompt",
                    "11,520",
                    "45 KiB",
                    "250 ms",
                    "1,235",
                    "1.08 G",
                    "42",
                    "1.06",
                    "450 KiB"
                ],
                ["LoRA", "460,800", "-", "200 ms", "-", "-", "-", "-", "0"],
            ]
        );
        assert!(
            costs.notes[1].ends_with("products of square matrices, 80.0 G a second."),
            "{}",
            costs.notes[1]
        );
    }
}
