//! A run that is killed and resumed ends with the same bits as one that is not.

#[path = "suite/common.rs"]
mod common;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use pilotlight_core::ModelSpec;
use pilotlight_data::TaskData;
use pilotlight_train::{Event, OptimizerKind, Outcome, TrainConfig, TrainError, Tuned, save_tuned};
use pilotlight_tuners::{BaseInfo, TaskType};
use serde_json::json;

use common::{Recorder, completions, config, full, lora, run, soft_prompt, tuned};

/// The CPU backend has one random state for the whole process: dropout draws from it, and so does whoever makes a
/// module. So these tests are a program of their own, and run one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn base_info(spec: &ModelSpec) -> BaseInfo {
    BaseInfo {
        name_or_path: "tiny".into(),
        spec: spec.clone(),
        task_type: TaskType::CausalLm,
    }
}

/// Every file of what a run leaves, with its bytes.
fn remains(
    outcome: &Outcome,
    folder: &Path,
    trained: &dyn Fn(&str) -> bool,
) -> Vec<(String, Vec<u8>)> {
    let adapter = folder.join("adapter");
    let base = base_info(outcome.tuned.base.spec());
    save_tuned(&adapter, &outcome.tuned, &base, trained).expect("saved");
    let mut files = vec![folder.join("metrics.jsonl")];
    files.extend(
        std::fs::read_dir(&adapter)
            .expect("adapter")
            .map(|entry| entry.expect("entry").path()),
    );
    files.sort();
    let content = |path: &std::path::PathBuf| {
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        (name, std::fs::read(path).expect("a file"))
    };
    files.iter().map(content).collect()
}

fn kill_and_resume(
    make: &dyn Fn() -> Tuned,
    data: &TaskData,
    config: &TrainConfig,
    trained: &dyn Fn(&str) -> bool,
) {
    let _alone = alone();
    let whole = tempfile::tempdir().expect("a folder");
    let outcome = run(
        make(),
        data,
        config,
        whole.path(),
        false,
        &mut Recorder::default(),
    );
    let outcome = outcome.expect("a whole run");
    let expected = remains(&outcome, whole.path(), trained);

    // Before the first checkpoint, at one, behind one, behind an evaluation that no checkpoint followed.
    for dies_at in [1, 4, 5, 10] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut mortal = Recorder {
            dies_at: Some(dies_at),
            ..Recorder::default()
        };
        let death = catch_unwind(AssertUnwindSafe(|| {
            run(make(), data, config, folder.path(), false, &mut mortal)
        }));
        assert!(death.is_err(), "died at step {dies_at}");
        let mut recorder = Recorder::default();
        let resumed =
            run(make(), data, config, folder.path(), true, &mut recorder).expect("resumed");
        let checkpoint = (dies_at - 1) / 2 * 2;
        let event = Event::Resume { step: checkpoint };
        assert_eq!(
            recorder.events.contains(&event),
            checkpoint > 0,
            "killed at {dies_at}"
        );
        assert_eq!(resumed.history, outcome.history, "killed at {dies_at}");
        assert_eq!(resumed.best, outcome.best);
        let found = remains(&resumed, folder.path(), trained);
        assert!(found == expected, "other bytes when killed at {dies_at}");
    }
}

#[test]
fn soft_prompt_by_adamw() {
    kill_and_resume(&|| tuned(soft_prompt()), &completions(), &config(), &|_| {
        false
    });
}

#[test]
fn lora_with_dropout_by_sgd_with_momentum_in_accumulated_batches() {
    let config = TrainConfig {
        optimizer: OptimizerKind::Sgd,
        momentum: 0.9,
        accumulate: 2,
        bucket_by_length: false,
        learning_rate: 0.1,
        ..config()
    };
    kill_and_resume(&|| tuned(lora(0.3)), &completions(), &config, &|_| false);
}

#[test]
fn lora_that_takes_its_first_factors_off_the_weights() {
    let tuner = || {
        tuned(json!({
            "method": "lora", "rank": 2, "init": "pissa", "dora": true, "dropout": 0.2, "plus_ratio": 2.0,
            "targets": ["v_proj", "lm_head", "embed_tokens"],
        }))
    };
    kill_and_resume(&tuner, &completions(), &config(), &|_| false);
}

#[test]
fn the_whole_base_by_adafactor() {
    let config = TrainConfig {
        optimizer: OptimizerKind::Adafactor,
        ..config()
    };
    kill_and_resume(&full, &completions(), &config, &|_| true);
}

#[test]
fn a_run_that_stopped_early_stays_stopped() {
    let _alone = alone();
    let config = TrainConfig {
        steps: Some(40),
        eval_every: Some(1),
        patience: Some(2),
        // Far too much: the validation loss rises soon.
        learning_rate: 3.0,
        warmup: 0,
        grad_clip: None,
        ..config()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::default();
    let data = completions();
    let first = run(
        tuned(soft_prompt()),
        &data,
        &config,
        folder.path(),
        false,
        &mut recorder,
    );
    let first = first.expect("a run");
    let best = first.best.expect("evaluations");
    assert!(first.stopped_early && first.steps < 40);
    assert_eq!(first.steps, best.step + 2);
    let stop = Event::EarlyStop {
        step: first.steps,
        best_step: best.step,
    };
    assert!(recorder.events.contains(&stop));
    let again = run(
        tuned(soft_prompt()),
        &data,
        &config,
        folder.path(),
        true,
        &mut recorder,
    );
    let again = again.expect("resumed");
    assert_eq!(again.history, first.history);
    assert_eq!(again.seconds.training, first.seconds.training);
}

#[test]
fn another_run_is_not_resumed() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let data = completions();
    let mut recorder = Recorder::default();
    run(
        tuned(soft_prompt()),
        &data,
        &config(),
        folder.path(),
        false,
        &mut recorder,
    )
    .expect("a run");
    let mut resume = |tuned: Tuned, data: &TaskData, config: &TrainConfig| {
        let error = run(tuned, data, config, folder.path(), true, &mut recorder);
        match error.expect_err("another run") {
            TrainError::OtherRun {
                differences,
                checkpoint,
            } => {
                assert!(checkpoint.ends_with("checkpoints/step-10"));
                let keys: Vec<_> = differences.into_iter().map(|it| it.key).collect();
                keys
            }
            other => panic!("{other}"),
        }
    };
    let other = TrainConfig {
        learning_rate: 2e-2,
        warmup: 3,
        ..config()
    };
    let keys = resume(tuned(soft_prompt()), &data, &other);
    assert_eq!(keys, ["train.learning_rate", "train.warmup"]);
    let mut fewer = data.clone();
    fewer.train.examples.pop();
    fewer.validation.examples[0].input.ids[0] += 1;
    let keys = resume(tuned(soft_prompt()), &fewer, &config());
    assert_eq!(keys, ["training examples", "validation examples"]);
    let keys = resume(tuned(lora(0.0)), &data, &config());
    assert_eq!(keys, ["model and tuner"]);
    let config = TrainConfig {
        checkpoint_every: Some(7),
        ..config()
    };
    run(
        tuned(soft_prompt()),
        &data,
        &config,
        folder.path(),
        true,
        &mut recorder,
    )
    .expect("how often checkpoints are written does not matter");
}

#[test]
fn a_damaged_checkpoint_is_an_error_that_names_it() {
    let _alone = alone();
    for (file, content) in [
        ("state.json", &b"{}"[..]),
        ("parameters.safetensors", b"not a safetensors file"),
        ("optimizer.safetensors", b""),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let data = completions();
        let mut recorder = Recorder::default();
        run(
            tuned(soft_prompt()),
            &data,
            &config(),
            folder.path(),
            false,
            &mut recorder,
        )
        .expect("a run");
        let path = folder.path().join("checkpoints/step-10").join(file);
        std::fs::write(path, content).expect("damaged");
        let error = run(
            tuned(soft_prompt()),
            &data,
            &config(),
            folder.path(),
            true,
            &mut recorder,
        );
        let error = error.expect_err("damaged").to_string();
        assert!(error.contains(file) && error.contains("hint:"), "{error}");
    }
}

#[test]
fn only_the_last_and_the_best_checkpoint_stay() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let data = completions();
    let outcome = run(
        tuned(soft_prompt()),
        &data,
        &config(),
        folder.path(),
        false,
        &mut Recorder::default(),
    );
    let best = outcome.expect("a run").best.expect("evaluations");
    let entries = std::fs::read_dir(folder.path().join("checkpoints")).expect("checkpoints");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, [format!("best-{}", best.step).as_str(), "step-10"]);
}
