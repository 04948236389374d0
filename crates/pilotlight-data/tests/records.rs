//! Files of records: JSON lines, comma- and tab-separated values, and what is wrong with bad ones.

use std::{fs, path::PathBuf};

use pilotlight_data::{
    DataConfig, DataError, DataFormat, DataSource, Head, PrepareOptions, Record, TaskConfig,
    TaskData, Tokenizer, read_records,
};
use serde_json::json;

fn source(format: DataFormat, bytes: &[u8]) -> DataSource {
    DataSource::Embedded {
        name: "data".into(),
        bytes: bytes.to_vec().into(),
        format,
    }
}

fn read(format: DataFormat, bytes: &[u8]) -> Vec<Record> {
    read_records(&source(format, bytes)).expect("the records are well formed")
}

/// Place and message of every problem.
fn problems(format: DataFormat, bytes: &[u8]) -> Vec<(String, String)> {
    match read_records(&source(format, bytes)) {
        Err(DataError::Problems(problems)) => {
            let listed = problems.listed().iter();
            listed
                .map(|one| (one.place.to_string(), one.to_string()))
                .collect()
        }
        other => panic!("not a list of problems: {other:?}"),
    }
}

fn lines(records: &[Record]) -> Vec<usize> {
    records.iter().map(|record| record.line).collect()
}

fn texts<'a>(records: &'a [Record], field: &str) -> Vec<&'a str> {
    let texts = records.iter().map(|record| record.fields[field].as_str());
    texts.map(|text| text.expect("a text")).collect()
}

#[test]
fn json_lines_keep_their_values_and_line_numbers() {
    let bytes = b"\xef\xbb\xbf{\"text\": \"caf\\u00e9 \xe4\xb8\xad\", \"label\": 1}\r\n\n  \n{\"text\": \"b\", \"label\": true, \"more\": [1]}";
    let records = read(DataFormat::Jsonl, bytes);
    assert_eq!(lines(&records), [1, 4]);
    assert_eq!(texts(&records, "text"), ["café 中", "b"]);
    assert_eq!(records[0].fields["label"], json!(1));
    assert_eq!(records[1].fields["more"], json!([1]));
}

#[test]
fn every_bad_json_line_is_named() {
    let bytes =
        b"{\"text\": \"a\"}\n{\"text\": \n[1]\n{\"text\": \"b\"}\n{\"text\": \"\xff\"}\n\"x\"\n";
    let problems = problems(DataFormat::Jsonl, bytes);
    let places: Vec<&str> = problems.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["data:2", "data:3", "data:5", "data:6"]);
    assert!(
        problems[0].1.contains("expected a JSON object"),
        "{problems:?}"
    );
    assert!(
        problems[2]
            .1
            .contains("expected UTF-8, found an invalid byte behind 10"),
        "{problems:?}"
    );
    assert!(
        problems
            .iter()
            .all(|(_, message)| message.contains("hint: "))
    );
}

#[test]
fn a_json_array_is_one_problem_and_not_one_a_line() {
    let problems = problems(
        DataFormat::Jsonl,
        b"[\n{\"text\": \"a\"},\n{\"text\": \"b\"}\n]\n",
    );
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].1.contains("a JSON array") && problems[0].1.contains("jq"),
        "{problems:?}"
    );
}

#[test]
fn csv_quotes_hold_separators_quotes_and_line_ends() {
    let bytes = b"text,label\n\"a, \"\"b\"\"\nc\",pos\nplain ,neg\n\"\",pos\n";
    let records = read(DataFormat::Csv, bytes);
    assert_eq!(texts(&records, "text"), ["a, \"b\"\nc", "plain ", ""]);
    assert_eq!(texts(&records, "label"), ["pos", "neg", "pos"]);
    // The first record takes two lines.
    assert_eq!(lines(&records), [2, 4, 5]);
}

#[test]
fn lines_are_counted_across_windows_line_ends_and_blank_lines() {
    let unix = b"text,label\na,x\n\n\nb,y\n\"c\nc\",z\nd,x\n";
    let windows = String::from_utf8_lossy(unix).replace('\n', "\r\n");
    for bytes in [unix.as_slice(), windows.as_bytes()] {
        let records = read(DataFormat::Csv, bytes);
        assert_eq!(texts(&records, "label"), ["x", "y", "z", "x"]);
        assert_eq!(lines(&records), [2, 5, 6, 8], "{bytes:?}");
    }
}

#[test]
fn lines_are_counted_across_the_chunks_of_a_long_file() {
    for end in ["\n", "\r\n"] {
        let row = |index: usize| format!("\"{}{end}b\",x{end}{end}", "a".repeat(index % 90));
        let rows: String = (0..2000).map(row).collect();
        let bytes = format!("\u{feff}text,label{end}{rows}\"open{end}");
        let problems = problems(DataFormat::Csv, bytes.as_bytes());
        // The quote left open makes a record of one field; it stands behind three lines of each record.
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].0, "data:6002");
        let whole = bytes.replace("\"open", "c,x");
        let records = read(DataFormat::Csv, whole.as_bytes());
        let expected: Vec<usize> = (0..=2000).map(|index| 2 + 3 * index).collect();
        assert_eq!(lines(&records), expected);
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    let records = read(DataFormat::Csv, b"\xef\xbb\xbftext,label\na,b\n");
    assert_eq!(texts(&records, "text"), ["a"]);
    let records = read(DataFormat::Tsv, b"\xef\xbb\xbf\"text\tlabel\na\tb\n");
    assert_eq!(texts(&records, "\"text"), ["a"]);
}

#[test]
fn quotes_mean_nothing_between_tabs() {
    let records = read(
        DataFormat::Tsv,
        b"text\tlabel\n\"open\tpos\nit's 5\" long, so\tneg\r\n",
    );
    assert_eq!(texts(&records, "text"), ["\"open", "it's 5\" long, so"]);
    assert_eq!(texts(&records, "label"), ["pos", "neg"]);
    assert_eq!(lines(&records), [2, 3]);
}

#[test]
fn every_bad_row_is_named() {
    let bytes = b"text,label\na,b,c\nonly\ngood,x\nbad \xe9,x\n";
    let problems = problems(DataFormat::Csv, bytes);
    let places: Vec<&str> = problems.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["data:2", "data:3", "data:5"]);
    assert!(
        problems[0]
            .1
            .contains("expected 2 fields as in the header, found 3"),
        "{problems:?}"
    );
    assert!(problems[1].1.contains("found 1"), "{problems:?}");
    assert!(problems[2].1.contains("UTF-8"), "{problems:?}");
}

#[test]
fn bad_headers_and_empty_sources_are_named() {
    let twice = problems(DataFormat::Csv, b"text,text\na,b\n");
    assert_eq!((twice.len(), twice[0].0.as_str()), (1, "data:1"));
    assert!(twice[0].1.contains("\"text\" twice"), "{twice:?}");
    for (format, bytes) in [
        (DataFormat::Jsonl, &b""[..]),
        (DataFormat::Jsonl, b"\n \n"),
        (DataFormat::Csv, b""),
        (DataFormat::Tsv, b"text\tlabel\n"),
    ] {
        let empty = problems(format, bytes);
        assert_eq!((empty.len(), empty[0].0.as_str()), (1, "data"));
    }
}

#[test]
fn the_extension_tells_the_format_unless_one_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, format| DataSource::File {
        path: folder.path().join(name),
        format,
    };
    fs::write(folder.path().join("a.CSV"), "text\n\"a,b\"\n").unwrap();
    assert_eq!(
        texts(&read_records(&file("a.CSV", None)).unwrap(), "text"),
        ["a,b"]
    );
    let as_tabs = read_records(&file("a.CSV", Some(DataFormat::Tsv))).unwrap();
    assert_eq!(texts(&as_tabs, "text"), ["\"a,b\""]);

    fs::write(folder.path().join("a.txt"), "text\n").unwrap();
    let message = read_records(&file("a.txt", None)).unwrap_err().to_string();
    assert!(
        message.contains("found .txt") && message.contains("set `format`"),
        "{message}"
    );

    let error = read_records(&file("absent.jsonl", None)).unwrap_err();
    assert!(matches!(&error, DataError::Read { path, .. } if path.ends_with("absent.jsonl")));
}

/// Prepares a classification task over the file `train.jsonl` of these lines.
fn classify(task: &str, lines: &str) -> Result<TaskData, DataError> {
    let folder = tempfile::tempdir().expect("a folder for the test");
    fs::write(folder.path().join("train.jsonl"), lines).expect("the folder is writable");
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/byte_level");
    let options = PrepareOptions {
        folder: PathBuf::from(folder.path()),
        seed: 0,
        reserve: 0,
        n_positions: 64,
        head: Head::Linear,
    };
    let task: TaskConfig = toml::from_str(&format!("kind = \"classification\"\n{task}"))
        .expect("the test's task is well formed");
    let mut data = DataConfig::new("train.jsonl");
    data.split.validation = Some(0.0);
    TaskData::prepare(&data, &task, &Tokenizer::from_folder(fixture)?, &options)
}

fn record(label: &str) -> String {
    format!("{{\"text\": \"A film\", \"label\": {label}}}\n")
}

#[test]
fn an_unknown_label_names_its_line_and_what_was_meant() {
    let records = ["\"positive\"", "\"postive\"", "\"zebra\"", "null", "2"]
        .map(record)
        .concat();
    let records = records + "{\"text\": \"A film\"}\nno JSON\n";
    let names = "label_names = [\"negative\", \"positive\"]";
    let message = classify(names, &records).unwrap_err().to_string();
    assert!(!message.contains("train.jsonl:1,"), "{message}");
    for line in 2..=6 {
        assert!(
            message.contains(&format!("train.jsonl:{line}, field `label`")),
            "{message}"
        );
    }
    assert!(
        message.contains("train.jsonl:7: expected a JSON object"),
        "{message}"
    );
    assert!(
        message.contains("found \"postive\"\n  hint: did you mean `positive`?"),
        "{message}"
    );
    assert!(
        message.contains("found \"zebra\"\n  hint: there are `negative`, `positive`"),
        "{message}"
    );
}

#[test]
fn labels_are_numbered_named_or_found() {
    let class = |data: &TaskData| -> Vec<String> {
        let targets = data.train.examples.iter().map(|example| &example.target);
        targets.map(|target| format!("{target:?}")).collect()
    };
    let numbers = ["1", "\"0\"", "\"positive\""].map(record).concat();
    let data = classify("label_names = [\"negative\", \"positive\"]", &numbers).unwrap();
    assert_eq!(data.labels, ["negative", "positive"]);
    assert_eq!(class(&data), ["Class(1)", "Class(0)", "Class(1)"]);

    let found = ["10", "9", "-1", "9"].map(record).concat();
    let data = classify("", &found).unwrap();
    assert_eq!(data.labels, ["-1", "9", "10"]);
    assert_eq!(
        class(&data),
        ["Class(2)", "Class(1)", "Class(0)", "Class(1)"]
    );

    let found = ["\"b\"", "\"10\"", "\"9\""].map(record).concat();
    assert_eq!(classify("", &found).unwrap().labels, ["10", "9", "b"]);

    // The order of the label words is that of the classes, whatever that of the names.
    let words = "label_names = [\"negative\", \"positive\"]\n\
                 labels = { positive = \" positive\", negative = \" negative\" }";
    let data = classify(words, &numbers).unwrap();
    assert_eq!(data.labels, ["positive", "negative"]);
    assert_eq!(class(&data), ["Class(0)", "Class(1)", "Class(0)"]);
}

#[test]
fn label_names_and_label_words_must_agree() {
    let words = "label_names = [\"negative\", \"positive\"]\n\
                 labels = { positive = \" positive\", negativ = \" negative\" }";
    let message = classify(words, &record("1")).unwrap_err().to_string();
    assert!(message.contains("label words for `negative`"), "{message}");
    assert!(message.contains("did you mean `negative`?"), "{message}");
}
