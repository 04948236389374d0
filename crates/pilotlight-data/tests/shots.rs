//! Examples in front of every input.

use std::path::PathBuf;

use pilotlight_data::{
    DataConfig, DataError, DataFormat, DataSource, DataSources, Head, PrepareOptions, TaskConfig,
    TaskData, Tokenizer,
};

fn tokenizer() -> Tokenizer {
    let fixtures = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    Tokenizer::from_folder(fixtures.join("byte_level")).expect("the fixture is whole")
}

fn source(name: &'static str, records: &[(&str, &str)]) -> DataSource {
    let lines: String = records
        .iter()
        .map(|(text, label)| format!("{{\"text\": \"{text}\", \"label\": \"{label}\"}}\n"))
        .collect();
    DataSource::Embedded {
        name: name.into(),
        bytes: lines.into_bytes().into(),
        format: DataFormat::Jsonl,
    }
}

fn prepare(task: &str, seed: u64, n_positions: usize) -> Result<TaskData, DataError> {
    let train = [
        ("one", "good"),
        ("two", "bad"),
        ("three", "good"),
        ("four", "bad"),
        ("five", "good"),
        ("six", "bad"),
    ];
    let sources = DataSources {
        train: source("train", &train),
        validation: Some(source("validation", &train)),
        test: Some(source("test", &[("the end", "good")])),
    };
    let task: TaskConfig = toml::from_str(&format!(
        "kind = \"classification\"\ntemplate = \"{{{{ text }}}} is\"\nmax_tokens = 12\n\
         labels = {{ bad = [\" no\", \" bad\"], good = \" yes\" }}\n{task}"
    ))
    .expect("the test's task is well formed");
    let options = PrepareOptions {
        folder: PathBuf::new(),
        seed,
        reserve: 0,
        n_positions,
        head: Head::Verbalizer,
    };
    TaskData::prepare_from(
        &sources,
        &DataConfig::new("unused"),
        &task,
        &tokenizer(),
        &options,
    )
}

fn text(data: &TaskData) -> String {
    let input = &data.test.examples[0].input;
    tokenizer().decode(&input.ids, false).expect("text")
}

#[test]
fn every_input_has_the_same_examples_in_front() {
    let data = prepare("shots = 2", 1, 256).expect("sound");
    let test = text(&data);
    assert!(test.ends_with("\n\nthe end is"), "{test:?}");
    let shown: Vec<&str> = test.split("\n\n").collect();
    assert_eq!(shown.len(), 5, "{test:?}");
    let of = |ending: &str| shown.iter().filter(|it| it.ends_with(ending)).count();
    // The first of several label words says the label.
    assert_eq!((of(" is yes"), of(" is no")), (2, 2), "{test:?}");
    // Every input has them, with its named parts where they were.
    let length = data.test.examples[0].input.ids.len();
    let plain = prepare("", 1, 256).expect("sound");
    let shift = length - plain.test.examples[0].input.ids.len();
    for (with, without) in data.train.examples.iter().zip(&plain.train.examples) {
        assert_eq!(with.input.ids.len(), without.input.ids.len() + shift);
        let ends = |example: &pilotlight_data::Example| example.input.anchors.parts[0].1;
        assert_eq!(ends(with), ends(without) + shift);
    }
    // The seed of the run draws them.
    let again = text(&prepare("shots = 2", 1, 256).expect("sound"));
    assert_eq!(again, test);
    let drawn: std::collections::BTreeSet<String> = (2..8)
        .map(|seed| text(&prepare("shots = 2", seed, 256).expect("sound")))
        .collect();
    assert!(drawn.len() > 1);
}

#[test]
fn examples_that_do_not_fit_or_make_no_sense_are_refused() {
    let error = prepare("shots = 2", 1, 40).expect_err("no room");
    assert!(error.to_string().contains("`task.shots`"), "{error}");
    let error = prepare("shots = 1\nhead = \"linear\"", 1, 256).expect_err("no words");
    assert!(error.to_string().contains("label words"), "{error}");
}
