//! Templates, the places of their parts, and what is cut where an input is too long.

use std::path::PathBuf;

use pilotlight_core::TokenRow;
use pilotlight_data::{
    DataConfig, DataError, DataFormat, DataSource, DataSources, Head, PrepareOptions, Preparer,
    Target, TaskConfig, TaskData, Tokenizer,
};

fn tokenizer(name: &str) -> Tokenizer {
    let fixtures = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    Tokenizer::from_folder(fixtures.join(name)).expect("the fixture is whole")
}

fn task(text: &str) -> TaskConfig {
    toml::from_str(text).expect("the test's task is well formed")
}

fn options() -> PrepareOptions {
    PrepareOptions {
        folder: PathBuf::new(),
        seed: 0,
        reserve: 0,
        n_positions: 1024,
        head: Head::Verbalizer,
    }
}

/// All records as training examples.
fn prepare(
    task: &TaskConfig,
    tokenizer: &Tokenizer,
    options: &PrepareOptions,
    lines: &'static str,
) -> Result<TaskData, DataError> {
    let sources = DataSources {
        train: DataSource::Embedded {
            name: "train".into(),
            bytes: lines.as_bytes().into(),
            format: DataFormat::Jsonl,
        },
        validation: None,
        test: None,
    };
    let mut data = DataConfig::new("unused");
    data.split.validation = Some(0.0);
    TaskData::prepare_from(&sources, &data, task, tokenizer, options)
}

fn text(tokenizer: &Tokenizer, row: &TokenRow) -> String {
    let words: Vec<_> = row.ids.iter().map(|&id| tokenizer.token_text(id)).collect();
    words.join(" ")
}

fn parts(row: &TokenRow) -> Vec<(&str, usize)> {
    let parts = row.anchors.parts.iter();
    parts.map(|(name, place)| (&**name, *place)).collect()
}

const PARTS: &str = r#"
    kind = "completion"
    parts = [
        { name = "premise", template = "premise: {{ premise }}" },
        { name = "question", template = " question: {{ question }}?", truncate = false },
    ]
"#;

#[test]
fn named_parts_end_at_their_anchors_behind_the_leading_special_token() {
    let tokenizer = tokenizer("word_piece");
    let data = r#"{"premise": "it is warm", "question": "is it cold", "target": "the plot"}"#;
    let data = prepare(&task(PARTS), &tokenizer, &options(), data).unwrap();
    let example = &data.train.examples[0];
    assert_eq!(
        text(&tokenizer, &example.input),
        "[CLS] premise : it is warm question : is it cold ?"
    );
    assert_eq!(parts(&example.input), [("premise", 6), ("question", 12)]);
    assert_eq!(example.input.anchors.answer, None);
    assert_eq!(
        example.target,
        Target::Completion(tokenizer.encode("the plot", false).unwrap())
    );
}

#[test]
fn each_expression_of_a_whole_template_is_a_part_even_when_empty() {
    let tokenizer = tokenizer("word_piece");
    let task = task(
        r#"
        kind = "completion"
        template = "premise: {{ premise }} question: {{ question }}"
        "#,
    );
    let lines = "{\"premise\": \"it is warm\", \"question\": \"is it cold\", \"target\": \"a\"}\n\
                 {\"premise\": \"\", \"question\": \"is it cold\", \"target\": \"a\"}";
    let data = prepare(&task, &tokenizer, &options(), lines).unwrap();
    let [full, empty] = &data.train.examples[..] else {
        panic!("two records make two examples");
    };
    assert_eq!(parts(&full.input), [("premise", 6), ("question", 11)]);
    assert_eq!(
        text(&tokenizer, &empty.input),
        "[CLS] premise : question : is it cold"
    );
    assert_eq!(parts(&empty.input), [("premise", 3), ("question", 8)]);
}

#[test]
fn parts_change_no_token() {
    let tokenizer = tokenizer("byte_level");
    let task = task(
        r#"
        kind = "completion"
        parts = [
            { name = "one", template = "A fi" },
            { name = "two", template = "ne{{ rest }}" },
        ]
        "#,
    );
    let data = prepare(
        &task,
        &tokenizer,
        &options(),
        r#"{"rest": " film", "target": " positive"}"#,
    )
    .unwrap();
    let input = &data.train.examples[0].input;
    assert_eq!(input.ids, tokenizer.encode("A fine film", false).unwrap());
    // " fine" begins in the first part and belongs to it.
    assert_eq!(parts(input), [("one", 2), ("two", 3)]);
}

#[test]
fn only_what_may_be_cut_is_cut_and_all_of_it_is_counted() {
    let tokenizer = tokenizer("word_piece");
    let mut task = task(PARTS);
    let lines = concat!(
        r#"{"premise": "it is warm and slow", "question": "is it cold", "target": "the plot"}"#,
        "\n",
        r#"{"premise": "warm", "question": "is it cold", "target": "a"}"#,
    );
    // The first example has 14 tokens and 2 of the answer, the second 10 and 1.
    task.max_tokens = 13;
    let data = prepare(&task, &tokenizer, &options(), lines).unwrap();
    let [cut, whole] = &data.train.examples[..] else {
        panic!("two records make two examples");
    };
    assert_eq!(
        text(&tokenizer, &cut.input),
        "[CLS] premise : it is question : is it cold ?"
    );
    assert_eq!(parts(&cut.input), [("premise", 5), ("question", 11)]);
    assert_eq!(
        cut.target,
        Target::Completion(tokenizer.encode("the plot", false).unwrap())
    );
    assert_eq!(
        text(&tokenizer, &whole.input),
        "[CLS] premise : warm question : is it cold ?"
    );
    assert_eq!(data.train.truncation.examples, 1);
    assert_eq!(data.train.truncation.tokens_cut, 3);
}

#[test]
fn the_longest_part_is_cut_first() {
    let tokenizer = tokenizer("word_piece");
    let mut task = task(PARTS);
    task.parts[1].truncate = true;
    task.max_tokens = 11;
    // 5 + 3 tokens of fields, 6 of the template, 1 of the answer: 4 too many.
    let lines = r#"{"premise": "it is warm and slow", "question": "is it cold", "target": "a"}"#;
    let data = prepare(&task, &tokenizer, &options(), lines).unwrap();
    assert_eq!(
        text(&tokenizer, &data.train.examples[0].input),
        "[CLS] premise : it is question : is it ?"
    );
    assert_eq!(data.train.truncation.tokens_cut, 4);
}

#[test]
fn what_cannot_be_cut_enough_is_a_problem_of_its_record() {
    let tokenizer = tokenizer("word_piece");
    let mut task = task(PARTS);
    task.max_tokens = 9;
    let lines = concat!(
        r#"{"premise": "warm", "question": "is", "target": "a"}"#,
        "\n",
        r#"{"premise": "warm", "question": "is it cold", "target": "a"}"#,
        "\n",
        r#"{"premise": "warm", "question": "is it cold", "target": "the plot"}"#,
    );
    let message = prepare(&task, &tokenizer, &options(), lines)
        .unwrap_err()
        .to_string();
    assert!(!message.contains("train:1"), "{message}");
    assert!(
        message.contains(
            "train:2: expected an input of at most 8 tokens beside 1 of the answer, found 9 "
        ),
        "{message}"
    );
    assert!(
        message.contains("train:3: expected an input of at most 7 tokens beside 2"),
        "{message}"
    );
    assert!(message.contains("hint: raise `max_tokens`"), "{message}");
}

#[test]
fn a_soft_prompt_takes_its_positions_from_the_input() {
    let tokenizer = tokenizer("word_piece");
    let options = PrepareOptions {
        reserve: 20,
        n_positions: 33,
        ..options()
    };
    let lines =
        r#"{"premise": "it is warm and slow", "question": "is it cold", "target": "the plot"}"#;
    let data = prepare(&task(PARTS), &tokenizer, &options, lines).unwrap();
    assert_eq!(data.train.examples[0].input.ids.len(), 11);
    let none_left = PrepareOptions {
        n_positions: 20,
        ..options
    };
    let message = prepare(&task(PARTS), &tokenizer, &none_left, lines)
        .unwrap_err()
        .to_string();
    assert!(message.contains("`task.max_tokens`"), "{message}");
}

#[test]
fn a_cut_pair_keeps_its_special_tokens_and_segments() {
    let tokenizer = tokenizer("word_piece");
    let mut task = task(
        r#"
        kind = "classification"
        head = "linear"
        label_names = ["no", "yes"]
        parts = [
            { name = "first", template = "{{ first }}" },
            { name = "second", template = "{{ second }}", second_sequence = true },
        ]
        "#,
    );
    task.max_tokens = 7;
    let lines = r#"{"first": "it is warm and slow", "second": "is it cold", "label": 1}"#;
    let data = prepare(&task, &tokenizer, &options(), lines).unwrap();
    let example = &data.train.examples[0];
    assert_eq!(
        text(&tokenizer, &example.input),
        "[CLS] it is [SEP] is it [SEP]"
    );
    assert_eq!(example.input.token_types, [0, 0, 0, 0, 1, 1, 1]);
    assert_eq!(parts(&example.input), [("first", 3), ("second", 6)]);
    assert_eq!(example.target, Target::Class(1));
}

#[test]
fn the_closing_token_is_part_of_the_answer_and_never_cut() {
    let tokenizer = tokenizer("byte_level");
    let task = task("kind = \"completion\"\nappend_eos = true\nmax_tokens = 3");
    let lines = r#"{"text": "A fine film", "target": " positive"}"#;
    let data = prepare(&task, &tokenizer, &options(), lines).unwrap();
    let example = &data.train.examples[0];
    assert_eq!(example.input.ids, tokenizer.encode("A", false).unwrap());
    assert_eq!(example.target, Target::Completion(vec![323, 0]));
    let row = example.with_answer(&[323, 0]);
    assert_eq!((row.ids.len(), row.anchors.answer), (3, Some(1)));
}

#[test]
fn missing_null_and_empty_fields_are_named() {
    let tokenizer = tokenizer("word_piece");
    let lines = concat!(
        r#"{"premis": "warm", "question": "is", "target": "a"}"#,
        "\n",
        r#"{"premise": null, "question": "is", "target": "a"}"#,
        "\n",
        r#"{"premise": "warm", "question": "is", "target": ""}"#,
    );
    let message = prepare(&task(PARTS), &tokenizer, &options(), lines)
        .unwrap_err()
        .to_string();
    assert!(message.contains("train:1, field `premise`"), "{message}");
    assert!(message.contains("did you mean `premis`?"), "{message}");
    assert!(message.contains("train:2, field `premise`"), "{message}");
    assert!(message.contains("found null"), "{message}");
    assert!(message.contains("train:3, field `target`"), "{message}");
}

#[test]
fn keys_that_do_not_fit_together_are_reported_at_once() {
    let tokenizer = tokenizer("word_piece");
    let task = task(
        r#"
        kind = "completion"
        append_eos = true
        template = "{{ text }}"
        parts = [
            { name = "a", template = "a", second_sequence = true },
            { name = "a", template = "b" },
        ]
        "#,
    );
    let error = Preparer::new(&task, &tokenizer, &options()).unwrap_err();
    let DataError::Problems(problems) = &error else {
        panic!("not a list of problems: {error}");
    };
    let places: Vec<String> = problems
        .listed()
        .iter()
        .map(|one| one.place.to_string())
        .collect();
    assert_eq!(
        places,
        [
            "`task.parts`",
            "`task.parts[0].second_sequence`",
            "`task.parts[1].name`",
            "`task.append_eos`"
        ]
    );
}

#[test]
fn all_templates_that_do_not_compile_are_named() {
    let tokenizer = tokenizer("word_piece");
    let mut task = task(PARTS);
    task.parts[0].template = "{{ premise".into();
    task.parts[1].template = "{% if %}".into();
    let message = Preparer::new(&task, &tokenizer, &options())
        .unwrap_err()
        .to_string();
    assert!(message.contains("`task.parts[0].template`"), "{message}");
    assert!(message.contains("`task.parts[1].template`"), "{message}");
}
