//! What does not fit is refused, all of it at once.

use super::*;

#[test]
fn all_that_does_not_fit_the_model_and_the_data_is_reported_at_once() {
    let workshop = Workshop::new();
    workshop.write(
        "test.jsonl",
        "{\"text\": \"good\", \"label\": \"positve\"}\n{\"text\": 3}\n",
    );
    let text = r#"
[tuner]
method = "soft-prompt"
prompt_length = 80
init = "text"
[train]
steps = 1
"#;
    let layers = Layers {
        assignments: vec!["base.train=[\"wieght$\"]".into()],
        ..workshop.layers(text)
    };
    let experiment = layers.experiment(None).expect("readable");
    let error = try_run(&workshop, &experiment, "run").expect_err("nothing fits");
    assert_eq!(
        workshop.plain(&error),
        "shared.toml:18: `tuner.prompt_length`: is 80, which leaves no room for a text: the model takes 64 positions\n\
         shared.toml:16: `tuner.text`: is missing: this `init` needs it\n\
         --set base.train=[\"wieght$\"]: `base.train[0]`: no parameter's name matches `wieght$`\n  \
           hint: names are like model.layers.0.input_layernorm.weight; `pilot inspect` lists them\n\
         shared.toml:9: `task.max_tokens`: expected room for tokens, found max_tokens = 512, and 64 positions of which a soft prompt takes 80\n  \
           hint: shorten the soft prompt or raise `max_tokens`"
    );
    let written = String::from_utf8(workshop.read("run/error.txt")).expect("text");
    assert_eq!(written, format!("{error}\n"));

    let fitting = workshop.experiment(PROMPT);
    let error = try_run(&workshop, &fitting, "labels").expect_err("wrong records");
    let message = workshop.plain(error);
    assert!(
        message
            .starts_with("test.jsonl:1, field `label`: expected a known label, found \"positve\""),
        "{message}"
    );
    assert!(message.contains("test.jsonl:2"), "{message}");
}

#[test]
fn what_is_not_there_is_named() {
    let workshop = Workshop::new();
    let fails = |assignments: &[&str], expected: &[&str]| {
        let layers = Layers {
            assignments: assignments.iter().map(ToString::to_string).collect(),
            ..workshop.layers(PROMPT)
        };
        let experiment = layers.experiment(None).expect("readable");
        std::fs::remove_dir_all(workshop.path("run")).ok();
        let error = try_run(&workshop, &experiment, "run").expect_err("not there");
        let message = workshop.plain(error);
        for expected in expected {
            assert!(message.contains(expected), "{message}");
        }
    };
    fails(
        &[
            "data.train=/nowhere/sarcasm/train.jsonl",
            "data.test=embedded:nothing.jsonl",
        ],
        &[
            "--set data.train=/nowhere/sarcasm/train.jsonl: `data.train`: there is no file /nowhere/sarcasm/train.jsonl",
            "cargo xtask fetch sarcasm",
            "`data.test`: nothing called `embedded:nothing.jsonl` is inside this program",
        ],
    );
    fails(
        &["base.model=/nowhere/smollm2-135m-instruct"],
        &[
            "there is no folder /nowhere/smollm2-135m-instruct",
            "cargo xtask fetch smollm2-135m-instruct",
        ],
    );
    fails(
        &["base.model=embedded:nothing"],
        &["nothing called `embedded:nothing` is inside this program"],
    );
    fails(
        &["base.model=owner/name"],
        &["there is no model owner/name"],
    );
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let workshop = Workshop::new();
    let file = "tokenizer.json";
    std::fs::copy(
        workshop.path("decoder").join(file),
        workshop.path("encoder").join(file),
    )
    .expect("copied");
    let mut experiment = workshop.experiment(PROMPT);
    experiment.config.base.model = workshop.path("encoder").display().to_string();
    let error = try_run(&workshop, &experiment, "run").expect_err("they do not fit");
    let message = error.to_string();
    assert!(
        message.contains("has 325 entries, the model 40 word embeddings")
            || message.contains("not in the vocabulary"),
        "{message}"
    );
}
