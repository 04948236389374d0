//! `pilot prompt`: the words next to learned vectors, and sums of prompts.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{
    Said,
    experiment::{prepare, train},
    pilot, run,
};

/// A run with these settings beside those of the experiment.
fn trained(folder: &Path, out: &str, settings: &[&str]) {
    let mut command = train(folder, out);
    for setting in settings {
        command.args(["--set", setting]);
    }
    run(&mut command).done();
}

fn prompt(folder: &Path, arguments: &[&str]) -> Said {
    run(pilot(folder).arg("prompt").args(arguments))
}

#[test]
fn untrained_vectors_are_next_to_the_words_that_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    let text = "tuner.text=\" fine film\"";
    let settings = [
        "tuner.init=text",
        text,
        "train.learning_rate=0",
        "tuner.prompt_length=2",
    ];
    trained(folder, "words", &settings);
    let nearest = ["nearest", "--model", "model", "--adapter", "words"];
    for (metric, value) in [("cosine", 1.0), ("euclid", 0.0)] {
        let more = ["--top", "3", "--metric", metric, "--json"];
        let line = prompt(folder, &[&nearest[..], &more].concat())
            .json_lines()
            .remove(0);
        let vectors = line["vectors"].as_array().expect("vectors");
        assert_eq!(vectors.len(), 2);
        for (vector, word) in vectors.iter().zip([" fine", " film"]) {
            assert_eq!(vector.as_array().expect("words").len(), 3);
            assert_eq!(vector[0]["text"], word);
            let found = vector[0]["value"].as_f64().expect("a number");
            assert!((found - value).abs() < 1e-3, "{found}");
            let next = vector[1]["value"].as_f64().expect("a number");
            assert!((next - value).abs() > (found - value).abs());
        }
    }
    let table = prompt(folder, &nearest).done();
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 3, "{table}");
    assert!(rows[1].contains("·fine 1.000"), "{table}");
    assert!(rows[2].contains("·film 1.000"), "{table}");
}

fn tensors(folder: &Path, adapter: &str) -> Vec<u8> {
    fs_err::read(folder.join(adapter).join("adapter.safetensors")).expect("tensors")
}

#[test]
fn sums_of_prompts_are_prompts() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    for seed in ["1", "2"] {
        trained(
            folder,
            seed,
            &[&format!("seed={seed}"), "tuner.init=random"],
        );
    }
    let made = |arguments: &[&str], out: &str| {
        let said = prompt(folder, &[arguments, &["--out", out]].concat());
        assert_eq!(said.done(), format!("{out}\n"));
    };
    let (first, second) = (tensors(folder, "1/adapter"), tensors(folder, "2/adapter"));
    made(&["interpolate", "1", "2", "--weight", "0"], "at-first");
    assert!(tensors(folder, "at-first") == first);
    made(
        &["interpolate", "1", "2", "--weight", "1", "--model", "model"],
        "at-second",
    );
    assert!(tensors(folder, "at-second") == second);
    made(&["interpolate", "1", "2", "--weight", "0.5"], "between");
    made(&["average", "1", "2/adapter"], "mean");
    assert!(tensors(folder, "between") == tensors(folder, "mean"));
    assert!(tensors(folder, "mean") != first && tensors(folder, "mean") != second);
    made(&["average", "1", "1", "1", "1"], "same");
    assert!(tensors(folder, "same") == first);

    // They come with the task of the first.
    let predict = |adapter: &str| -> Vec<Value> {
        let predict = [
            "predict",
            "--model",
            "model",
            "--input",
            "train.jsonl",
            "--adapter",
        ];
        run(pilot(folder).args(predict).arg(adapter)).json_lines()
    };
    assert_eq!(predict("at-second"), predict("2"));
    assert_ne!(predict("mean"), predict("2"));
}

#[test]
fn what_is_no_sum_of_prompts_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    trained(folder, "short", &[]);
    trained(folder, "long", &["tuner.prompt_length=5"]);
    trained(folder, "before", &["tuner.placement=before"]);
    let average =
        |others: &[&str]| prompt(folder, &[&["average", "--out", "out"], others].concat());
    average(&["short", "long"]).failed(2, &["long/adapter has 5 vectors", "4"]);
    average(&["short", "before"]).failed(2, &["before/adapter stands at another place"]);
    average(&["short", "nowhere"]).failed(2, &["nowhere"]);
    average(&["short", "short", "--model", "other"]).failed(2, &["other"]);
    assert!(!folder.join("out").exists());
    prompt(folder, &["average", "short", "short", "--out", "long"]).failed(2, &["long", "--out"]);
    assert_eq!(average(&["short"]).code, Some(2));

    let lora = "[tuner]\nmethod = \"lora\"\nrank = 2\n[train]";
    let text = fs_err::read_to_string(folder.join("experiment.toml")).expect("it");
    let (head, tail) = text.split_once("[tuner]").expect("a section");
    let (_, tail) = tail.split_once("[train]").expect("a section");
    fs_err::write(
        folder.join("experiment.toml"),
        format!("{head}{lora}{tail}"),
    )
    .expect("written");
    trained(folder, "lora", &[]);
    average(&["short", "lora"]).failed(2, &["lora/adapter", "no prompt"]);
    let nearest = ["nearest", "--model", "model", "--adapter", "lora"];
    prompt(folder, &nearest).failed(2, &["`lora` is no prompt"]);
    trained(folder, "base", &["base.train=[\"norm\"]"]);
    let file = folder.join("base/adapter/base.safetensors");
    fs_err::copy(file, folder.join("short/adapter/base.safetensors")).expect("copied");
    average(&["before", "short"]).failed(2, &["short/adapter", "parameters of the base"]);
}
