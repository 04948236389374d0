//! Commands that ask a model: `score`, `predict`, `generate`, `inspect`.

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{model::tiny_model, pilot, run};

const QUESTIONS: &str = r#"{"text": "A fine film", "choices": [" positive", " negative", " is it warm"]}
{"text": "it is", "choices": [" cold"]}
"#;

fn write(folder: &Path, name: &str, text: &str) {
    fs_err::write(folder.join(name), text).expect("written");
}

fn logprobs(line: &Value) -> Vec<f64> {
    let values = line["logprobs"].as_array().expect("a list").iter();
    values
        .map(|value| value.as_f64().expect("a number"))
        .collect()
}

#[test]
fn score_prints_a_line_for_each_record_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    tiny_model(folder.path());
    write(folder.path(), "questions.jsonl", QUESTIONS);
    let score = ["score", "--model", "model", "--input", "questions.jsonl"];
    let lines = run(pilot(folder.path()).args(score)).json_lines();
    assert_eq!(lines.len(), 2);
    let both = logprobs(&lines[0]);
    assert_eq!(both.len(), 3);
    assert!(both.iter().all(|value| *value < 0.0));

    // The choices of a text do not see each other.
    write(
        folder.path(),
        "one.jsonl",
        r#"{"text": "A fine film", "choices": [" negative"]}"#,
    );
    let score = [
        "score",
        "--model",
        "model",
        "--input",
        "one.jsonl",
        "--quiet",
    ];
    let said = run(pilot(folder.path()).args(score));
    assert_eq!(said.stderr, "");
    let alone = logprobs(&said.json_lines()[0]);
    assert!((alone[0] - both[1]).abs() < 1e-4, "{alone:?} {both:?}");
}

#[test]
fn records_come_from_standard_input_too() {
    let folder = tempfile::tempdir().expect("a folder");
    tiny_model(folder.path());
    write(folder.path(), "questions.jsonl", QUESTIONS);
    let mut command = pilot(folder.path());
    command.args(["score", "--model", "model", "--input", "-"]);
    command.stdin(
        fs_err::File::open(folder.path().join("questions.jsonl"))
            .expect("open")
            .into_parts()
            .0,
    );
    assert_eq!(run(&mut command).json_lines().len(), 2);
}

#[test]
fn predict_reads_labels_by_the_words_of_a_task() {
    let folder = tempfile::tempdir().expect("a folder");
    tiny_model(folder.path());
    let task = "[task]\nkind = \"classification\"\ntemplate = \"{{ text }}\\nSentiment:\"\n\
                labels = { bad = \" negative\", good = [\" positive\", \" fine\"] }\n";
    write(folder.path(), "task.toml", task);
    write(
        folder.path(),
        "texts.jsonl",
        "{\"text\": \"A fine film\"}\n{\"text\": \"it is cold\"}\n",
    );
    let predict = [
        "predict",
        "--model",
        "model",
        "--task",
        "task.toml",
        "--input",
        "texts.jsonl",
    ];
    let lines = run(pilot(folder.path()).args(predict)).json_lines();
    assert_eq!(lines.len(), 2);
    for line in lines {
        let scores = line["scores"].as_object().expect("scores");
        let names: Vec<&String> = scores.keys().collect();
        assert_eq!(names, ["bad", "good"]);
        let score = |label: &str| scores[label].as_f64().expect("a number");
        let best = if score("good") > score("bad") {
            "good"
        } else {
            "bad"
        };
        assert_eq!(line["label"], best);
    }

    run(pilot(folder.path()).args(["predict", "--model", "model", "--input", "texts.jsonl"]))
        .failed(2, &["--task FILE"]);
    run(pilot(folder.path()).args([
        "predict",
        "--model",
        "model",
        "--task",
        "none.toml",
        "--input",
        "texts.jsonl",
    ]))
    .failed(2, &["none.toml"]);
    write(
        folder.path(),
        "typo.toml",
        &task.replace("template", "tempalte"),
    );
    run(pilot(folder.path()).args([
        "predict",
        "--model",
        "model",
        "--task",
        "typo.toml",
        "--input",
        "texts.jsonl",
    ]))
    .failed(2, &["typo.toml", "tempalte"]);
}

#[test]
fn generate_writes_the_same_text_at_once_and_bit_by_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    tiny_model(folder.path());
    let generate = [
        "generate",
        "--model",
        "model",
        "--prompt",
        "A fine",
        "--max-tokens",
        "12",
        "--temperature",
        "1",
    ];
    let streamed = run(pilot(folder.path()).args(generate)).done();
    let line = run(pilot(folder.path()).args(generate).arg("--json"))
        .json_lines()
        .remove(0);
    assert_eq!(
        streamed,
        format!("{}\n", line["text"].as_str().expect("a text"))
    );
    let n_tokens = line["tokens"].as_array().expect("tokens").len();
    assert!(n_tokens > 0 && n_tokens <= 12);
    let other = run(pilot(folder.path()).args(generate).args(["--seed", "7"])).done();
    assert_ne!(streamed, other);

    run(pilot(folder.path()).args(generate).args(["--top-p", "0"])).failed(2, &["--top-p"]);
    let long = "a fine film ".repeat(100);
    run(pilot(folder.path()).args(["generate", "--model", "model", "--prompt", &long]))
        .failed(2, &["too long", "128"]);
}

#[test]
fn inspect_counts_what_methods_train() {
    let folder = tempfile::tempdir().expect("a folder");
    tiny_model(folder.path());
    let line = run(pilot(folder.path()).args(["inspect", "model", "--json"]))
        .json_lines()
        .remove(0);
    assert_eq!(line["family"], "llama");
    assert_eq!(
        (&line["n_layers"], &line["d_model"], &line["d_ff"]),
        (&2.into(), &16.into(), &32.into())
    );
    let n_parameters = line["n_parameters"].as_u64().expect("a count");
    // Embeddings; per layer queries and output, keys and values, feed-forward, two norms; the last norm.
    let layer = 2 * 16 * 16 + 2 * 16 * 8 + 3 * 16 * 32 + 2 * 16;
    assert_eq!(n_parameters, 325 * 16 + 2 * layer + 16);
    let methods = line["methods"].as_array().expect("methods");
    let trainable: Vec<u64> = methods
        .iter()
        .map(|row| row["trainable"].as_u64().expect("a count"))
        .collect();
    // LoRA: rank times inputs and outputs of queries (16, 16) and values (16, 8). There are no biases.
    let lora = 2 * 8 * (32 + 24);
    let p_tuning = 20 * 16 + 3 * (16 * 16 + 16);
    let prefix = 20 * 2 * 2 * 8;
    let adapters = 4 * (16 * 64 + 64 + 64 * 16 + 16);
    let expected = [
        ("full fine-tuning", n_parameters),
        ("norms", 5 * 16),
        ("soft prompt, 20 vectors", 20 * 16),
        ("P-tuning, 20 vectors", p_tuning),
        ("deep prompt, 20 vectors", 2 * 20 * 16),
        ("prefix, 20 positions", prefix),
        ("LoRA, rank 8", lora),
        ("DoRA, rank 8", lora + 2 * (16 + 8)),
        // Keys and values, and the input of the narrowing projection.
        ("(IA)³", 2 * (8 + 8 + 32)),
        ("adapters, width 64", adapters),
        ("soft prompt and LoRA", 20 * 16 + lora),
    ];
    let names = methods
        .iter()
        .map(|row| row["method"].as_str().expect("a name"));
    let found: Vec<(&str, u64)> = names.zip(trainable.iter().copied()).collect();
    assert_eq!(found, expected);
    let bytes = |index: usize| methods[index]["bytes"].as_u64().expect("a size");
    assert!(bytes(2) > 4 * 20 * 16 && bytes(2) < 4 * 20 * 16 + 4096);
    // The network of P-tuning is not saved.
    assert!(bytes(3) < bytes(2) + 512);
    assert!(bytes(1) > 4 * 5 * 16);

    write(
        folder.path(),
        "method.toml",
        "[tuner]\nmethod = \"lora\"\nrank = 2\n",
    );
    let asked =
        run(pilot(folder.path()).args(["inspect", "model", "--method", "method.toml", "--json"]));
    let methods = asked.json_lines()[0]["methods"].clone();
    assert_eq!(methods[1]["trainable"], 2 * 2 * (32 + 24));
    let all = run(pilot(folder.path()).args([
        "inspect",
        "model",
        "--method",
        "smollm2-sentences",
        "--json",
    ]));
    let methods = all.json_lines()[0]["methods"].clone();
    let methods = methods.as_array().expect("methods");
    let names: Vec<&Value> = methods.iter().map(|row| &row["method"]).collect();
    assert!(
        names.len() > 10 && names.contains(&&"prompt + LoRA".into()),
        "{names:?}"
    );
    write(folder.path(), "empty.toml", "[base]\ntrain = []\n");
    let empty = ["inspect", "model", "--method", "empty.toml"];
    run(pilot(folder.path()).args(empty)).failed(2, &["empty.toml", "[tuner]"]);
    let table = run(pilot(folder.path()).args(["inspect", "model"])).done();
    assert!(
        table.contains("LoRA, rank 8") && table.contains("320"),
        "{table}"
    );
    assert!(!table.contains('\u{1b}'), "no colours into a pipe");
}

#[test]
fn devices_tells_what_each_backend_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = run(pilot(folder.path()).args(["devices", "--json"]));
    // Whatever the drivers of the machine say.
    assert_eq!(said.stderr, "");
    let rows: Vec<Value> = serde_json::from_str(&said.done()).expect("JSON");
    for (backend, compiled) in [
        ("cpu", true),
        ("wgpu", cfg!(feature = "wgpu")),
        ("cuda", cfg!(feature = "cuda")),
    ] {
        let mut of_backend = rows.iter().filter(|row| row["backend"] == backend);
        let row = of_backend.next().expect("a row for each backend");
        assert_eq!(row["compiled"], compiled);
        if row["device"].is_null() {
            assert_eq!(row["dtypes"], json!([]));
            assert!(row["name"].is_null() && row["memory_bytes"].is_null());
        } else {
            assert_eq!(row["device"], backend);
            assert_eq!(row["dtypes"][0], "f32");
        }
    }
    assert_eq!(rows[0]["dtypes"], json!(["f32", "f16", "bf16"]));
    let table = run(pilot(folder.path()).arg("devices")).done();
    assert!(table.contains("f32, f16, bf16"), "{table}");
}
