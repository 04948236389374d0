use serde::{Deserialize, Serialize};

use super::*;
use crate::{
    soft_prompt::{Init, Place, PlacedVectors, Placement},
    test_support::llama,
};

#[derive(Debug, Serialize, Deserialize)]
struct File {
    tuner: TunerConfig,
}

fn read(keys: &str) -> Result<TunerConfig, String> {
    let file: Result<File, _> = toml::from_str(&format!("[tuner]\n{keys}"));
    file.map(|file| file.tuner)
        .map_err(|error| error.message().to_owned())
}

#[track_caller]
fn check_error(keys: &str, expected: &[&str]) {
    let message = read(keys).expect_err("an error");
    for part in expected {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn keys_stand_beside_the_method() {
    let expected = SoftPromptConfig {
        prompt_length: Some(7),
        placement: Placement::Whole(Place::AfterPart("text".into())),
        init: Some(Init::RandomNormal),
        std: Some(0.5),
        ..SoftPromptConfig::default()
    };
    let keys = "method = 'soft-prompt'\nprompt_length = 7\nplacement = { after_part = 'text' }\n\
                init = 'random-normal'\nstd = 0.5";
    assert_eq!(read(keys), Ok(expected.into()));
    assert_eq!(read("method = 'none'"), Ok(TunerConfig::default()));
    assert_eq!(
        read("from = 'run/adapter'"),
        Ok(TunerConfig::Saved("run/adapter".into()))
    );
}

#[test]
fn a_config_survives_toml() {
    let split = Placement::Split(vec![
        PlacedVectors {
            place: Place::Before,
            length: 2,
        },
        PlacedVectors {
            place: Place::AfterTokens(3),
            length: 1,
        },
    ]);
    let configs: [TunerConfig; 5] = [
        TunerConfig::default(),
        SoftPromptConfig::default().into(),
        SoftPromptConfig {
            placement: split,
            ..SoftPromptConfig::default()
        }
        .into(),
        LoraConfig {
            alpha: 3.5,
            rank_pattern: [("q_proj".to_owned(), 4)].into_iter().collect(),
            ..LoraConfig::default()
        }
        .into(),
        TunerConfig::Saved("a/b".into()),
    ];
    for tuner in configs {
        let text = toml::to_string(&File {
            tuner: tuner.clone(),
        });
        let text = text.expect("toml");
        let back: File = toml::from_str(&text).expect("the same toml");
        assert_eq!(back.tuner, tuner, "{text}");
    }
}

#[test]
fn a_prefix_takes_positions_without_inserting_vectors() {
    let counts = |keys: &str| {
        let config = read(keys).expect("a config");
        (config.reserve(), config.inserted())
    };
    assert_eq!(counts("method = 'soft-prompt'\nprompt_length = 7"), (7, 7));
    assert_eq!(counts("method = 'prefix'\nprefix_length = 7"), (7, 0));
    assert_eq!(counts("method = 'lora'"), (0, 0));
}

#[test]
fn a_wrong_key_is_named() {
    check_error(
        "method = 'soft-prompt'\nprompt_lenght = 7",
        &[
            "`prompt_lenght` is no key of method `soft-prompt`",
            "did you mean `prompt_length`?",
        ],
    );
    check_error("method = 'none'\nrank = 7", &["`rank`", "which has none"]);
    check_error(
        "method = 'lora'\nranks = 7\nalfa = 1",
        &["did you mean `rank`?", "did you mean `alpha`?"],
    );
}

#[test]
fn the_key_of_a_wrong_value_is_named() {
    check_error(
        "method = 'lora'\nrank = 'high'",
        &["`rank`", "invalid type"],
    );
    check_error("method = 'lora'\ntargets = 3", &["`targets`", "all-linear"]);
    check_error(
        "method = 'soft-prompt'\nplacement = 'befor'",
        &["`placement`", "unknown variant `befor`", "`before`"],
    );
    check_error(
        "method = 'soft-prompt'\nplacement = [{ place = 'before', lenght = 3 }]",
        &["`placement[0].lenght`"],
    );
    check_error("method = 3", &["`method` must be a text"]);
}

#[test]
fn an_unknown_or_missing_method_is_refused() {
    check_error("method = 'softprompt'", &["did you mean `soft-prompt`?"]);
    check_error("rank = 3", &["`method` is missing", "`lora`", "from = "]);
    check_error(
        "from = 'a'\nrank = 3",
        &["`rank` has no effect beside `from`"],
    );
}

#[test]
fn a_part_that_the_template_lacks_is_found() {
    let config = read("method = 'soft-prompt'\nplacement = { after_part = 'txt' }");
    let config = config.expect("a config");
    assert!(config.problems_with_parts(&["txt"]).is_empty());
    let problems = config.problems_with_parts(&["text", "hint"]);
    assert!(
        problems[0].1.contains("did you mean `text`?"),
        "{problems:?}"
    );
}

#[test]
fn only_changes_of_weights_are_folded_into_them() {
    for (keys, obstacle) in [
        ("method = 'none'", None),
        ("method = 'lora'", None),
        ("method = 'ia3'", None),
        ("method = 'bottleneck'", Some("layers")),
        ("method = 'prefix'\nprefix_length = 7", Some("7 vectors")),
        (
            "method = 'soft-prompt'\nprompt_length = 9",
            Some("9 vectors"),
        ),
        (
            "method = 'compose'\nparts = [{ method = 'ia3' }, { method = 'lora' }]",
            None,
        ),
        (
            "method = 'compose'\nparts = [{ method = 'lora' }, { method = 'prefix', prefix_length = 7 }]",
            Some("prefix: its 7 vectors"),
        ),
        (
            "method = 'compose'\nparts = [{ method = 'lora', dora = true }, { method = 'lora' }]",
            None,
        ),
        (
            "method = 'compose'\nparts = [{ method = 'ia3' }, { method = 'lora', dora = true }]",
            Some("put it first"),
        ),
        ("method = 'compose'", None),
        ("from = 'no/such/folder'", Some("")),
    ] {
        let found = read(keys).expect("a config").merge_obstacle();
        assert_eq!(found.is_some(), obstacle.is_some(), "{keys}: {found:?}");
        let found = found.unwrap_or_default();
        assert!(found.contains(obstacle.unwrap_or_default()), "{found}");
    }
}

#[test]
fn paths_are_relative_to_the_file_that_names_them() {
    let mut config =
        read("method = 'soft-prompt'\ninit = 'from'\nfrom_prompt = 'p'").expect("a config");
    config.anchor_paths(Path::new("/runs"));
    let TunerConfig::SoftPrompt(prompt) = config else {
        panic!("a soft prompt");
    };
    assert_eq!(prompt.from_prompt.as_deref(), Some(Path::new("/runs/p")));
    let mut config = TunerConfig::Saved("/elsewhere".into());
    config.anchor_paths(Path::new("/runs"));
    assert_eq!(config, TunerConfig::Saved("/elsewhere".into()));
}

#[test]
fn a_saved_adapter_that_is_not_there_is_a_problem_of_its_key() {
    let config = TunerConfig::Saved("no/such/folder".into());
    assert_eq!((config.reserve(), config.method()), (0, "saved"));
    let problems = config.problems(&llama());
    assert_eq!(problems[0].0, "from");
    assert!(problems[0].1.contains("no/such/folder"), "{problems:?}");
}
