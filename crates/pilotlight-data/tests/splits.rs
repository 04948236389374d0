//! Which records become examples of which split, and documents cut into blocks.

use std::{collections::BTreeSet, path::PathBuf};

use pilotlight_data::{
    DataConfig, DataError, DataFormat, DataSource, DataSources, Head, PrepareOptions, Split,
    Target, TaskConfig, TaskData, Tokenizer,
};

fn tokenizer(name: &str) -> Tokenizer {
    let fixtures = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    Tokenizer::from_folder(fixtures.join(name)).expect("the fixture is whole")
}

fn source(name: &'static str, lines: String) -> DataSource {
    DataSource::Embedded {
        name: name.into(),
        bytes: lines.into_bytes().into(),
        format: DataFormat::Jsonl,
    }
}

fn only(train: DataSource) -> DataSources {
    DataSources {
        train,
        validation: None,
        test: None,
    }
}

/// Records of which every fifth has the label 1.
fn records(n_records: usize) -> String {
    let record = |index: usize| {
        let label = usize::from(index.is_multiple_of(5));
        format!("{{\"text\": \"film {index}\", \"label\": {label}}}\n")
    };
    (0..n_records).map(record).collect()
}

fn data(text: &str) -> DataConfig {
    toml::from_str(&format!("train = \"unused\"\n{text}")).expect("the test's data are well formed")
}

fn options(seed: u64) -> PrepareOptions {
    PrepareOptions {
        folder: PathBuf::new(),
        seed,
        reserve: 0,
        n_positions: 64,
        head: Head::Linear,
    }
}

fn classify(sources: &DataSources, config: &str, seed: u64) -> Result<TaskData, DataError> {
    let task: TaskConfig =
        toml::from_str("kind = \"classification\"").expect("the test's task is well formed");
    let tokenizer = tokenizer("byte_level");
    TaskData::prepare_from(sources, &data(config), &task, &tokenizer, &options(seed))
}

fn origins(split: &Split) -> Vec<usize> {
    split
        .examples
        .iter()
        .map(|example| example.origin)
        .collect()
}

fn all(data: &TaskData) -> [Vec<usize>; 3] {
    [&data.train, &data.validation, &data.test].map(origins)
}

#[test]
fn a_tenth_is_split_off_for_validation_unless_said_otherwise() {
    let sources = only(source("train", records(50)));
    let sizes = |config: &str| all(&classify(&sources, config, 1).unwrap()).map(|one| one.len());
    assert_eq!(sizes(""), [45, 5, 0]);
    assert_eq!(sizes("split = { validation = 0.0 }"), [50, 0, 0]);
    assert_eq!(
        sizes("split = { validation = 0.2, test = 0.3 }"),
        [25, 10, 15]
    );
    // A share that was asked for is never nothing.
    assert_eq!(sizes("split = { validation = 0.001 }"), [49, 1, 0]);
}

#[test]
fn splits_are_disjoint_whole_and_in_the_order_of_the_file() {
    let sources = only(source("train", records(50)));
    for seed in 0..10 {
        let data = classify(&sources, "split = { validation = 0.2, test = 0.3 }", seed).unwrap();
        let splits = all(&data);
        assert!(splits.iter().all(|one| one.is_sorted()));
        let union: BTreeSet<usize> = splits.concat().into_iter().collect();
        assert_eq!(union, (1..=50).collect());
        assert_eq!(splits.concat().len(), 50);
    }
}

#[test]
fn the_seed_of_the_run_decides_unless_the_data_have_their_own() {
    let sources = only(source("train", records(50)));
    let draw = |config: &str, seed| all(&classify(&sources, config, seed).unwrap());
    let config = "limit = 20\nsplit = { validation = 0.2 }";
    assert_eq!(draw(config, 1), draw(config, 1));
    assert_ne!(draw(config, 1), draw(config, 2));
    let fixed = "limit = 20\nseed = 1\nsplit = { validation = 0.2 }";
    assert_eq!(draw(fixed, 2), draw(config, 1));
    assert_eq!(draw(fixed, 3), draw(config, 1));
}

#[test]
fn limits_draw_within_each_split_and_change_no_other() {
    let sources = only(source("train", records(100)));
    let shares = "split = { validation = 0.2, test = 0.2 }";
    let whole = all(&classify(&sources, shares, 3).unwrap());
    let limits = format!("limit = 10\nlimit_validation = 5\nlimit_test = 0\n{shares}");
    let limited = all(&classify(&sources, &limits, 3).unwrap());
    assert_eq!(limited.each_ref().map(Vec::len), [10, 5, 0]);
    for (limited, whole) in limited.iter().zip(&whole) {
        assert!(limited.is_sorted());
        assert!(limited.iter().all(|line| whole.contains(line)));
    }
    // It is a draw, not the head of the file.
    assert_ne!(limited[0], whole[0][..10]);
    let generous = all(&classify(&sources, &format!("limit = 999\n{shares}"), 3).unwrap());
    assert_eq!(generous, whole);
}

#[test]
fn few_shot_draws_as_many_of_each_class() {
    let sources = only(source("train", records(100)));
    let count = |config: &str, class| {
        let data = classify(&sources, config, 4).unwrap();
        let targets = data.train.examples.iter().map(|example| &example.target);
        targets
            .filter(|target| **target == Target::Class(class))
            .count()
    };
    let config = "limit_per_class = 16\nsplit = { validation = 0.0 }";
    assert_eq!((count(config, 0), count(config, 1)), (16, 16));
    // There are but 20 of the rarer class.
    let config = "limit_per_class = 30\nsplit = { validation = 0.0 }";
    assert_eq!((count(config, 0), count(config, 1)), (30, 20));
    let data = classify(&sources, "limit_per_class = 2", 4).unwrap();
    assert_eq!(
        (data.train.examples.len(), data.validation.examples.len()),
        (4, 10)
    );
}

#[test]
fn files_for_validation_and_test_are_used_whole() {
    let sources = DataSources {
        validation: Some(source("validation", records(4))),
        test: Some(source("test", records(3))),
        ..only(source("train", records(10)))
    };
    let data = classify(&sources, "", 1).unwrap();
    assert_eq!(
        all(&data),
        [
            (1..=10).collect::<Vec<_>>(),
            (1..=4).collect(),
            (1..=3).collect()
        ]
    );
    // A label that training does not know cannot be learned, and the file is named.
    let sources = DataSources {
        test: Some(source(
            "test",
            "{\"text\": \"film\", \"label\": 2}\n".into(),
        )),
        ..sources
    };
    let message = classify(&sources, "", 1).unwrap_err().to_string();
    assert!(message.starts_with("test:1, field `label`"), "{message}");
}

#[test]
fn problems_of_keys_and_of_all_files_come_in_one_report() {
    let sources = DataSources {
        validation: Some(source("validation", "{\n".into())),
        ..only(source("train", "{\"text\": \"film\"}\nno\n".into()))
    };
    let config = "limit = 0\nlimit_per_class = 0\nsplit = { validation = 0.5, test = 1.5 }";
    let message = classify(&sources, config, 1).unwrap_err().to_string();
    for part in [
        "`data.split.validation`: expected either `data.validation` or a share",
        "`data.split.test`: expected a share",
        "`data.limit`: expected at least 1",
        "`data.limit_per_class`: expected at least 1",
        "train:1, field `label`",
        "train:2: ",
        "validation:1: ",
    ] {
        assert!(message.contains(part), "no {part} in:\n{message}");
    }
}

#[test]
fn something_must_be_left_to_train_on() {
    let sources = only(source("train", records(1)));
    let message = classify(&sources, "", 1).unwrap_err().to_string();
    assert!(
        message.contains("`data.split`: expected records left to train on"),
        "{message}"
    );
}

const DOCUMENTS: [&str; 5] = [
    "A fine film",
    "",
    "The plot is dull.",
    " positive",
    "it is cold",
];

fn documents() -> DataSources {
    let line = |text: &&str| format!("{{\"text\": \"{text}\"}}\n");
    only(source("train", DOCUMENTS.iter().map(line).collect()))
}

fn model_language(tokenizer: &Tokenizer, task: &str) -> Result<TaskData, DataError> {
    let task = format!("kind = \"language-modelling\"\n{task}");
    let task: TaskConfig = toml::from_str(&task).expect("the test's task is well formed");
    let data = data("split = { validation = 0.0 }");
    TaskData::prepare_from(&documents(), &data, &task, tokenizer, &options(0))
}

#[test]
fn blocks_hold_all_documents_each_closed_by_the_end_token() {
    let tokenizer = tokenizer("byte_level");
    let mut joined = Vec::new();
    let mut ends = Vec::new();
    for (index, text) in DOCUMENTS
        .iter()
        .enumerate()
        .filter(|(_, text)| !text.is_empty())
    {
        joined.extend(tokenizer.encode(text, false).unwrap());
        joined.push(0);
        ends.push((joined.len(), index + 1));
    }
    for block_size in 2..12 {
        let task = format!("block_size = {block_size}");
        let data = model_language(&tokenizer, &task).unwrap();
        let blocks = &data.train.examples;
        // A single token that is left over has nothing to predict.
        let n_left = joined.len() % block_size;
        let used = joined.len() - usize::from(n_left == 1);
        let all: Vec<u32> = blocks
            .iter()
            .flat_map(|block| block.input.ids.clone())
            .collect();
        assert_eq!(all, joined[..used], "block_size = {block_size}");
        let full = used / block_size;
        assert!(
            blocks[..full]
                .iter()
                .all(|block| block.input.ids.len() == block_size)
        );
        assert_eq!(blocks.len(), used.div_ceil(block_size));
        for (index, block) in blocks.iter().enumerate() {
            assert_eq!(block.target, Target::Text);
            let origin = ends.iter().find(|(end, _)| *end > index * block_size);
            assert_eq!(Some(block.origin), origin.map(|(_, line)| *line));
        }
    }
}

#[test]
fn without_blocks_each_document_is_an_example() {
    let tokenizer = tokenizer("byte_level");
    let task = "append_eos = true\nmax_tokens = 3\ntext = \"text\"";
    // The empty document is a problem here: it is an example of nothing.
    let message = model_language(&tokenizer, task).unwrap_err().to_string();
    assert!(
        message.starts_with("train:2: expected an input with tokens"),
        "{message}"
    );

    let task = "append_eos = true\nmax_tokens = 3\ntemplate = \"A {{ text }}\"";
    let data = model_language(&tokenizer, task).unwrap();
    assert_eq!(data.train.examples.len(), DOCUMENTS.len());
    for example in &data.train.examples {
        let ids = &example.input.ids;
        assert!(
            ids.len() <= 3 && ids[0] == 33 && ids.last() == Some(&0),
            "{ids:?}"
        );
    }
    assert!(data.train.truncation.examples > 0);
}

#[test]
fn blocks_need_an_end_token_a_size_that_fits_and_language_modelling() {
    let message = model_language(&tokenizer("word_piece"), "block_size = 8").unwrap_err();
    assert!(
        message
            .to_string()
            .contains("`eos_token` in tokenizer_config.json"),
        "{message}"
    );
    for size in [0, 1, 65] {
        let task = format!("block_size = {size}");
        let message = model_language(&tokenizer("byte_level"), &task)
            .unwrap_err()
            .to_string();
        assert!(message.contains("expected 2 to 64 tokens"), "{message}");
    }
    let task: TaskConfig = toml::from_str("kind = \"completion\"\nblock_size = 8").unwrap();
    let result = TaskData::prepare_from(
        &documents(),
        &data(""),
        &task,
        &tokenizer("byte_level"),
        &options(0),
    );
    let message = result.unwrap_err().to_string();
    assert!(
        message.contains("only language modelling joins its texts"),
        "{message}"
    );
}

/// Records of two domains, each with both labels.
fn domains(n_records: usize) -> String {
    let record = |index: usize| {
        let domain = ["film", "food"][index % 2];
        let label = index / 2 % 2;
        format!(
            "{{\"text\": \"{domain} {index}\", \"label\": {label}, \"domain\": \"{domain}\"}}\n"
        )
    };
    (0..n_records).map(record).collect()
}

/// Lines of the records of a split.
fn lines(split: &Split) -> Vec<usize> {
    split
        .examples
        .iter()
        .map(|example| example.origin)
        .collect()
}

#[test]
fn training_and_test_may_be_of_different_records() {
    let sources = DataSources {
        train: source("train", domains(40)),
        validation: Some(source("validation", domains(8))),
        test: Some(source("test", domains(8))),
    };
    let shifted = "where_train.domain = \"film\"\nwhere_test.domain = \"food\"";
    let found = classify(&sources, shifted, 1).expect("sound");
    // Films stand on the odd lines.
    assert_eq!(lines(&found.train).len(), 20);
    assert!(lines(&found.train).iter().all(|line| line % 2 == 1));
    assert_eq!(lines(&found.validation), [1, 3, 5, 7]);
    assert_eq!(lines(&found.test), [2, 4, 6, 8]);
    let same = classify(&sources, "where = { domain = [\"food\"], label = 0 }", 1).expect("sound");
    assert_eq!(lines(&same.test), [2, 6]);
    // Classes are those of all records.
    assert_eq!(same.labels, ["0", "1"]);

    // What is split off is so before the filters divide it.
    let one = classify(
        &only(source("all", domains(40))),
        &format!("{shifted}\nsplit.test = 0.5"),
        1,
    );
    let one = one.expect("sound");
    assert!(lines(&one.train).iter().all(|line| line % 2 == 1));
    assert!(lines(&one.test).iter().all(|line| line % 2 == 0));

    let none = classify(&sources, "where_test.domain = \"flim\"", 1).expect_err("no such domain");
    assert!(none.to_string().contains("`data.where_test`"), "{none}");
    let typo = classify(&sources, "where.domian = \"film\"", 1).expect_err("no such field");
    assert!(
        typo.to_string().contains("did you mean `domain`?"),
        "{typo}"
    );
}
