//! What training does and does not change.

use burn::module::Module;
use pilotlight_data::{Pooling, Split, TaskData};
use pilotlight_train::{Event, Schedule, TrainConfig, TrainError, Tuned, Unobserved, evaluate};
use serde_json::json;

use crate::common::{
    Recorder, chosen, completions, config, encoder, full, labels, lora, run, run_once, soft_prompt,
    texts, train_losses, tuned, untuned,
};

/// As many steps without anything that depends on the batch size.
pub(crate) fn plain(steps: usize, batch_size: usize, accumulate: usize) -> TrainConfig {
    TrainConfig {
        steps: Some(steps),
        batch_size,
        accumulate,
        shuffle: false,
        schedule: Schedule::Constant,
        learning_rate: 1e-2,
        ..TrainConfig::default()
    }
}

#[test]
fn the_base_never_changes_unless_it_is_trained() {
    for tuner in [soft_prompt(), lora(0.0)] {
        let untrained = tuned(tuner);
        let hash = untrained.base.parameter_hash();
        let data = completions();
        let outcome = run_once(untrained.clone(), &data, &plain(30, 8, 1));
        assert_eq!(outcome.tuned.base.parameter_hash(), hash);
        let [first, last] = [&untrained, &outcome.tuned].map(|tuned| {
            evaluate(tuned, &data, &data.train, 32, &mut Unobserved)
                .expect("evaluated")
                .loss
        });
        assert!(last < first - 0.05, "{last} after {first}");
    }
    let tuned = full();
    let hash = tuned.base.parameter_hash();
    let outcome = run_once(tuned, &completions(), &config());
    assert_ne!(outcome.tuned.base.parameter_hash(), hash);
    assert_eq!(outcome.n_trained, outcome.tuned.base.n_parameters());
}

#[test]
fn only_chosen_base_parameters_change() {
    let is_norm = |name: &str| name.contains("norm");
    let tuned = chosen(&is_norm);
    let before = tuned.base.export(&|_| true);
    let outcome = run_once(tuned, &completions(), &config());
    let after = outcome.tuned.base.export(&|_| true);
    for ((name, before), (_, after)) in before.iter().zip(&after) {
        assert_eq!(
            before.as_bytes() != after.as_bytes(),
            is_norm(name),
            "{name}"
        );
    }
}

#[test]
fn accumulated_batches_equal_a_big_one() {
    for data in [completions(), texts()] {
        for make in [|| tuned(soft_prompt()), full] {
            let big = run_once(make(), &data, &plain(5, 6, 1));
            let small = run_once(make(), &data, &plain(5, 2, 3));
            for (big, small) in train_losses(&big).into_iter().zip(train_losses(&small)) {
                assert!((big - small).abs() < 1e-5, "{big} and {small}");
            }
        }
    }
}

#[test]
fn the_loss_of_a_step_is_that_of_its_examples_before_it() {
    let words: [&[&[u32]]; 2] = [&[&[5]], &[&[6, 7], &[8]]];
    for data in [completions(), texts(), labels(words)] {
        // Wraps around: 30 examples in batches of 4.
        let outcome = run_once(
            tuned(soft_prompt()),
            &data,
            &TrainConfig {
                learning_rate: 0.0,
                ..plain(9, 4, 1)
            },
        );
        for (step, loss) in train_losses(&outcome).into_iter().enumerate() {
            let of_step =
                (4 * step..4 * step + 4).map(|place| data.train.examples[place % 30].clone());
            let split = Split {
                examples: of_step.collect(),
                ..Split::default()
            };
            let result =
                evaluate(&outcome.tuned, &data, &split, 3, &mut Unobserved).expect("evaluated");
            assert!(
                (result.loss - loss).abs() < 1e-5,
                "{} and {loss}",
                result.loss
            );
        }
    }
}

#[test]
fn epochs_take_each_example_as_often() {
    let config = TrainConfig {
        steps: None,
        epochs: 2,
        batch_size: 4,
        ..plain(0, 4, 2)
    };
    let outcome = run_once(tuned(soft_prompt()), &completions(), &config);
    assert_eq!(outcome.steps, 8);
    let examples: Vec<_> = outcome
        .history
        .iter()
        .filter(|it| it.learning_rate.is_some())
        .map(|it| it.examples)
        .collect();
    assert_eq!(examples, [8, 8, 8, 8, 8, 8, 8, 4]);
}

#[test]
fn the_best_parameters_come_out() {
    let data = completions();
    let config = TrainConfig {
        steps: Some(12),
        eval_every: Some(2),
        learning_rate: 3.0,
        ..plain(12, 4, 1)
    };
    let outcome = run_once(tuned(soft_prompt()), &data, &config);
    let best = outcome.best.expect("evaluations");
    assert!(
        best.step < 12,
        "the rate is too high to go on getting better"
    );
    let result =
        evaluate(&outcome.tuned, &data, &data.validation, 32, &mut Unobserved).expect("evaluated");
    assert_eq!(result.loss, best.loss);
    let without = TaskData {
        validation: Split::default(),
        ..data.clone()
    };
    let last = run_once(tuned(soft_prompt()), &without, &config);
    assert_eq!(last.best, None);
    let result =
        evaluate(&last.tuned, &data, &data.validation, 32, &mut Unobserved).expect("evaluated");
    assert!(result.loss > best.loss);
}

/// The parameters of which a run says that they get no gradient, each with the number of steps done before.
fn dead(tuned: Tuned, data: &TaskData, config: &TrainConfig) -> Vec<(usize, String)> {
    let mut recorder = Recorder::default();
    let folder = tempfile::tempdir().expect("a folder");
    run(tuned, data, config, folder.path(), false, &mut recorder).expect("a run");
    assert!(recorder.warnings().is_empty(), "{:?}", recorder.warnings());
    let (mut step, mut dead) = (0, Vec::new());
    for event in recorder.events {
        match event {
            Event::Step { .. } => step += 1,
            Event::NoGradient { names } => dead.extend(names.into_iter().map(|name| (step, name))),
            _ => {}
        }
    }
    dead
}

#[test]
fn parameters_without_a_gradient_are_reported() {
    // Nothing stands behind these vectors that they could change.
    let behind = json!({ "method": "soft-prompt", "prompt_length": 2, "init": "random", "placement": "after" });
    let found = dead(tuned(behind), &texts(), &plain(3, 2, 1));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.starts_with("tuner."), "{found:?}");
    for all_alive in [full(), tuned(soft_prompt()), tuned(lora(0.0))] {
        let found = dead(all_alive, &completions(), &plain(3, 2, 1));
        assert_eq!(found, []);
    }
}

#[test]
fn parameters_of_the_base_that_nothing_reads_are_reported_at_the_first_step() {
    let data = TaskData {
        verbalizer: None,
        ..labels([&[&[5]], &[&[6]]])
    };
    let classifier = |pooling| {
        let base = encoder();
        let head = base.fresh_head(2, 1).set_require_grad(true);
        let Tuned { tuner, .. } = tuned(untuned());
        let base = base.set_trained(&|name| name.contains("dense"));
        Tuned::new(base, tuner, Some(head), Some(pooling))
    };
    // A warm-up: the first step changes nothing.
    let config = TrainConfig {
        warmup: 2,
        ..plain(4, 2, 1)
    };
    let found = dead(classifier(Pooling::Mean), &data, &config);
    let names = ["bert.pooler.dense.bias", "bert.pooler.dense.weight"];
    assert_eq!(found, names.map(|name| (0, name.to_owned())));
    assert_eq!(dead(classifier(Pooling::Pooler), &data, &config), []);
}

#[test]
fn a_run_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |tuned: Tuned, data: &TaskData, config: &TrainConfig| {
        let error = run(tuned, data, config, folder.path(), false, &mut Unobserved);
        error.expect_err("cannot start")
    };
    let data = completions();
    assert!(matches!(
        start(tuned(untuned()), &data, &config()),
        TrainError::NothingToTrain
    ));
    let wrong = TrainConfig {
        batch_size: 0,
        learning_rate: f64::NAN,
        ..config()
    };
    let error = start(tuned(soft_prompt()), &data, &wrong).to_string();
    assert!(
        error.contains("train.batch_size") && error.contains("train.learning_rate"),
        "{error}"
    );
    let empty = TaskData {
        train: Split::default(),
        ..data.clone()
    };
    assert!(matches!(
        start(tuned(soft_prompt()), &empty, &config()),
        TrainError::NoExamples { .. }
    ));
    let headless = TaskData {
        verbalizer: None,
        ..labels([&[&[5]], &[&[6]]])
    };
    assert!(matches!(
        start(tuned(soft_prompt()), &headless, &config()),
        TrainError::Unfit(_)
    ));
}

#[test]
fn an_exploding_loss_stops_the_run() {
    let config = TrainConfig {
        learning_rate: 1e5,
        ..plain(10, 4, 1)
    };
    let folder = tempfile::tempdir().expect("a folder");
    let error = run(
        full(),
        &completions(),
        &config,
        folder.path(),
        false,
        &mut Unobserved,
    );
    match error.expect_err("explodes") {
        error @ TrainError::NotFinite { .. } => {
            assert!(error.to_string().contains("learning_rate"))
        }
        other => panic!("{other}"),
    }
}

#[test]
fn events_tell_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::default();
    run(
        tuned(soft_prompt()),
        &completions(),
        &config(),
        folder.path(),
        false,
        &mut recorder,
    )
    .expect("a run");
    let start = Event::Start {
        n_steps: 10,
        n_examples: 30,
        n_trained: 3 * 16,
    };
    assert_eq!(recorder.events[0], start);
    assert_eq!(recorder.events.last(), Some(&Event::Done { step: 10 }));
    let evaluations = recorder
        .events
        .iter()
        .filter(|event| matches!(event, Event::Evaluation { .. }));
    assert_eq!(evaluations.count(), 4);
    let metrics = std::fs::read_to_string(folder.path().join("metrics.jsonl")).expect("metrics");
    let first: serde_json::Value =
        serde_json::from_str(metrics.lines().next().expect("a line")).expect("JSON");
    let keys: Vec<_> = first
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "step",
            "split",
            "loss",
            "learning_rate",
            "gradient_norm",
            "examples",
            "tokens"
        ]
    );
}

#[test]
fn a_new_run_forgets_the_checkpoints_of_an_old_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = folder.path().join("checkpoints/step-400");
    std::fs::create_dir_all(&old).expect("an old checkpoint");
    let path = folder.path();
    let mut recorder = Recorder::default();
    run(
        tuned(soft_prompt()),
        &completions(),
        &config(),
        path,
        false,
        &mut recorder,
    )
    .expect("a run");
    assert!(!old.exists());
}

#[test]
fn keys_without_effect_are_reported() {
    let without = TaskData {
        validation: Split::default(),
        ..completions()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::default();
    run(
        tuned(soft_prompt()),
        &without,
        &config(),
        folder.path(),
        false,
        &mut recorder,
    )
    .expect("a run");
    assert_eq!(recorder.warnings().len(), 1);
    assert!(
        recorder.warnings()[0].contains("train.eval_every"),
        "{:?}",
        recorder.warnings()
    );
}
