//! Two documents compared: how many times as long the second one's steps take.

use serde::Serialize;

use super::{
    document::{BenchDocument, BenchRow, Measured, Outcome},
    settings::Settings,
    summary::Summary,
};
use crate::{
    error::{CompareError, Problem, Problems},
    statistics::{Bootstrap, Interval, ratio_of_medians},
};

/// Two documents compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ratios {
    /// Program and machine of the first.
    pub first: String,
    /// Program and machine of the second.
    pub second: String,
    /// Share that intervals cover.
    pub confidence: f64,
    /// The settings that both have measured, in the order of the first.
    pub rows: Vec<Compared>,
    /// What only one of them has, or could not measure.
    pub left_out: Vec<String>,
}

/// The same settings in two documents. All ratios are the second in parts of the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The settings, as the first document has them.
    pub settings: Settings,
    /// Median seconds of a step in the first.
    pub first_seconds: f64,
    /// Median seconds of a step in the second.
    pub second_seconds: f64,
    /// Ratio of the medians, with the interval over the steps.
    pub step_time: Interval,
    /// Ratio of the tokens per second, likewise.
    pub tokens_per_second: Interval,
    /// Ratio of the memory, where both know it of the same kind.
    pub memory: Option<f64>,
    /// Whether the interval of the step's time holds 1: the difference is no larger than what steps differ in.
    pub is_within_noise: bool,
}

impl Ratios {
    /// Compares the rows that have the same device, method, shape, batch, tokens, prompt length and type.
    ///
    /// # Errors
    ///
    /// If both have a method on a device but with other settings, or nothing in common; every such setting is named.
    pub fn of(
        (first_name, first): (&str, &BenchDocument),
        (second_name, second): (&str, &BenchDocument),
        bootstrap: &Bootstrap,
    ) -> Result<Self, CompareError> {
        let mut problems = Problems::default();
        let mut left_out = Vec::new();
        let mut rows = Vec::new();
        let names = (first_name, second_name);
        for row in &first.rows {
            let rivals = || second.rows.iter().filter(|other| is_rival(row, other));
            let compared = row.settings.compared();
            match rivals().find(|other| other.settings.compared() == compared) {
                Some(other) => match (row.measured(), other.measured()) {
                    (Some(of_first), Some(of_second)) => {
                        rows.extend(ratios(&row.settings, of_first, of_second, bootstrap));
                    }
                    _ => left_out.extend(
                        [(row, first_name), (other, second_name)]
                            .iter()
                            .filter_map(|(row, name)| failure(row, name)),
                    ),
                },
                // Rows that have a partner of their own say nothing about this one.
                None => match rivals().find(|other| !is_in(other, first)) {
                    Some(other) => problems.extend(differences(row, other, names)),
                    None => left_out.push(format!("{} is in {first_name} alone", row.settings)),
                },
            }
        }
        let rest = second.rows.iter().filter(|row| !is_in(row, first));
        left_out.extend(rest.map(|row| format!("{} is in {second_name} alone", row.settings)));
        problems.into_result()?;
        if rows.is_empty() {
            return Err(Problem {
                origin: None,
                key: None,
                message: format!("{first_name} and {second_name} have no measured row in common"),
                hint: match left_out.is_empty() {
                    true => "measure the same methods on the same device".into(),
                    false => left_out.join("; "),
                },
            }
            .into());
        }
        Ok(Self {
            first: first.to_string(),
            second: second.to_string(),
            confidence: bootstrap.confidence,
            rows,
            left_out,
        })
    }
}

fn is_rival(row: &BenchRow, other: &BenchRow) -> bool {
    let key = |row: &BenchRow| (row.settings.device.clone(), row.settings.method.clone());
    key(row) == key(other)
}

/// Whether a document has a row of the same settings.
fn is_in(row: &BenchRow, document: &BenchDocument) -> bool {
    let compared = row.settings.compared();
    let mut others = document.rows.iter();
    others.any(|other| is_rival(row, other) && other.settings.compared() == compared)
}

fn differences(row: &BenchRow, other: &BenchRow, (first, second): (&str, &str)) -> Vec<Problem> {
    let pairs = row.settings.compared().into_iter();
    let pairs = pairs.zip(other.settings.compared());
    let different = pairs.filter(|((_, value), (_, other))| value != other);
    different
        .map(|((name, value), (_, other))| Problem {
            origin: None,
            key: Some(name.to_owned()),
            message: format!(
                "{} has {value} in {first} and {other} in {second}",
                title(row)
            ),
            hint: "measure both with the same settings".into(),
        })
        .collect()
}

fn ratios(
    settings: &Settings,
    first: &Measured,
    second: &Measured,
    bootstrap: &Bootstrap,
) -> Option<Compared> {
    let step_time = ratio_of_medians(&first.step_seconds, &second.step_seconds, bootstrap)?;
    let memory = |of: fn(&Measured) -> Option<u64>| Some(of(second)? as f64 / of(first)? as f64);
    Some(Compared {
        settings: settings.clone(),
        first_seconds: Summary::of(settings, first)?.p50,
        second_seconds: Summary::of(settings, second)?.p50,
        step_time,
        tokens_per_second: Interval {
            value: step_time.value.recip(),
            low: step_time.high.recip(),
            high: step_time.low.recip(),
        },
        memory: memory(|it| it.device_memory_bytes).or_else(|| memory(|it| it.peak_memory_bytes)),
        is_within_noise: step_time.low <= 1.0 && step_time.high >= 1.0,
    })
}

fn failure(row: &BenchRow, document: &str) -> Option<String> {
    match &row.outcome {
        Outcome::Failed(why) => Some(format!("{} failed in {document}: {why}", title(row))),
        Outcome::Measured(_) => None,
    }
}

fn title(row: &BenchRow) -> String {
    format!("{} on {}", row.settings.method, row.settings.device)
}
