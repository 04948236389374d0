//! Several adapters on one model: records that choose one, and ensembles.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{
    experiment::{EXPERIMENT, prepare, train},
    pilot, run,
};

/// Runs of two tasks, `mood` and `tone`, by a prompt and by LoRA.
fn two_tasks(folder: &Path) {
    prepare(folder);
    run(&mut train(folder, "mood")).done();
    let (head, tail) = EXPERIMENT.split_once("[tuner]").expect("a section");
    let (_, settings) = tail.split_once("[train]").expect("a section");
    let tone = format!("{head}[tuner]\nmethod = \"lora\"\nrank = 2\n[train]{settings}")
        .replace("\\nSentiment:", "\\nIt is")
        .replace(" negative", " slow")
        .replace(" positive", " fine");
    fs_err::write(folder.join("experiment.toml"), tone).expect("written");
    run(&mut train(folder, "tone")).done();
}

const RECORDS: &str = r#"{"text": "The film is fine and dull", "task": "tone"}
{"text": "The film is slow", "task": "mood"}
{"text": "It is warm, says the author of the book about the film", "task": "mood"}
{"text": "A funny film", "task": "tone"}
{"text": "A dull film", "task": "mood"}
"#;

fn predict(folder: &Path, arguments: &[&str]) -> Vec<Value> {
    let mut command = pilot(folder);
    command.args(["predict", "--model", "model", "--input", "in.jsonl"]);
    run(command.args(arguments)).json_lines()
}

#[track_caller]
fn assert_close(found: &Value, expected: &Value) {
    let (found, expected) = (found.as_f64(), expected.as_f64());
    let (found, expected) = (found.expect("a number"), expected.expect("a number"));
    assert!(
        (found - expected).abs() < 1e-4,
        "{found} instead of {expected}"
    );
}

#[test]
fn each_record_is_answered_by_the_adapter_that_it_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    two_tasks(folder);
    fs_err::write(folder.join("in.jsonl"), RECORDS).expect("written");
    let both = ["--adapter", "mood=mood", "--adapter", "tone=tone/adapter"];
    let mixed = predict(folder, &both);
    let alone = ["mood", "tone"].map(|run| predict(folder, &["--adapter", run]));
    assert_eq!(mixed.len(), 5);
    for (index, (mixed, record)) in mixed.iter().zip(RECORDS.lines()).enumerate() {
        let record: Value = serde_json::from_str(record).expect("JSON");
        assert_eq!(mixed["task"], record["task"]);
        let own = &alone[usize::from(record["task"] == "tone")][index];
        let other = &alone[usize::from(record["task"] == "mood")][index];
        assert_eq!(mixed["label"], own["label"]);
        assert_close(&mixed["scores"]["bad"], &own["scores"]["bad"]);
        assert_close(&mixed["scores"]["good"], &own["scores"]["good"]);
        assert_ne!(own["scores"], other["scores"]);
        assert!(own.get("task").is_none());
    }

    // A record without a task is the model's own, and needs the task of a file.
    let more = format!("{RECORDS}{{\"text\": \"A fine film\"}}\n");
    fs_err::write(folder.join("in.jsonl"), more).expect("written");
    let mut command = pilot(folder);
    command.args(["predict", "--model", "model", "--input", "in.jsonl"]);
    run(command.args(both)).failed(2, &["in.jsonl:6", "--task FILE"]);
    let task = ["--task", "experiment.toml"];
    let with_bare = predict(folder, &[&both[..], &task].concat());
    let bare = predict(folder, &task);
    assert_close(&with_bare[5]["scores"]["good"], &bare[5]["scores"]["good"]);
    assert_close(&with_bare[0]["scores"]["good"], &mixed[0]["scores"]["good"]);
    assert!(with_bare[5].get("task").is_none());

    // All unknown names at once, with their lines and the names that there are.
    let wrong = RECORDS
        .replacen("\"tone\"", "\"ton\"", 1)
        .replacen("\"mood\"", "3", 1);
    fs_err::write(folder.join("in.jsonl"), wrong).expect("written");
    let mut command = pilot(folder);
    command.args(["predict", "--model", "model", "--input", "in.jsonl"]);
    let parts = [
        "in.jsonl:1, field `task`",
        "`ton`",
        "mood, tone",
        "in.jsonl:2, field `task`",
    ];
    run(command.args(both)).failed(2, &parts);
}

#[test]
fn score_asks_the_adapter_that_a_record_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    two_tasks(folder);
    let question = |task: &str| {
        format!("{{\"text\": \"A fine film\", \"choices\": [\" positive\", \" fine\"]{task}}}\n")
    };
    let tasks = [", \"task\": \"tone\"", "", ", \"task\": \"mood\""];
    let questions: String = tasks.iter().map(|task| question(task)).collect();
    fs_err::write(folder.join("in.jsonl"), questions).expect("written");
    let score = |arguments: &[&str]| {
        let mut command = pilot(folder);
        command.args(["score", "--model", "model", "--input", "in.jsonl"]);
        run(command.args(arguments)).json_lines()
    };
    let mixed = score(&["--adapter", "tone=tone", "--adapter", "mood=mood"]);
    let alone = [
        score(&["--adapter", "tone"]).remove(0),
        score(&[]).remove(0),
        score(&["--adapter", "mood"]).remove(0),
    ];
    for (mixed, alone) in mixed.iter().zip(&alone) {
        assert_close(&mixed["logprobs"][0], &alone["logprobs"][0]);
        assert_close(&mixed["logprobs"][1], &alone["logprobs"][1]);
    }
    assert_ne!(alone[0], alone[1]);
    assert_ne!(alone[1], alone[2]);
}

#[test]
fn the_adapters_of_an_ensemble_answer_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare(folder);
    for seed in ["1", "2", "3"] {
        let mut command = train(folder, seed);
        run(command.args([
            "--set",
            &format!("seed={seed}"),
            "--set",
            "tuner.init=random",
        ]))
        .done();
    }
    fs_err::copy(folder.join("train.jsonl"), folder.join("in.jsonl")).expect("copied");
    let members = ["--adapter", "1", "--adapter", "2", "--adapter", "3"];
    let together = |how: &str| predict(folder, &[&members[..], &["--ensemble", how]].concat());
    let (averaged, voted) = (together("average"), together("vote"));
    let alone = ["1", "2", "3"].map(|run| predict(folder, &["--adapter", run]));
    for (index, (averaged, voted)) in averaged.iter().zip(&voted).enumerate() {
        let member = |member: &[Value], label: &str| {
            member[index]["scores"][label].as_f64().expect("a number")
        };
        for label in ["bad", "good"] {
            let sum: f64 = alone.iter().map(|it| member(it, label).exp()).sum();
            assert_close(&averaged["scores"][label], &(sum / 3.0).ln().into());
            let votes = alone
                .iter()
                .filter(|it| it[index]["label"] == label)
                .count();
            assert_eq!(voted["votes"][label], votes);
            assert_eq!(votes > 1, voted["label"] == label);
        }
        assert_eq!(averaged["scores"], voted["scores"]);
    }
    let right = voted.iter().zip(0..).filter(|(line, index)| {
        let label = if index % 4 < 2 { "good" } else { "bad" };
        line["label"] == label
    });
    let share = right.count() as f64 / 16.0;
    let eval = ["eval", "experiment.toml", "--json"];
    let eval = |how: &str| {
        let mut command = pilot(folder);
        command.args(eval).args(members).args(["--ensemble", how]);
        run(&mut command).json_lines().remove(0)
    };
    let (by_votes, by_average) = (eval("vote"), eval("average"));
    assert_close(&by_votes["accuracy"]["value"], &share.into());
    assert_close(&by_votes["loss"], &by_average["loss"]);
}

#[test]
fn adapters_that_do_not_go_together_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    two_tasks(folder);
    fs_err::write(folder.join("in.jsonl"), RECORDS).expect("written");
    let refused = |arguments: &[&str], parts: &[&str]| {
        let mut command = pilot(folder);
        command.args(["predict", "--model", "model", "--input", "in.jsonl"]);
        run(command.args(arguments)).failed(2, parts);
    };
    let two = ["--adapter", "mood", "--adapter", "tone"];
    refused(&two, &["NAME=DIR"]);
    refused(
        &["--adapter", "a=mood", "--adapter", "a=tone"],
        &["called a"],
    );
    refused(&["--adapter", "=mood"], &["name is empty"]);
    refused(&["--adapter", "a=nowhere"], &["nowhere"]);
    refused(
        &["--adapter", "mood", "--ensemble", "vote"],
        &["two adapters"],
    );
    let named = ["--adapter", "a=mood", "--adapter", "b=tone"];
    refused(
        &[&named[..], &["--ensemble", "vote"]].concat(),
        &["no effect"],
    );
    let file = folder.join("tone/adapter/task.toml");
    let task = fs_err::read_to_string(&file).expect("a task");
    fs_err::write(&file, task.replace("good", "fair")).expect("written");
    let other = [&two[..], &["--ensemble", "vote"]].concat();
    refused(&other, &["same labels", "bad, good", "bad, fair"]);
    let eval = ["eval", "experiment.toml", "--adapter", "mood"];
    run(pilot(folder).args(eval).args(["--ensemble", "vote"])).failed(2, &["two adapters"]);
    run(pilot(folder).args(eval).args(["--adapter", "tone"])).failed(2, &["--ensemble"]);
}
