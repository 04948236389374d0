//! What comes before and around a run: data, several methods, mistakes.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{
    experiment::{EXPERIMENT, prepare, train},
    pilot, run,
};

#[test]
fn data_show_marks_vectors_and_trained_tokens() {
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path());
    let show = ["data", "show", "experiment.toml", "--limit", "1"];
    let text = run(pilot(folder.path()).args(show)).done();
    assert!(text.contains("train: 16 examples"), "{text}");
    assert!(text.contains("good: 8 (50.0 %)"), "{text}");
    assert!(
        text.contains("The ·film ·is ·fine ·and ·fine \\n Sentiment : <1-4> [·positive]"),
        "{text}"
    );
    let json = run(pilot(folder.path()).args(show).arg("--json"))
        .json_lines()
        .remove(0);
    assert_eq!(json["labels"]["bad"], 8);
    let sequence = json["examples"][0]["sequence"].as_array().expect("a list");
    let trained: Vec<&Value> = sequence
        .iter()
        .filter(|slot| slot["trained"] == true)
        .collect();
    assert_eq!(trained.len(), 1);
    assert_eq!(trained[0]["text"], " positive");
    assert_eq!(
        sequence
            .iter()
            .filter(|slot| slot["kind"] == "vector")
            .count(),
        4
    );
}

#[test]
fn compare_runs_every_method_and_skips_what_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    let methods = "\n[methods.prompt]\nlabel = \"a prompt\"\n[methods.lora]\ntuner = { method = \"lora\", rank = 2 }\n";
    let (head, tail) = EXPERIMENT.split_once("[tuner]").expect("a section");
    let (prompt, train) = tail.split_once("[train]").expect("a section");
    let prompt = prompt.replace('\n', "\ntuner.").replace("tuner.\n", "\n");
    let prompt = prompt.trim_end_matches("tuner.");
    let text = format!(
        "{head}[train]{train}{}",
        methods.replacen("prompt\"\n", &format!("prompt\"{prompt}"), 1)
    );
    fs_err::write(folder.join("comparison.toml"), text).expect("written");
    // One of several methods has to be named, though the untuned model has none.
    let eval = ["eval", "comparison.toml"];
    run(pilot(folder).args(eval)).failed(2, &["prompt, lora", "--method NAME", "untuned"]);
    let of_any = ["prompt", "lora"].map(|method| {
        let eval = pilot(folder)
            .args(eval)
            .args(["--method", method, "--json"])
            .output();
        String::from_utf8(eval.expect("the program starts").stdout).expect("UTF-8")
    });
    assert!(of_any[0].contains("\"accuracy\""), "{of_any:?}");
    assert_eq!(of_any[0], of_any[1]);
    let compare = || run(pilot(folder).args(["compare", "comparison.toml", "--out", "out"]));
    let first = compare();
    assert!(first.stderr.contains("[1/3] untuned"), "{}", first.stderr);
    let table = first.done();
    for part in ["majority", "untuned", "a prompt", "lora", "test accuracy"] {
        assert!(table.contains(part), "{part} is not in {table}");
    }
    let files = [
        "report.html",
        "report.md",
        "results.csv",
        "results.json",
        "table.tex",
        "comparison.json",
        "figures/accuracy-parameters.svg",
        "figures/accuracy-parameters.png",
        "figures/validation-loss.svg",
    ];
    for file in files {
        let written = fs_err::metadata(folder.join("out").join(file)).expect("written");
        let ordinary = fs_err::metadata(folder.join("comparison.toml")).expect("there");
        assert_eq!(written.permissions(), ordinary.permissions(), "{file}");
    }
    let again = compare();
    assert_eq!(
        again.stderr.matches("(done before)").count(),
        3,
        "{}",
        again.stderr
    );
    assert_eq!(again.done(), table);
    check_report(folder, &table);
    // A mistake in the last method shows before the first one is trained.
    let wrong = run(pilot(folder).args([
        "compare",
        "comparison.toml",
        "--out",
        "wrong",
        "--set",
        "methods.lora.tuner.rank=0",
    ]));
    wrong.failed(2, &["rank"]);
    assert!(!folder.join("wrong").exists());
    // Some of the methods; the untuned model is always among the runs.
    let only = ["compare", "comparison.toml", "--out", "out", "--only"];
    let some = run(pilot(folder).args(only).arg("lora"));
    assert!(some.stderr.contains("[2/2] lora"), "{}", some.stderr);
    let table = some.done();
    assert!(
        table.contains("lora") && !table.contains("a prompt"),
        "{table}"
    );
    run(pilot(folder).args(only).arg("lora,lore")).failed(2, &["lore", "prompt, lora"]);
    assert!(
        run(pilot(folder).args(["compare", "--list"]))
            .done()
            .contains("smollm2-sentences")
    );
    run(pilot(folder).args(["compare", "smollm2-sentence"])).failed(2, &["smollm2-sentences"]);
}

/// Makes the report on the comparison in `out` again: as a whole, out of two halves, and with damage.
fn check_report(folder: &Path, table: &str) {
    let report = |arguments: &[&str]| run(pilot(folder).arg("report").args(arguments));
    let page = fs_err::read_to_string(folder.join("out/report.html")).expect("a page");
    assert!(
        page.contains("pilot compare comparison.toml --out out"),
        "{page}"
    );
    assert_eq!(report(&["out"]).done(), table);
    assert_eq!(
        fs_err::read_to_string(folder.join("out/report.html")).expect("a page"),
        page
    );

    // As if two machines had done some of the runs each, one of them by both.
    let mut runs: Vec<_> = fs_err::read_dir(folder.join("out/runs"))
        .expect("runs")
        .collect();
    runs.sort_by_key(|run| run.as_ref().expect("a run").file_name());
    assert_eq!(runs.len(), 3);
    for (half, runs) in [("one", &runs[..2]), ("two", &runs[1..])] {
        fs_err::create_dir_all(folder.join(half).join("runs")).expect("made");
        fs_err::copy(
            folder.join("out/comparison.json"),
            folder.join(half).join("comparison.json"),
        )
        .expect("copied");
        for run in runs {
            let run = run.as_ref().expect("a run");
            let copy = folder.join(half).join("runs").join(run.file_name());
            fs_err::create_dir(&copy).expect("made");
            for file in [
                "resolved.toml",
                "result.json",
                "predictions.jsonl",
                "metrics.jsonl",
            ] {
                let from = run.path().join(file);
                if from.exists() {
                    fs_err::copy(from, copy.join(file)).expect("copied");
                }
            }
        }
    }
    report(&["one", "two"]).failed(2, &["--out"]);
    assert_eq!(report(&["one", "two", "--out", "both"]).done(), table);
    let one = report(&["one"]);
    assert!(one.stderr.contains("left out: "), "{}", one.stderr);
    one.done();
    // What a comparison does not know of is taken for what its settings say.
    fs_err::remove_file(folder.join("one/comparison.json")).expect("removed");
    assert!(
        report(&["one/runs", "--out", "bare"])
            .done()
            .contains("lora")
    );

    // What is damaged is named, and the rest is reported.
    let lora = runs[0].as_ref().expect("a run").file_name();
    let result = folder.join("one/runs").join(lora).join("result.json");
    fs_err::write(&result, "{").expect("written");
    let damaged = report(&["one", "--out", "rest"]);
    assert!(damaged.stdout.contains("prompt"), "{}", damaged.stdout);
    damaged.failed(2, &["result.json", "not the result of a run"]);
    assert!(folder.join("rest/report.html").exists());
    fs_err::create_dir(folder.join("empty")).expect("made");
    report(&["empty"]).failed(2, &["empty holds no finished runs"]);
    report(&["nowhere"]).failed(2, &["nowhere"]);
}

#[test]
fn a_comparison_is_listed_beforehand_and_failures_are_done_again_on_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    let compare = |more: &[&str]| {
        let always = ["compare", "experiment.toml", "--out", "out"];
        let settings = [
            "--set",
            "tuner.prompt_length=[2, 4]",
            "--set",
            "seeds=2",
            "--set",
            "search.trials=2",
            "--set",
            "train.steps=4",
        ];
        run(pilot(folder).args(always).args(settings).args(more))
    };
    let state_of = |lines: &[Value]| -> Vec<String> {
        let lines = lines[0].as_array().expect("a list").iter();
        let words = lines.map(|line| {
            let part = |key: &str| line[key].to_string().replace('"', "");
            format!("{} {} {}", part("kind"), part("seed"), part("state"))
        });
        words.collect()
    };
    let listed = compare(&["--dry-run"]).done();
    assert!(
        listed.contains("9 runs: 0 finished, 9 to do in about"),
        "{listed}"
    );
    let before = state_of(&compare(&["--dry-run", "--json"]).json_lines());
    let count =
        |states: &[String], state: &str| states.iter().filter(|it| it.as_str() == state).count();
    assert_eq!(count(&before, "trial 1 to-do"), 2 * 2);
    assert_eq!(count(&before, "method 2 waits"), 2);
    assert!(!folder.join("out").exists());

    compare(&[]).done();
    let after = state_of(&compare(&["--dry-run", "--json"]).json_lines());
    assert!(after.iter().all(|it| it.ends_with("finished")), "{after:?}");
    // A run that failed.
    let runs = fs_err::read_dir(folder.join("out/runs")).expect("runs");
    let mut paths = runs.map(|entry| entry.expect("an entry").path());
    let broken = paths.find(|path| path.to_string_lossy().contains("soft-prompt-seed2"));
    let broken = broken.expect("a run of the second seed");
    fs_err::remove_file(broken.join("result.json")).expect("removed");
    fs_err::write(broken.join("error.txt"), "the disk is full\n").expect("written");
    compare(&[]).failed(1, &["the disk is full", "--retry"]);
    let failed = compare(&["--dry-run"]).done();
    assert!(
        failed.contains("1 failed (`--retry` does them again)"),
        "{failed}"
    );
    // A run that another worker does again right now.
    let claim = broken.join("claim-1.json");
    fs_err::write(&claim, "{\"worker\": \"far-off-7\", \"token\": 1}").expect("written");
    let running = compare(&["--retry", "--dry-run"]).done();
    for part in [
        "running (far-off-7)",
        "1 to do (1 of them by other workers now)",
    ] {
        assert!(running.contains(part), "{running}");
    }
    let running = state_of(&compare(&["--retry", "--dry-run", "--json"]).json_lines());
    assert_eq!(count(&running, "method 2 running"), 1, "{running:?}");
    fs_err::remove_file(claim).expect("removed");
    compare(&["--retry"]).done();
    assert!(!broken.join("error.txt").exists());
}

#[test]
fn mistakes_in_an_experiment_are_told_with_their_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    let write = |text: &str| fs_err::write(folder.join("experiment.toml"), text).expect("written");
    let go = || run(&mut train(folder, "run"));
    // A key, and the one that was meant.
    write(&EXPERIMENT.replace("learning_rate", "learning_rat"));
    go().failed(2, &["experiment.toml:21", "learning_rat", "learning_rate"]);
    write(&EXPERIMENT.replace("prompt_length", "promt_length"));
    go().failed(2, &["experiment.toml", "promt_length", "prompt_length"]);
    // Two at once.
    write(
        &EXPERIMENT
            .replace("steps = 24", "steps = \"many\"")
            .replace("batch_size = 4", "batch_size = 0"),
    );
    go().failed(2, &["experiment.toml:19", "train.steps"]);
    write("seed = ");
    go().failed(2, &["experiment.toml:1"]);
    write(&EXPERIMENT.replace("\"train.jsonl\"", "\"none.jsonl\""));
    go().failed(2, &["none.jsonl"]);
    run(pilot(folder).args(["train", "none.toml", "--out", "run"])).failed(2, &["none.toml"]);
    write(EXPERIMENT);
    run(train(folder, "run").args(["--set", "train.batch_sizes=4"]))
        .failed(2, &["--set", "batch_size"]);
    run(train(folder, "run").args(["--set", "device=abacus"])).failed(2, &["abacus", "cuda"]);
    // A line of the data.
    let data = fs_err::read_to_string(folder.join("train.jsonl")).expect("data");
    fs_err::write(
        folder.join("train.jsonl"),
        data.replacen("\"good\"", "\"god\"", 1),
    )
    .expect("written");
    go().failed(2, &["train.jsonl:1", "label", "good"]);
    fs_err::write(folder.join("train.jsonl"), data.replacen("}\n", "\n", 1)).expect("written");
    go().failed(2, &["train.jsonl:1"]);
}
