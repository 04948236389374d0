//! Tokenizers against what Python's `tokenizers` makes of the same texts (`fixtures/make_tokenizers.py`).

use std::{fs, path::PathBuf};

use pilotlight_data::{
    DataError, Head, PrepareOptions, Prepared, Preparer, Record, TaskConfig, Tokenizer,
};
use serde_json::Value;

const NAMES: [&str; 2] = ["byte_level", "word_piece"];

fn folder(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).join(name)
}

fn load(name: &str) -> Tokenizer {
    Tokenizer::from_folder(folder(name)).expect("the fixture is whole")
}

fn golden(name: &str) -> Value {
    let bytes = fs::read(folder(name).join("golden.json")).expect("the fixture is there");
    serde_json::from_slice(&bytes).expect("the fixture is JSON")
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).expect("a list of ids")
}

#[test]
fn texts_have_the_tokens_of_the_reference() {
    for name in NAMES {
        let tokenizer = load(name);
        let golden = golden(name);
        let texts = golden["texts"].as_array().unwrap();
        assert_eq!(texts.len(), 5);
        for expected in texts {
            let text = expected["text"].as_str().unwrap();
            // The byte-level file asks for padding and truncation to 64: neither may show.
            let plain = tokenizer.encode(text, false).unwrap();
            assert_eq!(plain, ids(&expected["ids"]), "{name}: {text:?}");
            let special = tokenizer.encode(text, true).unwrap();
            assert_eq!(
                special,
                ids(&expected["with_special_tokens"]),
                "{name}: {text:?}"
            );
        }
    }
}

#[test]
fn long_texts_are_not_truncated() {
    let tokenizer = load("byte_level");
    let ids = tokenizer.encode(&" positive".repeat(100), false).unwrap();
    assert_eq!(ids, [323; 100]);
}

#[test]
fn a_pair_has_the_tokens_and_segments_of_the_reference() {
    let options = PrepareOptions {
        folder: PathBuf::new(),
        seed: 0,
        reserve: 0,
        n_positions: 64,
        head: Head::Linear,
    };
    let task: TaskConfig = toml::from_str(
        r#"
        kind = "classification"
        parts = [
            { name = "first", template = "{{ first }}" },
            { name = "second", template = "{{ second }}", second_sequence = true },
        ]
        "#,
    )
    .unwrap();
    for name in NAMES {
        let tokenizer = load(name);
        let golden = golden(name);
        let text = |index: usize| golden["texts"][index]["text"].clone();
        let record = Record {
            line: 1,
            fields: [("first".into(), text(0)), ("second".into(), text(1))]
                .into_iter()
                .collect(),
        };
        let preparer = Preparer::new(&task, &tokenizer, &options).unwrap();
        let Prepared {
            value: row,
            tokens_cut,
        } = preparer.input(&record, "pair", 0).unwrap();
        assert_eq!(row.ids, ids(&golden["pair"]["ids"]), "{name}");
        assert_eq!(
            row.token_types,
            ids(&golden["pair"]["token_types"]),
            "{name}"
        );
        assert_eq!(tokens_cut, 0);
    }
}

#[test]
fn byte_level_tokens_give_their_text_back() {
    let tokenizer = load("byte_level");
    for expected in golden("byte_level")["texts"].as_array().unwrap() {
        let text = expected["text"].as_str().unwrap();
        let decoded = tokenizer.decode(&ids(&expected["ids"]), false).unwrap();
        assert_eq!(decoded, text);
        let without = tokenizer.decode(&ids(&expected["ids"]), true).unwrap();
        assert_eq!(without, text.replace("<|end|>", ""));
    }
}

#[test]
fn single_tokens_show_as_they_stand_in_a_text() {
    let tokenizer = load("byte_level");
    assert_eq!(tokenizer.token_text(323), " positive");
    assert_eq!(tokenizer.token_text(199), "\n");
    // Half a character is no text: its vocabulary entry stands for it.
    assert!(
        !tokenizer
            .token_text(128)
            .contains(char::REPLACEMENT_CHARACTER)
    );
    assert_eq!(tokenizer.token_to_id(&tokenizer.token_text(128)), Some(128));
    assert_eq!(tokenizer.token_text(99_999), "[99999]");
}

#[test]
fn special_tokens_are_known_by_their_roles() {
    let tokenizer = load("byte_level");
    assert_eq!(
        (tokenizer.bos(), tokenizer.eos(), tokenizer.pad()),
        (None, Some(0), Some(0))
    );
    assert!(tokenizer.is_special(0) && !tokenizer.is_special(323));
    assert_eq!(tokenizer.n_vocab(), 325);

    let tokenizer = load("word_piece");
    assert_eq!((tokenizer.eos(), tokenizer.pad()), (None, Some(0)));
    assert!((0..4).all(|id| tokenizer.is_special(id)));
    assert!(!tokenizer.is_special(4));
    assert_eq!(tokenizer.token_to_id("film"), Some(6));
    assert_eq!(tokenizer.token_to_id("absent"), None);
}

#[test]
fn bytes_make_the_same_tokenizer_as_a_folder_and_the_newer_file_wins() {
    let read = |name: &str| fs::read(folder("byte_level").join(name)).unwrap();
    let file = read("tokenizer.json");
    let special = br#"{"eos_token": "A", "bos_token": {"content": "<|end|>"}}"#;
    let tokenizer =
        Tokenizer::from_bytes(&file, Some(&read("tokenizer_config.json")), Some(special)).unwrap();
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(0), Some(0)));
    assert_eq!(tokenizer.encode(" positive", false).unwrap(), [323]);
    let tokenizer = Tokenizer::from_bytes(&file, None, None).unwrap();
    assert_eq!((tokenizer.eos(), tokenizer.pad()), (None, None));
}

#[test]
fn broken_files_are_named() {
    let empty = tempfile::tempdir().unwrap();
    let error = Tokenizer::from_folder(empty.path()).unwrap_err();
    assert!(matches!(&error, DataError::Read { path, .. } if path.ends_with("tokenizer.json")));

    fs::write(empty.path().join("tokenizer.json"), "{").unwrap();
    let message = Tokenizer::from_folder(empty.path())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("tokenizer.json") && message.contains("hint: "),
        "{message}"
    );

    fs::copy(
        folder("word_piece").join("tokenizer.json"),
        empty.path().join("tokenizer.json"),
    )
    .unwrap();
    let config = empty.path().join("tokenizer_config.json");
    fs::write(&config, r#"{"eos_token": "<nowhere>"}"#).unwrap();
    let message = Tokenizer::from_folder(empty.path())
        .unwrap_err()
        .to_string();
    assert!(message.contains("eos_token `<nowhere>`"), "{message}");

    fs::write(&config, "no JSON").unwrap();
    let message = Tokenizer::from_folder(empty.path())
        .unwrap_err()
        .to_string();
    assert!(message.contains("tokenizer_config.json"), "{message}");
}
