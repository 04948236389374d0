//! Comma- and tab-separated values with a header line.

use std::{
    cell::Cell,
    collections::HashSet,
    io::{self, BufRead, Read},
    rc::Rc,
};

use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value};

use super::{MAX_RECORD_BYTES, Sink};
use crate::error::quote;

pub(super) fn read(
    reader: Box<dyn BufRead + '_>,
    delimiter: u8,
    quoting: bool,
    sink: &mut Sink,
) -> io::Result<()> {
    let budget = Rc::new(Cell::new(MAX_RECORD_BYTES));
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(quoting)
        .flexible(true)
        .from_reader(Metered {
            reader,
            budget: Rc::clone(&budget),
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
        budget.set(MAX_RECORD_BYTES);
        let line_before = reader.position().line() as usize;
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return too_long_or(error, line_before, sink),
        }
        let line = record
            .position()
            .map_or(line_before, |position| position.line() as usize);
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

/// A reader that gives up when its budget of bytes is spent.
struct Metered<R> {
    reader: R,
    budget: Rc<Cell<usize>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = self.reader.read(buffer)?;
        match self.budget.get().checked_sub(n_read) {
            Some(rest) => self.budget.set(rest),
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        Ok(n_read)
    }
}
