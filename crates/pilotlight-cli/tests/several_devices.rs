//! Several devices that share every batch. Here they are the CPU, named twice: it has a copy of the model for each.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{
    experiment::{EXPERIMENT, kill_in_the_middle, prepare, train},
    pilot, run,
};

const TWICE: [&str; 2] = ["--devices", "cpu,cpu"];

/// The losses of training, step by step.
fn losses(run: &Path) -> Vec<f64> {
    let text = fs_err::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let steps = lines.filter(|line: &Value| line["split"] == "train");
    steps
        .map(|step| step["loss"].as_f64().expect("a loss"))
        .collect()
}

#[test]
fn devices_that_share_every_batch_train_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    run(&mut train(folder, "alone")).done();
    run(train(folder, "shared").args(TWICE)).done();
    let (alone, shared) = (
        losses(&folder.join("alone")),
        losses(&folder.join("shared")),
    );
    assert_eq!((alone.len(), shared.len()), (24, 24));
    for (step, (alone, shared)) in alone.iter().zip(&shared).enumerate() {
        let difference = (alone - shared).abs() / alone;
        assert!(difference < 1e-6, "step {step}: {alone} and {shared}");
    }
    let resolved = fs_err::read_to_string(folder.join("shared/resolved.toml")).expect("settings");
    assert!(resolved.contains("device = \"cpu,cpu\""), "{resolved}");
    // A run of several devices is evaluated on the first.
    run(pilot(folder).args(["eval", "shared"])).done();
}

#[test]
fn a_killed_run_of_several_devices_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    let longer = EXPERIMENT.replace("steps = 24", "steps = 150");
    fs_err::write(folder.join("experiment.toml"), longer).expect("written");
    let begin = |out: &str| {
        let mut command = train(folder, out);
        command.args(TWICE);
        command
    };
    run(&mut begin("whole")).done();
    kill_in_the_middle(&mut begin("killed"), &folder.join("killed"));
    run(begin("killed").arg("--resume")).done();
    let read = |out: &str| fs_err::read(folder.join(out).join("metrics.jsonl")).expect("metrics");
    assert!(read("whole") == read("killed"), "the metrics differ");
}

#[test]
fn a_comparison_hands_its_devices_to_every_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    // Said by the file, as by the command line.
    let text = format!("device = \"cpu, cpu\"\n{EXPERIMENT}");
    fs_err::write(folder.join("experiment.toml"), text).expect("written");
    run(pilot(folder).args(["compare", "experiment.toml", "--out", "out"])).done();
    run(pilot(folder).args([
        "compare",
        "experiment.toml",
        "--out",
        "one",
        "--device",
        "cpu",
    ]))
    .done();
    let losses_of = |out: &str| {
        let runs = fs_err::read_dir(folder.join(out).join("runs")).expect("runs");
        let mut trained = runs.map(|run| run.expect("a run").path());
        let trained = trained.find(|run| run.to_string_lossy().contains("soft-prompt"));
        let trained = trained.expect("a trained run");
        let resolved = fs_err::read_to_string(trained.join("resolved.toml")).expect("settings");
        (losses(&trained), resolved.contains("device = \"cpu, cpu\""))
    };
    let (shared, alone) = (losses_of("out"), losses_of("one"));
    assert_eq!((shared.1, alone.1), (true, false));
    // Shared they are: sums are taken in another order.
    assert_ne!(shared.0, alone.0);
}

#[test]
fn devices_that_do_not_go_together_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    let refused = |devices: &str, part: &str| {
        let given = run(train(folder, "out").args(["--devices", devices]));
        assert_eq!(given.code, Some(2), "{}", given.stderr);
        assert!(given.stderr.contains(part), "{}", given.stderr);
        let setting = format!("device=\"{devices}\"");
        run(train(folder, "out").args(["--set", &setting])).failed(2, &["`device`", part]);
    };
    refused("cuda:0,cuda", "`cuda` stands there twice");
    refused("wgpu:1,cpu,wgpu:1", "`wgpu:1` stands there twice");
    refused("cpu,auto", "`auto` is one device");
    refused("cpu,abacus", "a device is");
    let eval = ["eval", "experiment.toml", "--devices", "cpu,cpu"];
    run(pilot(folder).args(eval)).failed(2, &["one device", "`pilot compare` and `pilot train`"]);
}
