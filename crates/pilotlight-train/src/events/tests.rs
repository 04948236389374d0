use serde::Deserialize;

use super::*;

/// What TensorBoard's own writer makes of events; made by `tests/goldens/make_events.py`.
const GOLDENS: &str = include_str!("../../tests/goldens/events.json");

#[derive(Deserialize)]
struct Goldens {
    version: String,
    start: String,
    scalars: Vec<Scalars>,
}

#[derive(Deserialize)]
struct Scalars {
    wall_time: f64,
    step: u64,
    values: Vec<(String, f64)>,
    record: String,
}

#[track_caller]
fn check(wall_time: f64, step: u64, what: What<'_>, golden: &str) {
    let event = Event {
        wall_time,
        step,
        what,
    };
    let bytes = record(&event.encoded());
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, golden);
}

#[test]
fn records_are_those_of_tensorboard() {
    let goldens: Goldens = serde_json::from_str(GOLDENS).expect("the goldens are JSON");
    check(
        1.764e9,
        0,
        What::FileVersion(FILE_VERSION),
        &goldens.version,
    );
    check(1.764e9, 51, What::Session(START), &goldens.start);
    for golden in goldens.scalars {
        let values = golden
            .values
            .iter()
            .map(|(tag, value)| (tag.as_str(), *value));
        let values: Vec<(&str, f64)> = values.collect();
        check(
            golden.wall_time,
            golden.step,
            What::Scalars(&values),
            &golden.record,
        );
    }
}

/// The fields of a message: their numbers and what they hold.
fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let varint = |message: &mut &[u8]| {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let byte = message[0];
            *message = &message[1..];
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    };
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let value = match key & 7 {
            0 => varint(&mut message).to_le_bytes().to_vec(),
            kind => {
                let length = match kind {
                    1 => 8,
                    5 => 4,
                    2 => varint(&mut message) as usize,
                    other => panic!("wire type {other}"),
                };
                let (value, rest) = message.split_at(length);
                message = rest;
                value.to_vec()
            }
        };
        fields.push((key >> 3, value));
    }
    fields
}

/// The steps of the events of a file, and their scalars.
fn read(path: &Path) -> Vec<(u64, Vec<(String, f32)>)> {
    let bytes = fs_err::read(path).expect("a file");
    let mut bytes = bytes.as_slice();
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let length = u64::from_le_bytes(bytes[..8].try_into().expect("a length")) as usize;
        let event = fields(&bytes[12..12 + length]);
        bytes = &bytes[16 + length..];
        let of = |number: u64| event.iter().filter(move |(field, _)| *field == number);
        let step =
            of(2).map(|(_, step)| u64::from_le_bytes(step[..].try_into().expect("a number")));
        let values = of(5)
            .flat_map(|(_, summary)| fields(summary))
            .map(|(_, scalar)| {
                let scalar = fields(&scalar);
                let tag = String::from_utf8(scalar[0].1.clone()).expect("a text");
                (
                    tag,
                    f32::from_le_bytes(scalar[1].1[..].try_into().expect("a number")),
                )
            });
        events.push((step.sum(), values.collect()));
    }
    events
}

#[test]
fn every_start_of_a_run_has_a_file_with_its_metrics() {
    let folder = tempfile::tempdir().expect("a folder");
    let metric = Metric {
        step: 200,
        split: SplitName::Validation,
        loss: 0.75,
        learning_rate: None,
        gradient_norm: None,
        accuracy: Some(0.5),
        examples: 8,
        tokens: 8,
    };
    let mut events = EventFile::create(folder.path(), 0).expect("created");
    events.add(&metric).expect("added");
    EventFile::create(folder.path(), 150).expect("created again");
    let entries = fs_err::read_dir(folder.path()).expect("a folder");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let [first, second] = paths.as_slice() else {
        panic!("two files");
    };
    let scalars = vec![
        ("loss/validation".into(), 0.75),
        ("accuracy/validation".into(), 0.5),
    ];
    assert_eq!(read(first), [(0, vec![]), (1, vec![]), (200, scalars)]);
    assert_eq!(read(second), [(0, vec![]), (151, vec![])]);
}
