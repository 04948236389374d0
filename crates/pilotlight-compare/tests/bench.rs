//! Training steps as they are measured, kept and compared.

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};
use pilotlight_compare::{
    CompareError, Precision, Resolver,
    bench::{BenchDocument, BenchModel, Ratios, Step},
    statistics::Bootstrap,
};
use pilotlight_transformer::{LoadOptions, init_random, save_folder};
use serde_json::{Value, json};

const BOOTSTRAP: Bootstrap = Bootstrap {
    resamples: 40_000,
    confidence: 0.95,
    seed: 1,
};

/// A file that `goldens/make_bench.py` wrote.
fn golden(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/bench");
    folder.join(name)
}

fn document(name: &str) -> BenchDocument {
    BenchDocument::read(&golden(name)).expect("a result")
}

fn json_of(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

#[track_caller]
fn check(found: f64, expected: &Value, tolerance: f64) {
    let expected = expected.as_f64().expect("a number");
    let distance = (found - expected).abs() / expected;
    assert!(distance <= tolerance, "{found} for {expected}");
}

#[test]
fn percentiles_and_ratios_are_those_of_numpy_and_scipy() {
    let (first, second) = (document("first.json"), document("second.json"));
    let expected = json_of(&golden("expected.json"));
    let ratios = Ratios::of(("one", &first), ("two", &second), &BOOTSTRAP).expect("comparable");
    assert_eq!(ratios.left_out, Vec::<String>::new());
    assert_eq!(ratios.rows.len(), first.rows.len());
    for (row, compared) in first.rows.iter().zip(&ratios.rows) {
        let expected = &expected[&row.settings.method];
        let summary = row.summary().expect("measured");
        check(summary.p10, &expected["p10"], 1e-9);
        check(summary.p50, &expected["p50"], 1e-9);
        check(summary.p90, &expected["p90"], 1e-9);
        check(
            summary.tokens_per_second,
            &expected["tokens_per_second"],
            1e-9,
        );
        check(compared.step_time.value, &expected["ratio"], 1e-9);
        // Both ends are estimates.
        check(compared.step_time.low, &expected["interval"][0], 0.01);
        check(compared.step_time.high, &expected["interval"][1], 0.01);
        check(
            1.0 / compared.tokens_per_second.low,
            &expected["interval"][1],
            0.01,
        );
        assert_eq!(compared.memory, Some(1.25));
        let holds_one = compared.step_time.low <= 1.0 && 1.0 <= compared.step_time.high;
        assert_eq!(compared.is_within_noise, holds_one);
    }
    let noise: Vec<bool> = ratios.rows.iter().map(|row| row.is_within_noise).collect();
    assert_eq!(noise, [true, false, false, false, true]);
}

#[test]
fn steps_multiply_what_pytorch_counts() {
    struct Nowhere;
    impl Resolver for Nowhere {
        fn model(&self, name: &str) -> Result<PathBuf, CompareError> {
            panic!("{name} is a folder")
        }
        fn device(&self, name: &str, _precision: Precision) -> Result<Device, CompareError> {
            panic!("{name} is given")
        }
        fn helpers(&self, names: &str, _precision: Precision) -> Result<Vec<Device>, CompareError> {
            panic!("{names} is given")
        }
    }
    let first = document("first.json");
    let expected = json_of(&golden("expected.json"));
    let shape = &first.rows[0].settings.shape;
    let config = json!({
        "model_type": shape.family, "hidden_act": "silu", "hidden_size": shape.d_model,
        "intermediate_size": shape.d_ff, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "num_attention_heads": shape.n_heads, "num_hidden_layers": shape.n_layers,
        "num_key_value_heads": shape.n_kv_heads, "vocab_size": shape.n_vocab,
        "tie_word_embeddings": shape.tied_head,
    });
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("config.json"), config.to_string()).expect("written");
    let device = Device::flex();
    let model = init_random(folder, 1, &LoadOptions::new(&device))
        .expect("a model")
        .model;
    save_folder(&model, folder, folder, DType::F32).expect("saved");

    let name = folder.to_str().expect("Unicode");
    let model = BenchModel::find(name, &Nowhere).expect("a folder");
    for row in &first.rows {
        let step = Step::load(&row.settings, &model, &device).expect("it fits");
        let measured = step.measure(1, 2, 0.5).expect("steps");
        let expected = &expected[&row.settings.method];
        assert_eq!(
            measured.trained_parameters, expected["trained"],
            "{}",
            row.settings.method
        );
        // Which of LoRA's two matrices is the larger one is not known to the count.
        check(measured.step_operations, &expected["operations"], 2e-3);
        assert_eq!(measured.warm_up_seconds.len(), 1);
        assert_eq!(measured.step_seconds.len(), 2);
    }
}

#[test]
fn a_document_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = document("first.json");
    first.save(folder.path()).expect("written");
    let path = folder.path().join("bench.json");
    assert_eq!(BenchDocument::read(&path).expect("a result"), first);

    let csv = csv::Reader::from_path(folder.path().join("bench.csv")).expect("CSV");
    let records: Vec<_> = csv
        .into_records()
        .map(|record| record.expect("CSV"))
        .collect();
    assert_eq!(records.len(), first.rows.len());
    assert_eq!(&records[2][1], "lora");
    let svg = std::fs::read_to_string(folder.path().join("bench.svg")).expect("a picture");
    roxmltree::Document::parse(&svg).expect("XML");
}

/// What is said of a document that was changed.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut document = json_of(&golden("first.json"));
    change(&mut document);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bench.json");
    std::fs::write(&path, document.to_string()).expect("written");
    BenchDocument::read(&path).expect_err("refused").to_string()
}

#[test]
fn damaged_documents_are_refused_by_the_member() {
    #[track_caller]
    fn check(message: String, parts: &[&str]) {
        for part in ["bench.json", "hint: "].iter().chain(parts) {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
    }
    check(
        refused(|it| *it = json!([1, 2])),
        &["no result of a benchmark"],
    );
    check(refused(|it| it["format"] = json!("other")), &["`other`"]);
    check(
        refused(|it| it["version"] = json!(2)),
        &["version 2", "version 1"],
    );
    check(
        refused(|it| {
            it["rows"][1]["settings"]
                .as_object_mut()
                .expect("settings")
                .remove("batch");
        }),
        &["rows[1].settings", "batch"],
    );
    check(
        refused(|it| it["rows"][0]["more"] = json!(1)),
        &["rows[0]", "more"],
    );
    check(
        refused(|it| it["rows"][0]["settings"]["tokens"] = json!(0)),
        &["rows[0].settings.tokens", "at least 1"],
    );
    let measured = |key: &'static str, value: Value| {
        refused(move |it| it["rows"][2]["outcome"]["measured"][key] = value)
    };
    check(
        measured("step_seconds", json!([])),
        &["rows[2]", "step_seconds", "empty"],
    );
    check(
        measured("step_seconds", json!([0.1, -0.1])),
        &["step_seconds", "above 0"],
    );
    check(
        measured("step_seconds", json!([0.1, null])),
        &["step_seconds[1]"],
    );
    check(
        measured("peak_operations_per_second", json!(0.0)),
        &["peak_operations"],
    );
    check(
        measured("trained_parameters", json!(-1)),
        &["trained_parameters"],
    );
}

#[test]
fn settings_that_differ_are_named() {
    let first = document("first.json");
    let compare = |second: &BenchDocument| {
        Ratios::of(
            ("one", &first),
            ("two", second),
            &Bootstrap {
                resamples: 10,
                ..BOOTSTRAP
            },
        )
    };
    let mut second = document("second.json");
    for row in &mut second.rows {
        row.settings.tokens = 64;
        row.settings.shape.n_layers = 30;
    }
    let message = compare(&second).expect_err("refused").to_string();
    for part in [
        "lora on cpu has 17 in one and 64 in two",
        "`shape.n_layers`",
        "3 in one and 30",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    assert!(!message.contains("`batch`"), "{message}");

    // Settings that only one of them has beside common ones are left out.
    let mut second = document("second.json");
    second.rows[0].settings.device = "wgpu".into();
    let mut larger = second.rows[2].clone();
    larger.settings.batch = 64;
    second.rows.push(larger);
    let ratios = compare(&second).expect("four in common");
    assert_eq!(ratios.rows.len(), 4);
    let left_out = ratios.left_out.join("\n");
    for part in [
        "prompt-tuning on cpu",
        "prompt-tuning on wgpu",
        "lora on cpu (small, 64 texts",
    ] {
        assert!(left_out.contains(part), "`{part}` is not in: {left_out}");
    }

    second.rows.retain(|row| row.settings.device == "wgpu");
    let message = compare(&second).expect_err("nothing in common").to_string();
    assert!(message.contains("no measured row in common"), "{message}");
}
