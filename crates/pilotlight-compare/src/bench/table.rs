//! The results to be read: a table, comma-separated values, and the table of a comparison.

use super::{
    document::{BenchDocument, BenchRow, Outcome},
    methods::BenchMethod,
    ratios::{Compared, Ratios},
    settings::Settings,
    summary::Summary,
};
use crate::{
    delimited::to_csv,
    numbers::{bytes, count},
    statistics::Interval,
    text_table::{Column, TextTable},
};

/// The settings, whose columns are left out where all rows have the same.
const SETTINGS: &[Column<Settings>] = &[
    Column {
        title: "model",
        is_number: false,
        cell: |settings| Some(settings.model.clone()),
    },
    Column {
        title: "batch",
        is_number: true,
        cell: |settings| Some(settings.batch.to_string()),
    },
    Column {
        title: "tokens",
        is_number: true,
        cell: |settings| Some(settings.tokens.to_string()),
    },
    Column {
        title: "prompt",
        is_number: true,
        cell: |settings| (settings.prompt_length > 0).then(|| settings.prompt_length.to_string()),
    },
    Column {
        title: "type",
        is_number: false,
        cell: |settings| Some(settings.dtype.to_string()),
    },
];

const RESULTS: &[Column<Summary>] = &[
    Column {
        title: "trained",
        is_number: true,
        cell: |summary| Some(count(summary.trained_parameters)),
    },
    Column {
        title: "time/step",
        is_number: true,
        cell: |summary| Some(duration(summary.p50)),
    },
    Column {
        title: "p10 - p90",
        is_number: true,
        cell: |summary| {
            Some(format!(
                "{} - {}",
                duration(summary.p10),
                duration(summary.p90)
            ))
        },
    },
    Column {
        title: "tokens/s",
        is_number: true,
        cell: |summary| Some(count(summary.tokens_per_second.round() as usize)),
    },
    Column {
        title: "memory",
        is_number: true,
        cell: |summary| summary.memory_bytes.map(bytes),
    },
    Column {
        title: "start-up",
        is_number: true,
        cell: |summary| Some(duration(summary.start_up_seconds)),
    },
    Column {
        title: "compile",
        is_number: true,
        cell: |summary| summary.compile_seconds.map(duration),
    },
    Column {
        title: "of peak",
        is_number: true,
        cell: |summary| {
            summary
                .peak_share
                .map(|share| format!("{:.0} %", 100.0 * share))
        },
    },
];

const RATIOS: &[Column<Compared>] = &[
    Column {
        title: "first",
        is_number: true,
        cell: |row| Some(duration(row.first_seconds)),
    },
    Column {
        title: "second",
        is_number: true,
        cell: |row| Some(duration(row.second_seconds)),
    },
    Column {
        title: "time ratio",
        is_number: true,
        cell: |row| Some(ratio(row.step_time)),
    },
    Column {
        title: "tokens/s ratio",
        is_number: true,
        cell: |row| Some(ratio(row.tokens_per_second)),
    },
    Column {
        title: "memory ratio",
        is_number: true,
        cell: |row| row.memory.map(|ratio| format!("{ratio:.2}")),
    },
    Column {
        title: "",
        is_number: false,
        cell: |row| {
            Some(match row.is_within_noise {
                true => "within noise".into(),
                false => String::new(),
            })
        },
    },
];

impl BenchDocument {
    /// The results as a table.
    pub fn table(&self) -> TextTable {
        let settings: Vec<&Settings> = self.rows.iter().map(|row| &row.settings).collect();
        let summaries: Vec<Option<Summary>> = self.rows.iter().map(BenchRow::summary).collect();
        let mut table = TextTable::of_settings(&settings);
        table.add(RESULTS, summaries.iter().map(Option::as_ref));
        let failures = self.rows.iter().filter_map(|row| match &row.outcome {
            Outcome::Failed(why) => Some(format!(
                "{} on {} failed: {why}",
                row.settings.method, row.settings.device
            )),
            Outcome::Measured(_) => None,
        });
        table.notes.extend(failures);
        table
    }

    /// All numbers as comma-separated values, not rounded.
    pub fn to_csv(&self) -> String {
        const HEADER: &str = "device,method,model,batch,tokens,prompt_length,dtype,trained_parameters,\
                              total_parameters,steps,p10_seconds,p50_seconds,p90_seconds,tokens_per_second,\
                              peak_memory_bytes,device_memory_bytes,start_up_seconds,compile_seconds,\
                              step_operations,peak_operations_per_second,peak_share,failure,hardware";
        let header: Vec<String> = HEADER.split(',').map(str::to_owned).collect();
        let n_columns = header.len();
        let rows = self.rows.iter().map(|row| {
            let settings = &row.settings;
            let mut cells = vec![
                settings.device.clone(),
                settings.method.clone(),
                settings.model.clone(),
                settings.batch.to_string(),
                settings.tokens.to_string(),
                settings.prompt_length.to_string(),
                settings.dtype.to_string(),
            ];
            if let (Some(measured), Some(summary)) = (row.measured(), row.summary()) {
                let optional = |number: Option<f64>| number.map(|number| number.to_string());
                let whole = |number: Option<u64>| number.map(|number| number.to_string());
                let numbers = [
                    Some(measured.trained_parameters.to_string()),
                    Some(measured.total_parameters.to_string()),
                    Some(measured.step_seconds.len().to_string()),
                    Some(summary.p10.to_string()),
                    Some(summary.p50.to_string()),
                    Some(summary.p90.to_string()),
                    Some(summary.tokens_per_second.to_string()),
                    whole(measured.peak_memory_bytes),
                    whole(measured.device_memory_bytes),
                    Some(measured.start_up_seconds.to_string()),
                    optional(summary.compile_seconds),
                    Some(measured.step_operations.to_string()),
                    optional(measured.peak_operations_per_second),
                    optional(summary.peak_share),
                ];
                cells.extend(numbers.map(Option::unwrap_or_default));
            }
            // Texts come last.
            cells.resize(n_columns - 2, String::new());
            cells.push(match &row.outcome {
                Outcome::Failed(why) => why.clone(),
                Outcome::Measured(_) => String::new(),
            });
            cells.push(row.hardware.clone());
            cells
        });
        to_csv([header].into_iter().chain(rows))
    }
}

impl Ratios {
    /// The comparison as a table.
    pub fn table(&self) -> TextTable {
        let settings: Vec<&Settings> = self.rows.iter().map(|row| &row.settings).collect();
        let mut table = TextTable::of_settings(&settings);
        table.add(RATIOS, self.rows.iter().map(Some));
        let programs = format!("first: {}\nsecond: {}", self.first, self.second);
        table.notes.insert(0, programs);
        table.notes.push(format!(
            "Ratios are the second in parts of the first, with {}% bootstrap intervals over the steps of one process each.",
            100.0 * self.confidence
        ));
        if !self.left_out.is_empty() {
            table.notes.push(self.left_out.join("\n"));
        }
        table
    }
}

impl TextTable {
    /// Device and method, and the settings that rows differ in; those that all have become a note.
    fn of_settings(rows: &[&Settings]) -> Self {
        let mut table = Self {
            titles: vec![("device", false), ("method", false)],
            cells: Vec::new(),
            notes: Vec::new(),
        };
        let method = |name: &str| BenchMethod::find(name).map(|method| method.label.to_owned());
        table.cells.extend(rows.iter().map(|settings| {
            let name = &settings.method;
            vec![
                settings.device.clone(),
                method(name).unwrap_or_else(|| name.clone()),
            ]
        }));
        let mut common = Vec::new();
        for column in SETTINGS {
            // Methods without vectors have no prompt of another length.
            let given: Vec<String> = rows.iter().filter_map(|row| (column.cell)(row)).collect();
            match given.as_slice() {
                [] => {}
                [first, others @ ..] if others.iter().all(|other| other == first) => {
                    common.push(format!("{} {first}", column.title));
                }
                _ => table.add(std::slice::from_ref(column), rows.iter().copied().map(Some)),
            }
        }
        if !common.is_empty() {
            table.notes.push(common.join(", "));
        }
        table
    }
}

/// A time of three digits.
pub(super) fn duration(seconds: f64) -> String {
    let digits = |value: f64| match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    };
    match seconds {
        0.0 => "0 s".into(),
        seconds if seconds < 0.9995e-3 => format!("{} µs", digits(1e6 * seconds)),
        seconds if seconds < 0.9995 => format!("{} ms", digits(1e3 * seconds)),
        seconds => format!("{} s", digits(seconds)),
    }
}

fn ratio(Interval { value, low, high }: Interval) -> String {
    format!("{value:.2} [{low:.2}, {high:.2}]")
}
