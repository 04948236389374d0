//! Comma- and tab-separated values with a header line.

use std::{
    cell::RefCell,
    collections::HashSet,
    io::{self, BufRead, Read},
    rc::Rc,
};

use csv::{ByteRecord, Position, ReaderBuilder};
use serde_json::{Map, Value};

use super::{MAX_RECORD_BYTES, Sink};
use crate::error::quote;

pub(super) fn read(
    reader: Box<dyn BufRead + '_>,
    delimiter: u8,
    quoting: bool,
    sink: &mut Sink,
) -> io::Result<()> {
    let meter = Rc::new(RefCell::new(Meter::default()));
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(quoting)
        .flexible(true)
        .from_reader(Metered {
            reader,
            meter: Rc::clone(&meter),
        });
    let header = match reader.byte_headers() {
        Ok(header) => header.clone(),
        Err(error) => return too_long_or(error, 1, sink),
    };
    let Some(names) = field_names(&header, sink) else {
        return Ok(());
    };
    let mut record = ByteRecord::new();
    loop {
        meter.borrow_mut().budget = MAX_RECORD_BYTES;
        let line_before = reader.position().line() as usize;
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return too_long_or(error, line_before, sink),
        }
        let line = meter.borrow().first_line(reader.position(), &record);
        parse(line, &names, &record, sink);
    }
}

/// The names in a header, if they are fit to tell fields apart.
fn field_names(header: &ByteRecord, sink: &mut Sink) -> Option<Vec<String>> {
    let mut names = Vec::with_capacity(header.len());
    let mut seen = HashSet::new();
    for name in header {
        let name = match std::str::from_utf8(name) {
            Ok(name) => name.to_owned(),
            Err(error) => {
                sink.reject_bytes(1, error);
                return None;
            }
        };
        if !seen.insert(name.clone()) {
            sink.reject(
                1,
                "a header of different names",
                format!("{} twice", quote(&name)),
                "rename one of the columns",
            );
            return None;
        }
        names.push(name);
    }
    Some(names)
}

fn parse(line: usize, names: &[String], record: &ByteRecord, sink: &mut Sink) {
    if record.len() != names.len() {
        return sink.reject(
            line,
            &format!("{} fields as in the header", names.len()),
            record.len().to_string(),
            "quote fields that hold the separator or a line end",
        );
    }
    let mut fields = Map::new();
    for (name, field) in names.iter().zip(record) {
        match std::str::from_utf8(field) {
            Ok(text) => fields.insert(name.clone(), Value::String(text.into())),
            Err(error) => return sink.reject_bytes(line, error),
        };
    }
    sink.add(line, fields);
}

/// An unclosed quote makes the rest of a file one record; the meter ends it, and that is the record's problem and
/// not the disk's.
fn too_long_or(error: csv::Error, line: usize, sink: &mut Sink) -> io::Result<()> {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            sink.reject_length(line, "is a quotation mark left open?");
            Ok(())
        }
        csv::ErrorKind::Io(error) => Err(error),
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

/// What was read so far.
struct Meter {
    /// Bytes that may still be read.
    budget: usize,
    /// The last bytes read.
    chunk: Vec<u8>,
    /// Number of bytes read, `chunk` included.
    n_read: u64,
    /// Whether all was read.
    at_end: bool,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            budget: MAX_RECORD_BYTES,
            chunk: Vec::new(),
            n_read: 0,
            at_end: false,
        }
    }
}

impl Meter {
    /// The line where a record begins that was read up to `end`. It is counted back from there, since the reader's
    /// own note of the beginning lies in front of blank lines and of the second half of `\r\n`.
    fn first_line(&self, end: &Position, record: &ByteRecord) -> usize {
        let bytes = record.iter().flatten();
        let inside = bytes.filter(|byte| **byte == b'\n').count();
        let behind = usize::from(self.is_closed_by_newline(end.byte()));
        (end.line() as usize).saturating_sub(inside + behind)
    }

    /// Whether a line end stands in front of byte `end`, and not the end of the file behind an open quote.
    fn is_closed_by_newline(&self, end: u64) -> bool {
        // Counted from the end: the last byte of a record always lies in the last chunk.
        let n_behind = (self.n_read - end) as usize;
        let closing = self.chunk.iter().rev().nth(n_behind);
        !self.at_end && closing == Some(&b'\n')
    }
}

/// A reader that gives up when its budget of bytes is spent.
struct Metered<R> {
    reader: R,
    meter: Rc<RefCell<Meter>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = self.reader.read(buffer)?;
        let mut meter = self.meter.borrow_mut();
        match meter.budget.checked_sub(n_read) {
            Some(rest) => meter.budget = rest,
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        meter.n_read += n_read as u64;
        meter.at_end = n_read == 0;
        meter.chunk.clear();
        meter.chunk.extend_from_slice(&buffer[..n_read]);
        Ok(n_read)
    }
}
