//! Each kind of bad input: exit code 2, and a message that names file, line or field and remedy.

mod support;

use std::path::Path;

use support::{Said, model::tiny_model, pilot, run};

fn score(folder: &Path, questions: &str) -> Said {
    fs_err::write(folder.join("in.jsonl"), questions).expect("written");
    run(pilot(folder).args(["score", "--model", "model", "--input", "in.jsonl"]))
}

const GOOD: &str = "{\"text\": \"A\", \"choices\": [\" fine\"]}\n";

#[test]
fn a_missing_file() {
    let folder = tempfile::tempdir().expect("a folder");
    tiny_model(folder.path());
    run(pilot(folder.path()).args(["score", "--model", "model", "--input", "none.jsonl"]))
        .failed(2, &["none.jsonl"]);
    run(pilot(folder.path()).args(["import", "none.gguf", "--out", "out"]))
        .failed(2, &["none.gguf"]);
}

#[test]
fn a_missing_model() {
    let folder = tempfile::tempdir().expect("a folder");
    fs_err::write(folder.path().join("in.jsonl"), GOOD).expect("written");
    let score = |model: &str| {
        run(pilot(folder.path()).args(["score", "--model", model, "--input", "in.jsonl"]))
    };
    // All places that were looked at.
    score("owner/model").failed(
        2,
        &[
            "owner/model",
            ".data/models/owner/model",
            "huggingface",
            "HF_HUB_OFFLINE",
            "pilot fetch",
        ],
    );
    score("./no/such/folder").failed(2, &["./no/such/folder"]);
    score("in.jsonl").failed(2, &["in.jsonl", "config.json"]);
}

#[test]
fn a_model_is_found_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    fs_err::write(folder.path().join("in.jsonl"), GOOD).expect("written");
    let models = folder.path().join("data/models");
    fs_err::create_dir_all(&models).expect("a folder");
    fs_err::rename(tiny_model(folder.path()), models.join("tiny")).expect("moved");
    let score = ["score", "--model", "tiny", "--input", "in.jsonl"];
    run(pilot(folder.path()).env("PILOT_DATA", "data").args(score)).done();
    run(pilot(folder.path()).args(score)).failed(2, &["tiny"]);
    fs_err::rename(folder.path().join("data"), folder.path().join(".data")).expect("moved");
    run(pilot(folder.path()).args(score)).done();
}

#[test]
fn a_wrong_line() {
    let folder = tempfile::tempdir().expect("a folder");
    tiny_model(folder.path());
    score(folder.path(), &format!("{GOOD}not JSON\n")).failed(2, &["in.jsonl:2"]);
    score(
        folder.path(),
        &format!("{GOOD}{{\"text\": 1, \"choices\": []}}\n"),
    )
    .failed(
        2,
        &["in.jsonl:2, field `text`", "in.jsonl:2, field `choices`"],
    );
    score(
        folder.path(),
        &format!("{GOOD}{{\"text\": \"\", \"choices\": [\"a\"]}}\n"),
    )
    .failed(2, &["in.jsonl:2, field `text`"]);
    score(folder.path(), "{\"text\": \"a\", \"choices\": [\"\"]}\n")
        .failed(2, &["in.jsonl:1, field `choices`"]);
    let long = "a fine film ".repeat(100);
    score(
        folder.path(),
        &format!("{{\"text\": \"{long}\", \"choices\": [\"a\"]}}\n"),
    )
    .failed(2, &["in.jsonl:1", "128"]);
}

#[test]
fn truncated_weights() {
    let folder = tempfile::tempdir().expect("a folder");
    let weights = tiny_model(folder.path()).join("model.safetensors");
    let bytes = fs_err::read(&weights).expect("weights");
    fs_err::write(&weights, &bytes[..bytes.len() / 2]).expect("written");
    score(folder.path(), GOOD).failed(2, &["model.safetensors"]);
    fs_err::write(&weights, b"").expect("written");
    score(folder.path(), GOOD).failed(2, &["model.safetensors"]);
    fs_err::remove_file(&weights).expect("removed");
    score(folder.path(), GOOD).failed(2, &["model.safetensors"]);
}

#[test]
fn a_tokenizer_of_another_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = tiny_model(folder.path());
    let file = model.join("tokenizer.json");
    let text = fs_err::read(&file).expect("a tokenizer");
    let mut tokenizer: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    tokenizer["model"]["vocab"]["surplus"] = 325.into();
    fs_err::write(&file, tokenizer.to_string()).expect("written");
    score(folder.path(), GOOD).failed(2, &["326", "325", "tokenizer.json", "model.safetensors"]);
    fs_err::write(&file, "{").expect("written");
    score(folder.path(), GOOD).failed(2, &["tokenizer.json"]);
}

#[test]
fn a_file_that_is_no_gguf() {
    let folder = tempfile::tempdir().expect("a folder");
    let import = || run(pilot(folder.path()).args(["import", "model.gguf", "--out", "out"]));
    let write =
        |bytes: &[u8]| fs_err::write(folder.path().join("model.gguf"), bytes).expect("written");
    write(b"PK and more of a zip file");
    import().failed(2, &["model.gguf", "not a GGUF file"]);
    write(b"GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\x7f");
    import().failed(2, &["model.gguf", "damaged"]);
    assert!(!folder.path().join("out").exists());
}

#[test]
fn an_adapter_that_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    tiny_model(folder.path());
    fs_err::write(folder.path().join("in.jsonl"), GOOD).expect("written");
    for adapter in ["none", "model"] {
        let score = [
            "score",
            "--model",
            "model",
            "--adapter",
            adapter,
            "--input",
            "in.jsonl",
        ];
        run(pilot(folder.path()).args(score)).failed(2, &[adapter, "adapter_config.json"]);
    }
}

#[test]
fn an_unknown_device() {
    let folder = tempfile::tempdir().expect("a folder");
    tiny_model(folder.path());
    fs_err::write(folder.path().join("in.jsonl"), GOOD).expect("written");
    let score = |device: &str| {
        let score = [
            "score", "--model", "model", "--input", "in.jsonl", "--device", device,
        ];
        run(pilot(folder.path()).args(score))
    };
    // An error of clap's own.
    let said = score("gpu");
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("`cuda:N`"), "{}", said.stderr);
    score("cpu").done();
    if cfg!(not(feature = "cuda")) {
        score("cuda").failed(2, &["--features cuda"]);
    }
    if cfg!(not(feature = "wgpu")) {
        score("wgpu:1").failed(2, &["--features wgpu"]);
    }
}

#[test]
fn color_is_for_terminals_and_on_demand() {
    let folder = tempfile::tempdir().expect("a folder");
    let message = |color: &str| {
        let score = ["score", "--model", "none/such", "--input", "none.jsonl"];
        let said = run(pilot(folder.path()).args(score).args(["--color", color]));
        said.failed(2, &["none.jsonl"])
    };
    assert!(message("always").contains('\u{1b}'));
    assert!(!message("auto").contains('\u{1b}'));
    assert!(!message("never").contains('\u{1b}'));
}

#[test]
fn a_wrong_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    for words in [
        &["scor"][..],
        &["score"],
        &["score", "--model", "a", "--input", "b", "--no-such"],
    ] {
        assert_eq!(run(pilot(folder.path()).args(words)).code, Some(2));
    }
}

#[test]
#[cfg(unix)]
fn a_reader_that_leaves_early_is_no_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    tiny_model(folder.path());
    fs_err::write(folder.path().join("in.jsonl"), GOOD.repeat(20)).expect("written");
    let mut command = pilot(folder.path());
    command.args(["score", "--model", "model", "--input", "in.jsonl"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    command.stdout(writer).stderr(std::process::Stdio::piped());
    let said: Said = command
        .spawn()
        .expect("starts")
        .wait_with_output()
        .expect("ends")
        .into();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(!said.stderr.contains("error"), "{}", said.stderr);
}
