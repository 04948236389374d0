//! `pilot bench` on a tiny model.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{model::tiny_model, pilot, run};

/// Arguments of a bench that takes moments.
const SMALL: [&str; 14] = [
    "bench",
    "--device",
    "cpu",
    "--batch",
    "2",
    "--tokens",
    "5",
    "--prompt-length",
    "3",
    "--steps",
    "2",
    "--warm-up",
    "1",
    "--model",
];

fn json_of(path: &Path) -> Value {
    let text = fs_err::read_to_string(path).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn steps_are_measured_written_and_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    tiny_model(folder);
    let methods =
        "prompt-tuning,prefix-tuning,lora,adapters,full-fine-tuning,prompt-behind,deep-prompts,ia3";
    let bench =
        run(pilot(folder)
            .args(SMALL)
            .args(["model", "--methods", methods, "--out", "out"]));
    assert!(
        bench
            .stderr
            .contains("[8/8] ia3 on cpu (model, 2 texts of 5 tokens, f32)"),
        "{}",
        bench.stderr
    );
    let table = bench.done();
    for part in [
        "prompt tuning",
        "full fine-tuning",
        "tokens/s",
        "of peak",
        "batch 2, tokens 5, prompt 3",
    ] {
        assert!(table.contains(part), "`{part}` is not in {table}");
    }

    let document = json_of(&folder.join("out/bench.json"));
    let rows = document["rows"].as_array().expect("rows");
    // The model has 2 layers of width 16 with one head of keys and values of width 8.
    let trained = [3 * 16, 3 * 2 * 2 * 8];
    for (index, row) in rows.iter().enumerate() {
        let measured = &row["outcome"]["measured"];
        let number = |key: &str| {
            measured[key]
                .as_f64()
                .unwrap_or_else(|| panic!("{key} in {row}"))
        };
        assert_eq!(measured["step_seconds"].as_array().map(Vec::len), Some(2));
        assert_eq!(
            measured["warm_up_seconds"].as_array().map(Vec::len),
            Some(1)
        );
        for key in [
            "start_up_seconds",
            "step_operations",
            "peak_operations_per_second",
        ] {
            assert!(number(key) > 0.0, "{key} in {row}");
        }
        assert!(number("trained_parameters") <= number("total_parameters"));
        if let Some(trained) = trained.get(index) {
            assert_eq!(measured["trained_parameters"], *trained);
        }
        #[cfg(target_os = "linux")]
        assert!(number("peak_memory_bytes") > 1e6, "{row}");
    }
    let lengths: Vec<u64> = rows
        .iter()
        .map(|row| row["settings"]["prompt_length"].as_u64().expect("a number"))
        .collect();
    assert_eq!(lengths, [3, 3, 0, 0, 0, 3, 3, 0]);
    let full = &rows[4]["outcome"]["measured"];
    assert_eq!(full["trained_parameters"], full["total_parameters"]);
    let csv = fs_err::read_to_string(folder.join("out/bench.csv")).expect("CSV");
    assert_eq!(csv.lines().count(), 9);
    let svg = fs_err::read_to_string(folder.join("out/bench.svg")).expect("SVG");
    assert!(svg.starts_with("<svg"));

    let compare = ["bench", "--compare", "out/bench.json", "out/bench.json"];
    let table = run(pilot(folder).args(compare)).done();
    assert_eq!(table.matches("within noise").count(), 8, "{table}");
    let ratios = run(pilot(folder).args(compare).arg("--json"))
        .json_lines()
        .remove(0);
    assert_eq!(ratios["rows"][0]["step_time"]["value"], 1.0);
}

#[test]
fn a_step_that_fails_is_told_in_its_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs_err::rename(tiny_model(folder), folder.join("broken")).expect("renamed");
    tiny_model(folder);
    fs_err::write(folder.join("broken/model.safetensors"), "no weights").expect("written");
    let bench = run(pilot(folder).args(SMALL).args([
        "broken,model",
        "--methods",
        "lora",
        "--json",
        "--out",
        "out",
    ]));
    let document: Value = serde_json::from_str(&bench.stdout).expect("JSON");
    bench.failed(1, &["1 of 2", "model.safetensors"]);
    let outcome = |row: usize| &document["rows"][row]["outcome"];
    let why = outcome(0)["failed"].as_str().expect("a reason");
    assert!(why.contains("model.safetensors"), "{why}");
    assert!(outcome(1)["measured"].is_object());
    assert_eq!(json_of(&folder.join("out/bench.json")), document);
}

#[test]
fn what_cannot_be_measured_is_refused_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    tiny_model(folder);
    let bench = |arguments: &[&str]| run(pilot(folder).arg("bench").args(arguments));
    let absent = match cfg!(feature = "cuda") {
        true => "cuda:99",
        false => "cuda",
    };
    bench(&["--device", &format!("cpu,{absent}"), "--out", "out"]).failed(2, &[absent]);
    assert!(!folder.join("out").exists(), "nothing was measured");
    bench(&["--model", "model", "--tokens", "126"])
        .failed(2, &["prompt-tuning on model", "128 positions"]);
    bench(&["--model", "model", "--prompt-length", "500"]).failed(2, &["prompt_length", "500"]);
    bench(&["--model", "none"]).failed(2, &["none", "smollm2-135m"]);
    for (arguments, part) in [
        (["--methods", "lora,loar"], "loar"),
        (["--device", "gpu"], "gpu"),
        (["--batch", "0"], "0"),
        (["--dtype", "f8"], "f8"),
    ] {
        let refused = bench(&arguments);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    run(pilot(folder).args(["inspect", "model", "--device", "cpu,cpu"]))
        .failed(2, &["one device", "pilot bench"]);

    fs_err::write(
        folder.join("other.json"),
        "{\"format\": \"pilotlight-bench\", \"version\": 9}",
    )
    .expect("written");
    bench(&["--compare", "other.json", "other.json"]).failed(2, &["other.json", "version 9"]);
    bench(&["--compare", "no.json", "other.json"]).failed(2, &["no.json"]);
}
