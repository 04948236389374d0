//! `pilot merge`: adapters as parts of their models.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{
    Said,
    experiment::{EXPERIMENT, prepare, train},
    pilot, run,
};

/// The experiment with other lines in [tuner], and a higher rate, so that the method does something.
fn with_tuner(tuner: &str) -> String {
    let (head, tail) = EXPERIMENT.split_once("[tuner]").expect("a section");
    let (_, settings) = tail.split_once("[train]").expect("a section");
    format!("{head}[tuner]\n{tuner}\n[train]{settings}")
}

fn trained(folder: &Path, out: &str, experiment: &str) {
    fs_err::write(folder.join("experiment.toml"), experiment).expect("written");
    run(&mut train(folder, out)).done();
}

fn merge(folder: &Path, adapter: &str, out: &str) -> Said {
    let merge = ["merge", "--model", "model", "--json", "--adapter", adapter];
    run(pilot(folder).args(merge).args(["--out", out]))
}

fn predict(folder: &Path, model: &[&str]) -> Vec<Value> {
    let predict = ["predict", "--input", "train.jsonl", "--model"];
    run(pilot(folder).args(predict).args(model)).json_lines()
}

/// The largest difference between two scores.
fn difference(first: &[Value], second: &[Value]) -> f64 {
    let scores = |lines: &[Value]| -> Vec<f64> {
        let of_line = |line: &Value| {
            let scores = line["scores"].as_object().expect("scores").values();
            scores
                .map(|score| score.as_f64().expect("a number"))
                .collect::<Vec<_>>()
        };
        lines.iter().flat_map(of_line).collect()
    };
    let pairs = scores(first).into_iter().zip(scores(second));
    pairs
        .map(|(first, second)| (first - second).abs())
        .fold(0.0, f64::max)
}

fn bytes(folder: &Path, file: &str) -> Vec<u8> {
    fs_err::read(folder.join(file)).expect("a file")
}

#[test]
fn a_merged_model_answers_like_the_model_with_the_adapter() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    let weights = bytes(folder, "model/model.safetensors");
    let cases = [
        (
            "lora",
            "method = \"lora\"\nrank = 2\ntargets = \"all-linear\"",
        ),
        ("dora", "method = \"lora\"\nrank = 2\ndora = true"),
        ("ia3", "method = \"ia3\""),
        (
            "both",
            "method = \"compose\"\nparts = [{ method = \"ia3\" }, { method = \"lora\", rank = 2 }]",
        ),
        (
            "norms",
            "method = \"none\"\n[base]\nmodel = \"model\"\ntrain = [\"norm\"]",
        ),
    ];
    for (name, tuner) in cases {
        let experiment = match name {
            "norms" => with_tuner(tuner).replacen("[base]\nmodel = \"model\"\n", "", 1),
            _ => with_tuner(tuner),
        };
        trained(folder, name, &experiment);
        let out = format!("{name}-merged");
        let line = merge(folder, name, &out).json_lines().remove(0);
        let number = |key: &str| line[key].as_f64().expect("a number");
        assert!(number("largest_difference") < 1e-4, "{name}: {line}");
        assert!(number("largest_score") > 0.1, "{name}: {line}");
        assert_eq!(
            (&line["n_texts"], &line["texts"]),
            (&8.into(), &"the test split".into())
        );
        assert_eq!(line["n_replaced"] == 0, name == "norms", "{line}");
        let size = fs_err::metadata(folder.join(&out).join("model.safetensors"));
        assert!(number("bytes") > size.expect("weights").len() as f64);

        let task = format!("{out}/task.toml");
        let merged = predict(folder, &[&out, "--task", &task]);
        let hooked = predict(folder, &["model", "--adapter", name]);
        let bare = predict(folder, &["model", "--task", &task]);
        assert!(difference(&merged, &hooked) < 1e-4, "{name}");
        assert!(
            difference(&merged, &bare) > 1e-3,
            "{name}: the tuner does nothing"
        );
    }
    assert!(weights == bytes(folder, "model/model.safetensors"));

    // Away from its run an adapter has no data; and people read sentences, not JSON.
    fs_err::rename(folder.join("lora/adapter"), folder.join("shipped")).expect("moved");
    let merge = [
        "merge",
        "--model",
        "model",
        "--adapter",
        "shipped",
        "--out",
        "again",
    ];
    let text = run(pilot(folder).args(merge)).done();
    for part in [
        "folded `lora` into 14 weights: again, ",
        "4 texts of built-in sentences",
        "e-",
    ] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    let tensors = "model.safetensors";
    let first = bytes(folder, &format!("lora-merged/{tensors}"));
    assert!(first == bytes(folder, &format!("again/{tensors}")));
    run(pilot(folder).args(merge)).failed(2, &["again is there already"]);
}

#[test]
fn a_head_makes_a_classifier_of_the_merged_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    let linear = with_tuner("method = \"lora\"\nrank = 2").replace(
        "labels = { bad = \" negative\", good = \" positive\" }",
        "label_names = [\"bad\", \"good\"]\nhead = \"linear\"",
    );
    trained(folder, "run", &linear);
    let line = merge(folder, "run", "merged").json_lines().remove(0);
    assert_eq!(line["scores"], "class scores");
    assert!(
        line["largest_difference"].as_f64().expect("a number") < 1e-4,
        "{line}"
    );
    let config = String::from_utf8(bytes(folder, "merged/config.json")).expect("text");
    assert!(
        config.contains("LlamaForSequenceClassification"),
        "{config}"
    );
    let merged = predict(folder, &["merged", "--task", "merged/task.toml"]);
    let hooked = predict(folder, &["model", "--adapter", "run"]);
    assert!(difference(&merged, &hooked) < 1e-4);
    assert_eq!(merged[0]["label"], hooked[0]["label"]);

    let mean = linear.replace("head = \"linear\"", "head = \"linear\"\npooling = \"mean\"");
    trained(folder, "mean", &mean);
    merge(folder, "mean", "other").failed(2, &["Mean", "task.pooling"]);
    assert!(!folder.join("other").exists());
}

#[test]
fn what_is_more_than_weights_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    let cases = [
        (
            "prompt",
            "method = \"soft-prompt\"\nprompt_length = 3",
            "3 vectors",
        ),
        (
            "prefix",
            "method = \"prefix\"\nprefix_length = 5",
            "5 vectors",
        ),
        (
            "layers",
            "method = \"bottleneck\"\nbottleneck_dim = 2",
            "layers",
        ),
        (
            "some",
            "method = \"compose\"\nparts = [{ method = \"lora\", rank = 2 }, { method = \"prefix\", prefix_length = 5 }]",
            "prefix: its 5 vectors",
        ),
    ];
    for (name, tuner, reason) in cases {
        trained(folder, name, &with_tuner(tuner));
        let message = merge(folder, name, "out").failed(2, &[reason, "--adapter DIR"]);
        assert!(message.contains(&format!("{name}/adapter")), "{message}");
    }
    merge(folder, "nowhere", "out").failed(2, &["nowhere"]);
    merge(folder, "some", "model").failed(2, &["model is there already"]);
    assert!(!folder.join("out").exists());
}
