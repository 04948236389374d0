//! The lines of a command's `--input`.

use std::io::{self, Read};

use clap::Args;
use pilotlight_data::{DataFormat, DataSource, Place, Problem, Record, read_records};

use crate::failure::Failure;

/// Where a command's records come from.
#[derive(Debug, Args)]
pub(crate) struct RawInput {
    /// File of the records: .jsonl, .csv or .tsv; `-` reads JSON lines from standard input
    #[arg(long, value_name = "FILE")]
    input: String,
}

/// The records of a command, and how messages call their source.
pub(crate) struct Input {
    pub(crate) source: String,
    pub(crate) records: Vec<Record>,
}

impl RawInput {
    pub(crate) fn read(&self) -> Result<Input, Failure> {
        let source = match self.input.as_str() {
            "-" => {
                let mut bytes = Vec::new();
                io::stdin().read_to_end(&mut bytes).map_err(|error| {
                    Failure::input(format!("cannot read standard input: {error}"))
                        .hint("give a file by `--input FILE`")
                })?;
                DataSource::Embedded {
                    name: "standard input".into(),
                    bytes: bytes.into(),
                    format: DataFormat::Jsonl,
                }
            }
            path => DataSource::File {
                path: path.into(),
                format: None,
            },
        };
        Ok(Input {
            source: source.name().into_owned(),
            records: read_records(&source)?,
        })
    }
}

impl Input {
    /// A problem with a field of a record.
    pub(crate) fn problem(
        &self,
        record: &Record,
        field: &str,
        expected: &str,
        found: &str,
        hint: &str,
    ) -> Problem {
        Problem {
            place: Place::Line {
                source: self.source.clone(),
                line: record.line,
                field: Some(field.to_owned()),
            },
            expected: expected.to_owned(),
            found: found.to_owned(),
            hint: hint.to_owned(),
        }
    }
}

/// One failure out of all problems of the records; at most twenty are listed.
pub(crate) fn failure(problems: &[Problem]) -> Failure {
    const SHOWN: usize = 20;
    let mut message: Vec<String> = problems
        .iter()
        .take(SHOWN)
        .map(Problem::to_string)
        .collect();
    if problems.len() > SHOWN {
        message.push(format!("and {} more", problems.len() - SHOWN));
    }
    Failure::input(message.join("\n"))
}
