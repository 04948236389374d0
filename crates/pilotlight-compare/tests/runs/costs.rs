//! What runs on small models are found to cost.

use burn::tensor::Device;
use pilotlight_compare::{Base, RunResult, Unwatched, layers::Origins, run, run::read_result};

use crate::{
    FULL, PROMPT,
    common::{Local, Workshop},
    options, run_in,
};

/// Shape of the decoder: what its `config.json` says.
const N_LAYERS: usize = 2;
const D_MODEL: usize = 32;
const D_KEY: usize = 16;
const D_FF: usize = 48;
const N_VOCAB: usize = 325;

/// Weights of the matrices of a layer: queries and output, keys and values, gate, up and down.
const WEIGHTS: usize = 2 * D_MODEL * D_MODEL + 2 * D_MODEL * D_KEY + 3 * D_MODEL * D_FF;

/// Operations of a training step for each token of the texts, with `n_vectors` in front of each; `n_passes` over the
/// weights there are, forward and backward, and one less over what only is activations.
fn operations_per_token(workshop: &Workshop, text: &str, n_vectors: usize, n_passes: usize) -> f64 {
    let config = workshop.experiment(text).config;
    let base = Base::load(&config.base, config.seed, &Local, &Device::default());
    let data = base.and_then(|base| base.prepare(&config, &Origins::default()));
    let data = data.expect("prepared");
    let verbalizer = data.verbalizer.expect("label words");
    let (mut operations, mut n_tokens) = (0, 0);
    for example in &data.train.examples {
        let pilotlight_data::Target::Class(class) = example.target else {
            panic!("a class");
        };
        let n_answer = verbalizer.labels[class].words[0].len();
        // The last token of the answer is asked for and not run.
        let n_positions = example.input.ids.len() + n_answer - 1 + n_vectors;
        // Scores of attention and their products with values, both of whose sides have a gradient.
        let attention = 3 * 2 * n_positions * n_positions * D_MODEL;
        let layers = N_LAYERS * (n_passes * n_positions * WEIGHTS + attention);
        operations += 2 * (layers + n_passes * n_answer * D_MODEL * N_VOCAB);
        n_tokens += example.input.ids.len();
    }
    operations as f64 / n_tokens as f64
}

#[track_caller]
fn check(workshop: &Workshop, result: &RunResult, per_token: f64, extra: (usize, Option<u64>)) {
    let operations = result.operations.expect("it was trained");
    assert!(
        (operations.per_token / per_token - 1.0).abs() < 1e-12,
        "{} and not {per_token}",
        operations.per_token
    );
    let tokens = result.tokens_per_second.expect("steps");
    assert_eq!(operations.per_second, Some(per_token * tokens));
    let share = operations.peak_share().expect("one device");
    let peak = operations.peak_per_second.expect("one device");
    assert_eq!(share, per_token * tokens / peak);
    let request = result.request.expect("it was saved");
    assert_eq!((request.extra_positions, request.extra_kv_bytes), extra);
    let latency = request.latency.expect("test examples");
    // Fewer where the machine is busy.
    assert!((1..=20).contains(&latency.n_requests));
    assert_eq!(latency.ratio, latency.seconds / latency.base_seconds);
    assert!(latency.base_seconds > 0.0 && result.seconds.costs > latency.base_seconds);
    // What is as it usually is does not make old settings others.
    let resolved = String::from_utf8(workshop.read("run/resolved.toml")).expect("text");
    assert!(!resolved.contains("timed_requests"), "{resolved}");
}

#[test]
fn a_prompt_lengthens_every_step_and_request() {
    let workshop = Workshop::new();
    let result = run_in(&workshop, PROMPT, "run");
    // Forward and the gradients of activations.
    let per_token = operations_per_token(&workshop, PROMPT, 4, 2);
    // Four positions of keys and values in each layer, four bytes each.
    let extra = (4, Some((4 * N_LAYERS * 2 * D_KEY * 4) as u64));
    check(&workshop, &result, per_token, extra);

    // The result of an older version, which knew no costs.
    let mut old: serde_json::Value =
        serde_json::from_slice(&workshop.read("run/result.json")).expect("JSON");
    let fields = old.as_object_mut().expect("an object");
    assert!(fields.remove("operations").is_some() && fields.remove("request").is_some());
    let seconds = fields["seconds"].as_object_mut().expect("an object");
    assert!(seconds.remove("costs").is_some());
    workshop.write("old.json", &old.to_string());
    let read = read_result(&workshop.path("old.json")).expect("readable still");
    assert_eq!((read.operations, read.request), (None, None));
    assert_eq!(read.seconds.costs, 0.0);
}

#[test]
fn full_fine_tuning_adds_gradients_of_weights_and_nothing_to_a_request() {
    let workshop = Workshop::new();
    let text = FULL.replace("steps = 40", "steps = 3");
    let mut config = workshop.experiment(&text).config;
    config.base.train = vec![".*".into()];
    let origins = Origins::default();
    let out = workshop.path("run");
    let result = run(&config, &out, &options(&origins), &mut Unwatched).expect("trained");
    let per_token = operations_per_token(&workshop, &text, 0, 3);
    check(&workshop, &result, per_token, (0, Some(0)));
}

#[test]
fn costs_are_left_out_where_there_are_none() {
    let workshop = Workshop::new();
    let origins = Origins::default();
    let mut config = workshop.experiment(PROMPT).config;
    config.train.steps = Some(2);
    // Several devices have no peak of one.
    config.device = "one,two".into();
    config.report.timed_requests = 0;
    let out = workshop.path("untimed");
    let result = run(&config, &out, &options(&origins), &mut Unwatched).expect("trained");
    assert_eq!(result.operations.expect("trained").peak_share(), None);
    assert_eq!(result.request.expect("saved").latency, None);
    let resolved = String::from_utf8(workshop.read("untimed/resolved.toml")).expect("text");
    assert!(resolved.contains("timed_requests = 0"), "{resolved}");

    config.device = "one".into();
    config.report.trial = true;
    let out = workshop.path("trial");
    let trial = run(&config, &out, &options(&origins), &mut Unwatched).expect("trained");
    assert!(trial.operations.is_some() && trial.request.is_none());

    config.report.trial = false;
    config.report.test_only = true;
    let out = workshop.path("untuned");
    let untuned = run(&config, &out, &options(&origins), &mut Unwatched).expect("tested");
    assert_eq!((untuned.operations, untuned.request), (None, None));
}
