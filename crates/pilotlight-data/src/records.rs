//! Records: the lines of a data file as named fields.

mod delimited;
mod json_lines;

use serde_json::{Map, Value};

use crate::{
    config::DataFormat,
    error::{DataError, Place, Problem, Problems, quote, suggest},
    source::DataSource,
};

/// Most bytes of one record. Lines beyond it are a damaged file (for example one without line ends), and must not
/// fill the memory.
const MAX_RECORD_BYTES: usize = 64 << 20;

/// The byte order mark that some editors put in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Line of the source, from 1, where it begins.
    pub line: usize,
    /// Its fields in order; those of delimited files are texts.
    pub fields: Map<String, Value>,
}

/// Reads all records of a source, one after another.
///
/// Blank lines between JSON lines are skipped; a byte order mark and `\r\n` line ends are accepted.
///
/// # Errors
///
/// If the source cannot be read, holds no record, or a record is malformed: all of them in one report.
pub fn read_records(source: &DataSource) -> Result<Vec<Record>, DataError> {
    let mut problems = Problems::default();
    let records = read_records_into(source, &mut problems)?;
    problems.into_result()?;
    Ok(records)
}

/// Like [`read_records`], but adds what is wrong with records to `problems`.
pub(crate) fn read_records_into(
    source: &DataSource,
    problems: &mut Problems,
) -> Result<Vec<Record>, DataError> {
    let format = source.format()?;
    let reader = source.open()?;
    let mut sink = Sink {
        source: source.name().into_owned(),
        records: Vec::new(),
        n_bad: 0,
        problems,
    };
    match format {
        DataFormat::Jsonl => json_lines::read(reader, &mut sink),
        DataFormat::Csv => delimited::read(reader, b',', true, &mut sink),
        DataFormat::Tsv => delimited::read(reader, b'\t', false, &mut sink),
    }
    .map_err(|error| source.unreadable(error))?;
    let Sink { records, n_bad, .. } = sink;
    if records.is_empty() && n_bad == 0 {
        problems.push(Problem {
            place: Place::Source(source.name().into_owned()),
            expected: "records".into(),
            found: "none".into(),
            hint: "the file is empty or holds nothing but its header".into(),
        });
    }
    Ok(records)
}

/// Collects what a reader finds.
struct Sink<'a> {
    source: String,
    records: Vec<Record>,
    n_bad: usize,
    problems: &'a mut Problems,
}

impl Sink<'_> {
    fn add(&mut self, line: usize, fields: Map<String, Value>) {
        self.records.push(Record { line, fields });
    }

    fn reject(&mut self, line: usize, expected: &str, found: impl Into<String>, hint: &str) {
        self.n_bad += 1;
        self.problems.push(Problem {
            place: Place::Line {
                source: self.source.clone(),
                line,
                field: None,
            },
            expected: expected.into(),
            found: found.into(),
            hint: hint.into(),
        });
    }

    fn reject_bytes(&mut self, line: usize, error: std::str::Utf8Error) {
        self.reject(
            line,
            "UTF-8",
            format!("an invalid byte behind {} valid ones", error.valid_up_to()),
            "convert the file, for example by `iconv -f latin1 -t utf-8`",
        );
    }

    fn reject_length(&mut self, line: usize, hint: &str) {
        let found = "a longer one";
        let expected = format!("a record of at most {} MiB", MAX_RECORD_BYTES >> 20);
        self.reject(line, &expected, found, hint);
    }
}

impl Record {
    /// The text of a field: texts as they are; numbers and truth values as JSON writes them.
    ///
    /// # Errors
    ///
    /// A problem in `source` if the field is missing, empty of meaning (null), or a list or an object.
    pub fn text(&self, field: &str, source: &str) -> Result<String, Problem> {
        let problem = |found: String, hint: String| Problem {
            place: Place::Line {
                source: source.into(),
                line: self.line,
                field: Some(field.into()),
            },
            expected: "a text".into(),
            found,
            hint,
        };
        match self.fields.get(field) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
            Some(Value::Null) => Err(problem("null".into(), "fill it or drop the record".into())),
            Some(value) => Err(problem(
                quote(&value.to_string()),
                "a template can address its inner values".into(),
            )),
            None => Err(problem(
                "no such field".into(),
                suggest(field, self.fields.keys().map(String::as_str)),
            )),
        }
    }
}
