//! Metrics as TensorBoard reads them: records of the protocol buffer `Event`, framed as TFRecords.
//!
//! ```text
//! record   length: u64   masked CRC-32C of the length: u32   Event   masked CRC-32C of the event: u32
//! Event    1 wall_time: double   2 step: int64   3 file_version: string | 5 Summary | 7 SessionLog
//! Summary  1 Value*      Value  1 tag: string   2 simple_value: float
//! ```
//!
//! Source: `tensorflow/core/util/event.proto`, `summary.proto` and `lib/io/record_writer.cc` of TensorFlow.

use std::{
    io::{self, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::metrics::{Metric, SplitName};

/// What a file begins with, so that TensorBoard knows how to read it.
const FILE_VERSION: &str = "brain.Event:2";
/// `SessionLog.status`: a run begins, or goes on.
const START: u64 = 1;

/// A file of events that grows.
#[derive(Debug)]
pub(crate) struct EventFile(fs_err::File);

impl EventFile {
    /// A new file in the folder of a run. Each start of a run has one of its own; where it goes on behind `step`, readers drop
    /// what earlier ones say of later steps.
    pub(crate) fn create(folder: &Path, step: usize) -> io::Result<Self> {
        let mut seconds = now() as u64;
        let file = loop {
            // TensorBoard takes what has this in its name, in the order of the names.
            let path = folder.join(format!("events.out.tfevents.{seconds:010}.pilot"));
            let created = fs_err::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(path);
            match created {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => seconds += 1,
                created => break created?,
            }
        };
        let mut events = Self(file);
        events.write(&Event {
            wall_time: now(),
            step: 0,
            what: What::FileVersion(FILE_VERSION),
        })?;
        events.write(&Event {
            wall_time: now(),
            step: step as u64 + 1,
            what: What::Session(START),
        })?;
        Ok(events)
    }

    pub(crate) fn add(&mut self, metric: &Metric) -> io::Result<()> {
        self.write(&Event {
            wall_time: now(),
            step: metric.step as u64,
            what: What::Scalars(&scalars(metric)),
        })
    }

    /// A record at once: a reader that follows the file never meets half of one for long.
    fn write(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.0.write_all(&record(&event.encoded()))
    }
}

fn now() -> f64 {
    // A clock before 1970 is not worth failing for.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}

/// The numbers of a metric, by the names under which TensorBoard groups them.
fn scalars(metric: &Metric) -> Vec<(&'static str, f64)> {
    let (loss, accuracy) = match metric.split {
        SplitName::Train => ("loss/train", "accuracy/train"),
        SplitName::Validation => ("loss/validation", "accuracy/validation"),
        SplitName::Test => ("loss/test", "accuracy/test"),
    };
    let optional = [
        (accuracy, metric.accuracy),
        ("learning_rate", metric.learning_rate),
        ("gradient_norm", metric.gradient_norm),
    ];
    let present = optional
        .into_iter()
        .filter_map(|(tag, value)| Some((tag, value?)));
    [(loss, metric.loss)].into_iter().chain(present).collect()
}

struct Event<'a> {
    /// Seconds since 1970.
    wall_time: f64,
    step: u64,
    what: What<'a>,
}

enum What<'a> {
    FileVersion(&'a str),
    Session(u64),
    Scalars(&'a [(&'a str, f64)]),
}

impl Event<'_> {
    fn encoded(&self) -> Vec<u8> {
        let mut event = Vec::new();
        // Zeros are not written.
        if self.wall_time != 0.0 {
            // Field 1, of 64 bits.
            event.push(1 << 3 | 1);
            event.extend(self.wall_time.to_le_bytes());
        }
        if self.step > 0 {
            put_number(&mut event, 2, self.step);
        }
        match self.what {
            What::FileVersion(version) => put_bytes(&mut event, 3, version.as_bytes()),
            What::Session(status) => {
                let mut session = Vec::new();
                put_number(&mut session, 1, status);
                put_bytes(&mut event, 7, &session);
            }
            What::Scalars(scalars) => {
                let mut summary = Vec::new();
                for (tag, value) in scalars {
                    let mut scalar = Vec::new();
                    put_bytes(&mut scalar, 1, tag.as_bytes());
                    // Field 2, of 32 bits.
                    scalar.push(2 << 3 | 5);
                    scalar.extend((*value as f32).to_le_bytes());
                    put_bytes(&mut summary, 1, &scalar);
                }
                put_bytes(&mut event, 5, &summary);
            }
        }
        event
    }
}

/// A field that holds a number.
fn put_number(message: &mut Vec<u8>, field: u64, number: u64) {
    put_varint(message, field << 3);
    put_varint(message, number);
}

/// A field that holds a text or another message.
fn put_bytes(message: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(message, field << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend(bytes);
}

/// Seven bits a byte, the lowest first; all but the last have the eighth set.
fn put_varint(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push(number as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}

fn record(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked_sum(&length).to_le_bytes());
    record.extend(event);
    record.extend(masked_sum(event).to_le_bytes());
    record
}

/// The sum as TFRecords hold it, so that sums of what holds sums are no trouble.
fn masked_sum(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// CRC-32C (Castagnoli).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        SUMS[usize::from(sum as u8 ^ byte)] ^ (sum >> 8)
    })
}

/// The sum of each byte.
const SUMS: [u32; 256] = {
    let mut sums = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ if sum & 1 == 1 { 0x82F6_3B78 } else { 0 };
            bit += 1;
        }
        sums[byte] = sum;
        byte += 1;
    }
    sums
};

#[cfg(test)]
mod tests;
