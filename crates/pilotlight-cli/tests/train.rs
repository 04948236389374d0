//! `pilot train` and what follows from it, on a tiny model.

mod support;

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;
use support::{
    Said,
    experiment::{EXPERIMENT, kill_in_the_middle, prepare, steps_so_far, train},
    pilot, run,
};

fn metrics(folder: &Path, out: &str) -> Vec<Value> {
    let text = fs_err::read_to_string(folder.join(out).join("metrics.jsonl")).expect("metrics");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// The content of every file of an adapter.
fn adapter(folder: &Path, out: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs_err::read_dir(folder.join(out).join("adapter")).expect("an adapter");
    let mut files: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name");
            (name, fs_err::read(entry.path()).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_trained_prompt_is_evaluated_predicted_with_and_scored_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    let result = run(train(folder, "run").arg("--json"))
        .json_lines()
        .remove(0);
    assert_eq!(result["parameters"]["trained"], 4 * 16);
    assert_eq!(result["base_hash"]["before"], result["base_hash"]["after"]);
    let steps: Vec<Value> = metrics(folder, "run")
        .into_iter()
        .filter(|line| line["split"] == "train")
        .collect();
    assert_eq!(steps.len(), 24);
    let loss = |line: &Value| line["loss"].as_f64().expect("a loss");
    assert!(
        loss(&steps[23]) < loss(&steps[0]),
        "{} {}",
        steps[0],
        steps[23]
    );
    for file in [
        "resolved.toml",
        "result.json",
        "checkpoints",
        "adapter/pilotlight.json",
        "adapter/task.toml",
    ] {
        assert!(folder.join("run").join(file).exists(), "{file}");
    }

    // What the run found is found again, by the folder of the run alone.
    let evaluated = run(pilot(folder).args(["eval", "run", "--json"]))
        .json_lines()
        .remove(0);
    assert_eq!(evaluated["n_examples"], 16);
    let found = evaluated["loss"].as_f64().expect("a loss");
    let told = result["test"]["loss"].as_f64().expect("a loss");
    assert!((found - told).abs() < 1e-6, "{found} {told}");
    let untuned = run(pilot(folder).args(["eval", "experiment.toml", "--json"]))
        .json_lines()
        .remove(0);
    assert!(untuned["loss"].as_f64().expect("a loss") > found);

    // Predictions with the task that the adapter brings along.
    fs_err::rename(folder.join("run/adapter"), folder.join("shipped")).expect("moved");
    let predict = [
        "predict",
        "--model",
        "model",
        "--adapter",
        "shipped",
        "--input",
        "train.jsonl",
    ];
    let predictions = run(pilot(folder).args(predict)).json_lines();
    let outcomes =
        fs_err::read_to_string(folder.join("run/predictions.jsonl")).expect("predictions");
    for (line, outcome) in predictions.iter().zip(outcomes.lines()) {
        let outcome: Value = serde_json::from_str(outcome).expect("JSON");
        assert_eq!(line["label"], outcome["prediction"]);
        let score = line["scores"]["bad"].as_f64().expect("a number");
        let told = outcome["log_probabilities"][0].as_f64().expect("a number");
        assert!((score - told).abs() < 1e-4, "{score} {told}");
    }
    assert_eq!(predictions.len(), 16);

    // A score is that of the label word behind the same text.
    fs_err::write(
        folder.join("score.jsonl"),
        "{\"text\": \"The film is fine and fine\\nSentiment:\", \"choices\": [\" negative\", \" positive\"]}\n",
    )
    .expect("written");
    let score = [
        "score",
        "--model",
        "model",
        "--adapter",
        "shipped",
        "--input",
        "score.jsonl",
    ];
    let scored = run(pilot(folder).args(score)).json_lines();
    let (scored, predicted) = (&scored[0]["logprobs"], &predictions[0]["scores"]);
    for (index, label) in ["bad", "good"].iter().enumerate() {
        let difference = scored[index].as_f64().expect("a number")
            - predicted[label].as_f64().expect("a number");
        assert!(difference.abs() < 1e-4, "{scored} {predicted}");
    }
}

#[test]
fn settings_come_in_layers() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    let set = ["--set", "train.steps=2", "--set", "tuner.prompt_length=3"];
    let result = run(train(folder, "run")
        .env("PILOT_TRAIN__STEPS", "5")
        .env("PILOT_SEED", "9")
        .args(set)
        .arg("--json"));
    let result = result.json_lines().remove(0);
    assert_eq!(result["steps"], 2);
    assert_eq!(result["seed"], 9);
    assert_eq!(result["parameters"]["trained"], 3 * 16);
    // The resolved settings alone give the same run.
    run(pilot(folder).args(["train", "run/resolved.toml", "--out", "again", "--quiet"])).done();
    assert_eq!(metrics(folder, "run"), metrics(folder, "again"));
    assert_eq!(adapter(folder, "run"), adapter(folder, "again"));
}

#[test]
fn progress_is_told_in_lines_and_kept_quiet_on_demand() {
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path());
    let told = run(train(folder.path(), "told").args(["--device", "cpu"]));
    assert!(
        told.stderr.contains("step 24 of 24: loss "),
        "{}",
        told.stderr
    );
    assert!(told.stderr.contains("examples/s"), "{}", told.stderr);
    assert!(
        told.stderr.contains("validation at step 8: loss "),
        "{}",
        told.stderr
    );
    assert!(
        !told.stderr.contains('\u{1b}'),
        "no colours and no bars into a pipe: {}",
        told.stderr
    );
    assert!(
        !told.stderr.contains("kernels"),
        "a CPU makes none: {}",
        told.stderr
    );
    let done = told.done();
    assert!(done.contains("saved in told"), "{done}");
    // PEFT would put this prompt in front.
    assert!(done.contains("PEFT cannot read this adapter"), "{done}");
    let quiet = run(train(folder.path(), "quiet").arg("--quiet"));
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_used_folder_is_not_trained_into_again() {
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path());
    let first = run(train(folder.path(), "run").arg("--json")).json_lines();
    run(&mut train(folder.path(), "run")).failed(2, &["run", "--resume"]);
    let resumed = run(train(folder.path(), "run").args(["--resume", "--json"])).json_lines();
    assert_eq!(first, resumed, "a finished run is its result");
    run(train(folder.path(), "run").args(["--resume", "--set", "seed=8"]))
        .failed(2, &["other settings"]);
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    // Long enough to be killed in its middle.
    let longer = EXPERIMENT
        .replace("steps = 24", "steps = 150")
        .replace("[train]", "[train]\nwarmup = 10\ngrad_clip = 1.0");
    fs_err::write(folder.join("experiment.toml"), longer).expect("written");
    run(&mut train(folder, "whole")).done();
    kill_in_the_middle(&mut train(folder, "killed"), &folder.join("killed"));
    let said = run(train(folder, "killed").arg("--resume"));
    assert!(
        said.stderr.contains("going on behind step"),
        "{}",
        said.stderr
    );
    said.done();
    let read = |out: &str| fs_err::read(folder.join(out).join("metrics.jsonl")).expect("metrics");
    assert!(read("whole") == read("killed"), "the metrics differ");
    assert!(
        adapter(folder, "whole") == adapter(folder, "killed"),
        "the adapters differ"
    );
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_can_be_gone_on_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    fs_err::write(
        folder.join("experiment.toml"),
        EXPERIMENT.replace("steps = 24", "steps = 400"),
    )
    .expect("written");
    let mut child = train(folder, "run")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    while steps_so_far(&folder.join("run")) < 4 {
        assert!(child.try_wait().expect("a state").is_none(), "ended early");
        thread::sleep(Duration::from_millis(1));
    }
    // A shell that starts the tests in the background has their processes ignore an INT.
    let interrupt = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(interrupt.expect("kill").success());
    assert!(!child.wait().expect("ended").success());
    let resumed: Said =
        run(train(folder, "run").args(["--resume", "--json", "--set", "train.steps=400"]));
    assert_eq!(resumed.json_lines()[0]["steps"], 400);
}

#[test]
fn a_run_of_a_comparison_ends_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    let longer = EXPERIMENT.replace("steps = 24", "steps = 400");
    fs_err::write(folder.join("experiment.toml"), longer).expect("written");
    let mut child = train(folder, "run")
        .arg("--of-comparison")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let comparison = child.stdin.take().expect("a pipe");
    while steps_so_far(&folder.join("run")) < 4 {
        assert!(child.try_wait().expect("a state").is_none(), "ended early");
        thread::sleep(Duration::from_millis(1));
    }
    drop(comparison);
    assert_eq!(child.wait().expect("ended").code(), Some(1));
    assert!(!folder.join("run/result.json").exists());
}

#[test]
#[cfg(unix)]
fn what_a_run_leaves_is_as_open_as_other_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    run(&mut train(folder, "out")).done();
    let mode = |path: &Path| fs_err::metadata(path).expect("there").permissions();
    fs_err::create_dir(folder.join("ordinary")).expect("made");
    let of_folders = mode(&folder.join("ordinary"));
    let of_files = mode(&folder.join("experiment.toml"));
    let mut folders = vec![folder.join("out")];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            let expected = if path.is_dir() {
                &of_folders
            } else {
                &of_files
            };
            assert_eq!(mode(&path), *expected, "{}", path.display());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
}

#[test]
fn parameters_that_learn_nothing_are_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    // Nothing of a text stands behind these vectors.
    let texts = EXPERIMENT
        .replace("classification", "language-modelling")
        .replace(
            "labels = { bad = \" negative\", good = \" positive\" }\n",
            "",
        )
        .replace("init = \"labels\"", "init = \"random\"");
    fs_err::write(folder.join("experiment.toml"), texts).expect("written");
    let said = run(&mut train(folder, "run"));
    let warning = "warning: 1 trainable parameters get no gradient and learn nothing: tuner.";
    assert!(said.stderr.contains(warning), "{}", said.stderr);
    said.done();
}

#[test]
fn a_loss_that_is_no_number_is_a_failed_run() {
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path());
    let set = [
        "--set",
        "train.learning_rate=100000",
        "--set",
        "train.optimizer=sgd",
        "--set",
        "train.steps=200",
    ];
    run(train(folder.path(), "run").args(set)).failed(1, &["the loss is", "train.learning_rate"]);
}
