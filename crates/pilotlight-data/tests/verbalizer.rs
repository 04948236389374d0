//! Label words, and the room they take.

use std::path::PathBuf;

use pilotlight_data::{
    DataConfig, DataError, DataFormat, DataSource, DataSources, Head, PrepareOptions, Preparer,
    TaskConfig, TaskData, Tokenizer, Verbalizer,
};

fn tokenizer() -> Tokenizer {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/byte_level");
    Tokenizer::from_folder(folder).expect("the fixture is whole")
}

fn task(labels: &str) -> TaskConfig {
    let text = format!("kind = \"classification\"\n[labels]\n{labels}");
    toml::from_str(&text).expect("the test's task is well formed")
}

fn options() -> PrepareOptions {
    PrepareOptions {
        folder: PathBuf::new(),
        seed: 0,
        reserve: 0,
        n_positions: 64,
        head: Head::Verbalizer,
    }
}

fn places(error: &DataError) -> Vec<String> {
    let DataError::Problems(problems) = error else {
        panic!("not a list of problems: {error}");
    };
    problems
        .listed()
        .iter()
        .map(|problem| problem.place.to_string())
        .collect()
}

#[test]
fn words_are_tokenised_as_written_in_the_order_of_the_labels() {
    let task = task(
        "positive = \" positive\"\nnegative = [\" negative\", \"negative\", \" slow and cold\"]",
    );
    let tokenizer = tokenizer();
    let verbalizer = Verbalizer::of_task(&task, &tokenizer).unwrap();
    let encode = |text: &str| tokenizer.encode(text, false).unwrap();
    let [positive, negative] = &verbalizer.labels[..] else {
        panic!("two labels");
    };
    assert_eq!(
        (positive.name.as_str(), negative.name.as_str()),
        ("positive", "negative")
    );
    assert_eq!(positive.words, [vec![323]]);
    assert_eq!(
        negative.words,
        [
            encode(" negative"),
            encode("negative"),
            encode(" slow and cold")
        ]
    );
    assert_ne!(negative.words[0], negative.words[1]);
    let longest = negative.words.iter().map(Vec::len).max().unwrap();
    assert!(longest > 1);
    assert_eq!(verbalizer.longest_word(), longest);
}

#[test]
fn words_get_no_special_tokens() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/word_piece");
    let tokenizer = Tokenizer::from_folder(folder).unwrap();
    let verbalizer =
        Verbalizer::of_task(&task("a = \"positive\"\nb = \"film\""), &tokenizer).unwrap();
    assert_eq!(verbalizer.labels[0].words, [[23, 24, 25]]);
    assert_eq!(verbalizer.labels[1].words, [[6]]);
}

#[test]
fn all_unfit_words_are_reported() {
    let task = task("a = \" positive\"\nb = [\" negative\", \" positive\"]\nc = []\nd = \"\"");
    let error = Verbalizer::of_task(&task, &tokenizer()).unwrap_err();
    assert_eq!(
        places(&error),
        ["`task.labels.b`", "`task.labels.c`", "`task.labels.d`"]
    );
    let message = error.to_string();
    assert!(message.contains("a word of `task.labels.a`"), "{message}");
}

#[test]
fn one_label_is_no_choice() {
    for labels in ["", "a = \" positive\""] {
        let error = Verbalizer::of_task(&task(labels), &tokenizer()).unwrap_err();
        assert_eq!(places(&error), ["`task.labels`"]);
        assert!(error.to_string().contains("head = \"linear\""));
    }
}

#[test]
fn words_are_read_only_where_no_linear_head_is() {
    let mut task = task("a = \" positive\"\nb = \" negative\"");
    let tokenizer = tokenizer();
    assert!(
        Preparer::new(&task, &tokenizer, &options())
            .unwrap()
            .verbalizer()
            .is_some()
    );
    task.head = Some(Head::Linear);
    assert!(
        Preparer::new(&task, &tokenizer, &options())
            .unwrap()
            .verbalizer()
            .is_none()
    );
    task.head = None;
    let linear = PrepareOptions {
        head: Head::Linear,
        ..options()
    };
    assert!(
        Preparer::new(&task, &tokenizer, &linear)
            .unwrap()
            .verbalizer()
            .is_none()
    );
}

#[test]
fn every_input_leaves_room_for_the_longest_word() {
    let mut task = task("a = \" positive\"\nb = \" slow and cold\"");
    task.max_tokens = 7;
    let tokenizer = tokenizer();
    let sources = DataSources {
        train: DataSource::Embedded {
            name: "train".into(),
            bytes: (&br#"{"text": "A fine film, warm and funny.", "label": "a"}"#[..]).into(),
            format: DataFormat::Jsonl,
        },
        validation: None,
        test: None,
    };
    let mut data = DataConfig::new("unused");
    data.split.validation = Some(0.0);
    let data = TaskData::prepare_from(&sources, &data, &task, &tokenizer, &options()).unwrap();
    let longest = data.verbalizer.as_ref().unwrap().longest_word();
    let all = tokenizer
        .encode("A fine film, warm and funny.", false)
        .unwrap();
    assert!(longest > 1 && longest < 7);
    assert_eq!(data.train.examples[0].input.ids, all[..7 - longest]);
    assert_eq!(data.train.truncation.tokens_cut, all.len() - (7 - longest));
}
