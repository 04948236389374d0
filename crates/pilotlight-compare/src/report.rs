//! What came out of a comparison, and the documents that say it.
//!
//! A [`Report`] is a pure function of finished runs. Everything that is written is one of its views: a page, a text, tables
//! and figures.

mod apart;
mod details;
mod html;
mod latex;
mod markdown;
mod rows;
mod settings;
mod sources;
mod stored;
mod write;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::{
    details::{Confusion, CurvePoint, Detail},
    settings::Setting,
    sources::Sources,
    stored::{COMPARISON_FILE, Found, StoredComparison, StoredRun},
};
use crate::{
    experiment::{Axis, Comparison},
    finished::{FinishedRun, Group},
    launch::RunKind,
    search::Chosen,
    subject::subject,
    table::{Row, Table},
};

/// What came out of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What it is about.
    pub about: About,
    /// The table.
    pub table: Table,
    /// More about its rows, but for the majority.
    pub details: Vec<Detail>,
    /// The learning rates that were tried and chosen.
    pub chosen: Vec<Chosen>,
    /// The settings that all methods have alike.
    pub settings: Vec<Setting>,
    /// What was used.
    pub sources: Sources,
    /// The runs that it speaks of.
    pub runs: Vec<ReportedRun>,
    /// The runs that failed.
    pub failures: Vec<Failure>,
}

/// What a comparison is about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Name of the preset or file.
    pub name: String,
    /// The model and the data in a few words.
    pub subject: String,
    /// The settings that have several values.
    pub axes: Vec<Axis>,
    /// How the methods were treated alike, a sentence each.
    #[serde(default)]
    pub protocol: Vec<String>,
    /// The command that it was asked for by, if it is known.
    pub command: Option<String>,
}

/// A run of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportedRun {
    /// The method's name in tables.
    pub label: String,
    /// What it was run for.
    pub kind: RunKind,
    /// Its folder.
    pub folder: PathBuf,
    /// What came out.
    pub result: crate::RunResult,
}

/// A run that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Name of its method.
    pub method: String,
    /// Its seed.
    pub seed: u64,
    /// Its folder.
    pub folder: PathBuf,
    /// Why it failed.
    pub message: String,
}

impl About {
    pub(crate) fn new(comparison: &Comparison, command: Option<String>) -> Self {
        Self {
            name: comparison.name.clone(),
            subject: subject(comparison),
            axes: comparison.axes.clone(),
            protocol: comparison.protocol(),
            command,
        }
    }
}

impl Report {
    /// The report on these runs.
    pub fn new(
        about: About,
        chosen: Vec<Chosen>,
        runs: &[FinishedRun],
        failures: Vec<Failure>,
    ) -> Self {
        let table = Table::of_runs(runs);
        let groups = Group::all(runs);
        let (settings, own) = settings::of_groups(&groups);
        // In front of the groups the table may have the majority.
        let first = table.rows.len() - groups.len();
        let details = groups.iter().zip(own).enumerate();
        let details = details.map(|(place, (group, own))| Detail::new(first + place, group, own));
        let reported = runs.iter().map(|run| ReportedRun {
            label: run.planned.title(),
            kind: run.planned.kind,
            folder: run.planned.folder.clone(),
            result: run.result.clone(),
        });
        Self {
            details: details.collect(),
            table,
            chosen,
            settings,
            sources: Sources::of(runs),
            runs: reported.collect(),
            failures,
            about,
        }
    }

    /// What it is about, else its name.
    pub fn title(&self) -> &str {
        match self.about.subject.as_str() {
            "" => &self.about.name,
            subject => subject,
        }
    }

    /// The row that a detail is about.
    pub(crate) fn row(&self, detail: &Detail) -> &Row {
        &self.table.rows[detail.row]
    }
}
