//! Single runs on small models.

#[path = "../common/mod.rs"]
mod common;
mod costs;
mod refused;

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::Device;
use common::{Local, Workshop};
use pilotlight_compare::{
    CompareError, Experiment, Layers, RunObserver, RunOptions, RunResult, Stage, Unwatched,
    layers::Origins, run,
};
use pilotlight_train::{Event, Observer};
use pilotlight_transformer::{LoadOptions, load_folder};

const PROMPT: &str = r#"
[tuner]
method = "soft-prompt"
prompt_length = 4
init = "labels"
[train]
steps = 12
batch_size = 4
learning_rate = 0.05
eval_every = 4
checkpoint_every = 3
"#;

const FULL: &str = r#"
[tuner]
method = "none"
[train]
steps = 40
batch_size = 8
learning_rate = 3e-3
"#;

fn options(origins: &Origins) -> RunOptions<'_> {
    RunOptions {
        resolver: &Local,
        origins,
        resume: false,
        untuned: true,
        keep_checkpoints: false,
        peaks: None,
    }
}

fn try_run(
    workshop: &Workshop,
    experiment: &Experiment,
    out: &str,
) -> Result<RunResult, CompareError> {
    let options = options(&experiment.origins);
    run(
        &experiment.config,
        &workshop.path(out),
        &options,
        &mut Unwatched,
    )
}

#[track_caller]
fn run_in(workshop: &Workshop, text: &str, out: &str) -> RunResult {
    let result = try_run(workshop, &workshop.experiment(text), out);
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_soft_prompt_is_trained_and_the_base_stays() {
    let workshop = Workshop::new();
    let result = run_in(&workshop, PROMPT, "run");
    assert_eq!(result.method, "soft-prompt");
    assert_eq!(result.parameters.trained, 4 * 32);
    assert_eq!(result.base_hash.before, result.base_hash.after);
    assert_eq!(result.steps, 12);
    assert_eq!(result.best_step % 4, 0);
    assert_eq!(result.majority_accuracy, Some(0.5));
    assert_eq!(result.untuned.expect("a decoder says words").n_examples, 20);
    let test = result.test.expect("test examples");
    let accuracy = test.accuracy.expect("classes");
    assert!(accuracy.low <= accuracy.value && accuracy.value <= accuracy.high);
    assert!(result.step_seconds.is_some() && result.tokens_per_second.is_some());
    assert_eq!(result.loss.test, Some(test.loss));

    let predictions = String::from_utf8(workshop.read("run/predictions.jsonl")).expect("text");
    assert_eq!(predictions.lines().count(), 20);
    assert!(
        workshop
            .path("run/adapter/adapter_model.safetensors")
            .exists()
    );
    assert!(!workshop.path("run/adapter/base.safetensors").exists());
    assert!(!workshop.path("run/checkpoints").exists());
    assert!(!workshop.path("run/model").exists());

    // The folder is taken; a run that is finished is not done again.
    let experiment = workshop.experiment(PROMPT);
    let taken = try_run(&workshop, &experiment, "run").expect_err("the folder is taken");
    assert!(taken.to_string().contains("--resume"), "{taken}");
    let again = RunOptions {
        resume: true,
        ..options(&experiment.origins)
    };
    let out = workshop.path("run");
    let finished = run(&experiment.config, &out, &again, &mut Unwatched).expect("finished");
    assert_eq!(finished, result);
    let other = workshop.experiment(&PROMPT.replace("steps = 12", "steps = 13"));
    let other = run(&other.config, &out, &again, &mut Unwatched).expect_err("another run");
    assert!(
        other.to_string().contains("other settings: `train.steps`"),
        "{other}"
    );
}

#[test]
fn resolved_settings_alone_reproduce_a_run() {
    let workshop = Workshop::new();
    run_in(&workshop, PROMPT, "first");
    let layers = Layers {
        file: Some(workshop.path("first/resolved.toml")),
        ..Layers::default()
    };
    let experiment = layers.experiment(None).expect("resolved");
    try_run(&workshop, &experiment, "second").expect("reproduced");
    for file in [
        "resolved.toml",
        "metrics.jsonl",
        "predictions.jsonl",
        "adapter/adapter_model.safetensors",
    ] {
        let [first, second] =
            ["first", "second"].map(|run| workshop.read(&format!("{run}/{file}")));
        assert!(first == second, "{file} differs");
    }
}

/// Ends the run behind a step, as a power cut would.
struct PowerCut {
    behind: usize,
}

impl Observer for PowerCut {
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Step { step, .. } if *step == self.behind) {
            panic!("power cut");
        }
    }
}

impl RunObserver for PowerCut {
    fn stage(&mut self, _stage: Stage) {}
}

#[test]
fn a_run_that_was_stopped_goes_on_to_the_same_bits() {
    let workshop = Workshop::new();
    run_in(&workshop, PROMPT, "whole");
    let experiment = workshop.experiment(PROMPT);
    let out = workshop.path("cut");
    let mut options = options(&experiment.origins);
    let cut = AssertUnwindSafe(|| {
        run(
            &experiment.config,
            &out,
            &options,
            &mut PowerCut { behind: 8 },
        )
    });
    assert!(catch_unwind(cut).is_err());
    assert!(!out.join("result.json").exists());
    options.resume = true;
    // Other settings are refused, and those of the run stay.
    let settings = workshop.read("cut/resolved.toml");
    let other = workshop.experiment(&PROMPT.replace("steps = 12", "steps = 13"));
    let refused = run(&other.config, &out, &options, &mut Unwatched).expect_err("another run");
    assert!(
        matches!(&refused, CompareError::OtherRun { key, .. } if key == "train.steps"),
        "{refused}"
    );
    assert!(workshop.read("cut/resolved.toml") == settings);
    run(&experiment.config, &out, &options, &mut Unwatched).expect("resumed");
    for file in [
        "metrics.jsonl",
        "predictions.jsonl",
        "adapter/adapter_model.safetensors",
    ] {
        let [whole, cut] = ["whole", "cut"].map(|run| workshop.read(&format!("{run}/{file}")));
        assert!(whole == cut, "{file} differs");
    }
}

#[test]
fn full_fine_tuning_learns_what_a_word_decides() {
    let workshop = Workshop::new();
    let experiment = workshop.experiment(FULL);
    let mut config = experiment.config;
    config.base.train = vec![".*".into()];
    config.base.save = Some(pilotlight_compare::Precision::F16);
    let out = workshop.path("run");
    let origins = Origins::default();
    let result = run(&config, &out, &options(&origins), &mut Unwatched).expect("trained");
    assert_eq!(result.parameters.trained, result.parameters.total);
    assert_eq!(result.parameters.percent, 100.0);
    assert_ne!(result.base_hash.before, result.base_hash.after);
    let accuracy = result.test.and_then(|test| test.accuracy).expect("classes");
    assert_eq!(accuracy.value, 1.0);
    // Two bytes for each parameter of the whole model, four in the adapter's folder.
    let bytes = |file: &str| workshop.read(file).len();
    let half = bytes("run/model/model.safetensors");
    let full = bytes("run/adapter/base.safetensors");
    assert!(half > 2 * result.parameters.total && full > 4 * result.parameters.total);
    assert!(full > half);
    assert!(workshop.path("run/model/tokenizer.json").exists());
}

#[test]
fn a_saved_model_and_adapter_are_starting_points() {
    let workshop = Workshop::new();
    run_in(&workshop, PROMPT, "first");
    let from = r#"
[tuner]
from = "first/adapter"
"#;
    let mut config = workshop.experiment(from).config;
    config.report.test_only = true;
    let origins = Origins::default();
    let out = workshop.path("second");
    let again = run(&config, &out, &options(&origins), &mut Unwatched).expect("tested");
    assert_eq!(again.steps, 0);
    assert_eq!(again.adapter_bytes, None);
    assert_eq!(
        workshop.read("first/predictions.jsonl"),
        workshop.read("second/predictions.jsonl")
    );
}

#[test]
fn a_random_base_is_saved_as_a_model_of_its_own() {
    let workshop = Workshop::new();
    let text = r#"
[tuner]
method = "none"
[train]
steps = 2
"#;
    let mut config = workshop.experiment(text).config;
    config.task = pilotlight_data::TaskConfig::new(pilotlight_data::TaskKind::LanguageModelling);
    config.base.init = pilotlight_compare::BaseInit::Random;
    config.base.train = vec![".*".into()];
    let origins = Origins::default();
    let out = workshop.path("run");
    let result = run(&config, &out, &options(&origins), &mut Unwatched).expect("pretrained");
    assert!(result.untuned.is_none());
    assert_eq!(result.test.expect("test texts").accuracy, None);
    let options = LoadOptions::new(&Device::default());
    let model = load_folder(&workshop.path("run/model"), &options).expect("a model");
    assert_eq!(model.model.parameter_hash(), result.base_hash.after);
}

#[test]
fn an_encoder_learns_with_a_fresh_head() {
    let workshop = Workshop::new();
    let text = r#"
[tuner]
method = "lora"
rank = 2
[train]
steps = 60
batch_size = 8
learning_rate = 0.02
"#;
    let mut config = workshop.experiment(text).config;
    config.base.model = workshop.path("encoder").display().to_string();
    config.task.labels.clear();
    let origins = Origins::default();
    let out = workshop.path("run");
    let result = run(&config, &out, &options(&origins), &mut Unwatched).expect("trained");
    assert!(result.untuned.is_none(), "a fresh head can only guess");
    assert_eq!(result.base_hash.before, result.base_hash.after);
    // Rank 2 on queries and values of two layers, and the head.
    assert_eq!(
        result.parameters.trained,
        2 * 2 * 2 * (16 + 16) + 2 * 16 + 2
    );
    let accuracy = result.test.and_then(|test| test.accuracy).expect("classes");
    assert!(accuracy.value > 0.9, "{accuracy:?}");

    config.report.test_only = true;
    let untrained = run(
        &config,
        &workshop.path("none"),
        &options(&origins),
        &mut Unwatched,
    );
    assert_eq!(untrained.expect("nothing to do").test, None);
}

#[test]
fn the_whole_test_set_is_reported_beside_a_part_of_it() {
    let workshop = Workshop::new();
    let mut config = workshop.experiment(PROMPT).config;
    config.data.limit_test = Some(5);
    config.report.whole_test = true;
    let origins = Origins::default();
    let out = workshop.path("run");
    let result = run(&config, &out, &options(&origins), &mut Unwatched).expect("trained");
    assert_eq!(result.test.expect("a part").n_examples, 5);
    assert_eq!(result.whole_test.expect("all").n_examples, 20);
    let whole = String::from_utf8(workshop.read("run/predictions-whole.jsonl")).expect("text");
    let part = String::from_utf8(workshop.read("run/predictions.jsonl")).expect("text");
    let line =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON")["line"].clone();
    let lines: Vec<_> = whole.lines().map(line).collect();
    assert!(part.lines().all(|part| lines.contains(&line(part))));
}

#[cfg(all(feature = "embedded", embedded_model, embedded_sentences))]
#[test]
fn what_is_inside_the_program_can_be_trained() {
    let workshop = Workshop::new();
    let layers = Layers {
        preset: Some("default".into()),
        assignments: [
            "train.steps=2",
            "data.limit_test=8",
            "data.limit_validation=8",
        ]
        .map(String::from)
        .into(),
        ..Layers::default()
    };
    let comparison = layers.comparison().expect("the preset");
    for (name, method) in comparison.methods {
        let mut config = method.first().clone();
        config.train.steps = Some(2);
        let origins = Origins::default();
        let out = workshop.path(&name);
        let result = run(&config, &out, &options(&origins), &mut Unwatched);
        let result = result.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(result.test.is_some() && result.untuned.is_some());
    }
}
