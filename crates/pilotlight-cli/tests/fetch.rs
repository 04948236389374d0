//! `pilot fetch` against a small hub on the loopback interface.

mod support;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use support::{
    hub::{COMMIT, Faults, TestHub},
    model::tiny_model,
    pilot, run,
};

const CONFIG: &[u8] = br#"{"model_type": "llama"}"#;

fn weights() -> Vec<u8> {
    (0..100_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn hub(faults: Faults, token: Option<&'static str>) -> TestHub {
    let weights = weights();
    let files: [(&str, &[u8]); 5] = [
        ("README.md", b"# A model"),
        ("config.json", CONFIG),
        ("model.safetensors", &weights),
        ("pytorch_model.bin", &weights),
        ("train.jsonl", b"{\"text\": \"a\"}\n"),
    ];
    TestHub::start(&files, faults, token)
}

fn fetch(folder: &Path, hub: &TestHub) -> Command {
    let mut command = pilot(folder);
    command
        .env_remove("HF_HUB_OFFLINE")
        .env("HF_ENDPOINT", &hub.endpoint)
        .env("HF_HOME", folder.join("home"))
        .args(["fetch", "owner/model"]);
    command
}

fn snapshot(folder: &Path) -> PathBuf {
    folder
        .join("home/hub/models--owner--model/snapshots")
        .join(COMMIT)
}

#[track_caller]
fn check_fetched(folder: &Path, stdout: &str) {
    let snapshot = snapshot(folder);
    assert_eq!(Path::new(stdout.trim_end()), snapshot);
    assert_eq!(
        fs_err::read(snapshot.join("config.json")).expect("there"),
        CONFIG
    );
    assert!(fs_err::read(snapshot.join("model.safetensors")).expect("there") == weights());
}

#[test]
fn only_needed_files_are_fetched_and_only_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(Faults::default(), None);
    check_fetched(folder.path(), &run(&mut fetch(folder.path(), &hub)).done());
    let requests = hub.requests();
    assert!(
        !requests
            .iter()
            .any(|request| request.contains("pytorch_model") || request.contains("README"))
    );

    check_fetched(folder.path(), &run(&mut fetch(folder.path(), &hub)).done());
    let again = &hub.requests()[requests.len()..];
    assert!(
        again
            .iter()
            .all(|request| request.starts_with("/api/") || request.ends_with("bytes=0-0")),
        "{again:?}"
    );
    // Content that is in the cache serves another commit, or this one when it has lost the file.
    fs_err::remove_file(snapshot(folder.path()).join("model.safetensors")).expect("removed");
    let n_requests = hub.requests().len();
    check_fetched(folder.path(), &run(&mut fetch(folder.path(), &hub)).done());
    assert!(
        !hub.requests()[n_requests..]
            .iter()
            .any(|request| request.ends_with("model.safetensors bytes=0-"))
    );
    // Without a name to go by, the commit is one too.
    check_fetched(
        folder.path(),
        &run(fetch(folder.path(), &hub).args(["--revision", COMMIT])).done(),
    );
}

#[test]
fn a_data_set_comes_into_a_folder_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(Faults::default(), None);
    let said = run(fetch(folder.path(), &hub).args(["--data", "--json"]));
    let fetched = said.json_lines().remove(0);
    assert_eq!(fetched["commit"], COMMIT);
    assert!(
        fetched["files"]
            .as_array()
            .expect("a list")
            .contains(&"train.jsonl".into())
    );
    let path = Path::new(fetched["folder"].as_str().expect("a path")).join("train.jsonl");
    assert!(path.starts_with(folder.path().join("home/hub/datasets--owner--model")));
    assert_eq!(
        fs_err::read_to_string(path).expect("there"),
        "{\"text\": \"a\"}\n"
    );
}

#[test]
fn a_transfer_that_was_cut_off_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let faults = Faults {
        cut_after: Some(1000),
        ..Faults::default()
    };
    let hub = hub(faults, None);
    check_fetched(folder.path(), &run(&mut fetch(folder.path(), &hub)).done());
    assert!(
        hub.requests()
            .iter()
            .any(|request| request.ends_with("model.safetensors bytes=1000-"))
    );
}

#[test]
fn what_arrived_serves_a_later_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let faults = Faults {
        cut_after: Some(1000),
        cut_always: true,
        ..Faults::default()
    };
    let broken = hub(faults, None);
    run(&mut fetch(folder.path(), &broken)).failed(1, &["owner/model", "what has arrived is kept"]);
    assert!(!snapshot(folder.path()).join("model.safetensors").exists());
    let mended = hub(Faults::default(), None);
    check_fetched(
        folder.path(),
        &run(&mut fetch(folder.path(), &mended)).done(),
    );
    // Four tries of a thousand bytes.
    assert!(
        mended
            .requests()
            .iter()
            .any(|request| request.ends_with("model.safetensors bytes=4000-"))
    );
}

#[test]
fn a_server_without_ranges_is_asked_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let faults = Faults {
        cut_after: Some(1000),
        ignores_ranges: true,
        ..Faults::default()
    };
    let hub = hub(faults, None);
    check_fetched(folder.path(), &run(&mut fetch(folder.path(), &hub)).done());
}

#[test]
fn wrong_content_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let corrupting = hub(
        Faults {
            corrupts: true,
            ..Faults::default()
        },
        None,
    );
    run(&mut fetch(folder.path(), &corrupting)).failed(1, &["config.json", "SHA-256"]);
    let adding = hub(
        Faults {
            adds_bytes: true,
            ..Faults::default()
        },
        None,
    );
    run(&mut fetch(folder.path(), &adding)).failed(1, &["config.json", "27 bytes instead of 23"]);
    assert!(!snapshot(folder.path()).join("config.json").exists());
    // Nothing of it is left to disturb a later call.
    let mended = hub(Faults::default(), None);
    check_fetched(
        folder.path(),
        &run(&mut fetch(folder.path(), &mended)).done(),
    );
}

#[test]
fn a_token_opens_a_private_repository() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(Faults::default(), Some("secret"));
    run(&mut fetch(folder.path(), &hub)).failed(2, &["owner/model", "401", "HF_TOKEN"]);
    let message = run(fetch(folder.path(), &hub).env("HF_TOKEN", "wrong"))
        .failed(2, &["401", "access token"]);
    assert!(
        !message.contains("wrong"),
        "a token must not be shown: {message}"
    );
    check_fetched(
        folder.path(),
        &run(fetch(folder.path(), &hub).env("HF_TOKEN", "secret")).done(),
    );
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(Faults::default(), None);
    run(fetch(folder.path(), &hub).args(["--revision", "v9"]))
        .failed(2, &["owner/model", "v9", "--revision"]);
    run(fetch(folder.path(), &hub).args(["--revision", "../x"])).failed(2, &["../x"]);
    run(fetch(folder.path(), &hub).env("HF_HUB_OFFLINE", "1")).failed(2, &["HF_HUB_OFFLINE"]);
    run(fetch(folder.path(), &hub).env("HF_ENDPOINT", "http://127.0.0.1:1"))
        .failed(1, &["127.0.0.1:1"]);
}

#[test]
fn a_repository_without_safetensors_is_refused_with_a_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = TestHub::start(
        &[("config.json", CONFIG), ("pytorch_model.bin", b"x")],
        Faults::default(),
        None,
    );
    run(&mut fetch(folder.path(), &hub)).failed(2, &["model.safetensors", "pytorch_model.bin"]);
}

#[test]
fn a_name_on_the_hub_serves_as_a_model_also_when_the_network_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = tiny_model(folder.path());
    let names = [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    let contents = names.map(|name| fs_err::read(model.join(name)).expect("a file"));
    let files: Vec<(&str, &[u8])> = names
        .into_iter()
        .zip(contents.iter().map(Vec::as_slice))
        .collect();
    let hub = TestHub::start(&files, Faults::default(), None);
    fs_err::write(
        folder.path().join("in.jsonl"),
        "{\"text\": \"A\", \"choices\": [\" fine\"]}\n",
    )
    .expect("written");
    let score = |model: &str| {
        let mut command = pilot(folder.path());
        command
            .env_remove("HF_HUB_OFFLINE")
            .env("HF_ENDPOINT", &hub.endpoint)
            .env("HF_HOME", folder.path().join("home"))
            .args(["score", "--input", "in.jsonl", "--model", model]);
        command
    };
    let fetched = run(&mut score("owner/model"));
    assert!(
        fetched.stderr.contains("fetching owner/model"),
        "{}",
        fetched.stderr
    );
    let fetched = fetched.done();
    assert_eq!(run(&mut score("model")).done(), fetched);
    let n_requests = hub.requests().len();
    assert_eq!(
        run(score("owner/model").env("HF_HUB_OFFLINE", "1")).done(),
        fetched
    );
    assert_eq!(run(&mut score("owner/model")).done(), fetched);
    assert_eq!(
        hub.requests().len(),
        n_requests,
        "what is in the cache is not asked for"
    );
}
