//! `pilot compare --emit`: jobs for clusters. The golden files were written by it, and are looked at by
//! `goldens/check_jobs.py`.
#![cfg(unix)]

mod support;

use std::{path::Path, process::Command};

use support::{Said, experiment::prepare, pilot, run};

/// What a shell, YAML and Kubernetes would make something else of.
const FOLDER: &str = "it's a \"folder\" of $HOME";
const SETTINGS: [(&str, &str); 2] = [
    ("PILOT_TRAIN__EVAL_EVERY", "1"),
    (
        "PILOT_TASK__TEMPLATE",
        "\"{{ text }}\\nIt isn't $(HOME), $HOME or $$: \"",
    ),
];

/// The command on an experiment in a folder of that name.
fn emit(root: &Path, cluster: &str) -> Said {
    let folder = root.join(FOLDER);
    let mut command = pilot(&folder);
    command.args(["compare", "experiment.toml", "--only", "soft-prompt"]);
    command.args(["--set", "train.steps=2", "--set", "tuner.init=\"random\""]);
    command.args(["--out", "the runs", "--retry", "--device", "cpu"]);
    command.args(["--emit", cluster, "--workers", "3"]);
    run(command.envs(SETTINGS))
}

fn prepared(root: &Path) {
    let folder = root.join(FOLDER);
    fs_err::create_dir(&folder).expect("made");
    prepare(&folder);
}

/// A script without what is different on every machine.
#[track_caller]
fn check_golden(script: &str, root: &Path, name: &str) {
    let plain = script
        .replace(env!("CARGO_BIN_EXE_pilot"), "/opt/pilot")
        .replace(root.to_str().expect("Unicode"), "/shared");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/goldens")
        .join(name);
    let expected = fs_err::read_to_string(golden).expect("a golden file");
    assert_eq!(plain, expected, "{plain}");
}

#[test]
fn workers_of_a_cluster_do_what_was_typed() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    prepared(root);
    let array = emit(root, "slurm").done();
    check_golden(&array, root, "slurm.sh");
    let manifest = emit(root, "kubernetes").done();
    check_golden(&manifest, root, "kubernetes.yaml");
    assert!(!root.join(FOLDER).join("the runs").exists());

    // What bash makes of the array's script is the comparison.
    fs_err::write(root.join("job.sh"), array).expect("written");
    let mut task = Command::new("bash");
    let task = task
        .arg("job.sh")
        .current_dir(root)
        .env_clear()
        .env("HOME", root);
    let said = run(task);
    assert!(!said.stderr.contains("done before"), "{}", said.stderr);
    assert!(said.done().contains("soft-prompt"));
    assert!(root.join(FOLDER).join("the runs/report.md").exists());

    // What Kubernetes makes of the manifest is the same one: its runs are done.
    let Manifest {
        folder,
        arguments,
        variables,
    } = Manifest::read(&manifest);
    let mut container = pilot(Path::new(&folder));
    let said = run(container.args(arguments).envs(variables));
    let before = said.stderr.matches("(done before)").count();
    assert!(
        before >= 2 && before == said.stderr.matches("] ").count(),
        "{}",
        said.stderr
    );
    said.done();
}

/// What a manifest has a container run.
struct Manifest {
    folder: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Manifest {
    /// Reads the lines of `--emit`, as far as tests need it; Python's `yaml` reads the golden one.
    fn read(text: &str) -> Self {
        let text_of = |value: &str| -> String { serde_json::from_str(value).expect("a text") };
        let lines = || text.lines().map(str::trim_start);
        let all = |key: &'static str| lines().filter_map(move |line| line.strip_prefix(key));
        // Two dollar signs are one that names no variable.
        let expanded = |value: &str| text_of(value).replace("$$", "$");
        let values = all("value: ").map(expanded);
        Self {
            folder: all("workingDir: ").map(text_of).next().expect("a folder"),
            arguments: all("- ")
                .filter(|it| it.starts_with('"'))
                .map(expanded)
                .collect(),
            variables: all("- name: \"")
                .map(|it| text_of(&format!("\"{it}")))
                .zip(values)
                .collect(),
        }
    }
}

#[test]
fn a_job_that_cannot_be_is_not_written() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    prepared(root);
    let folder = root.join(FOLDER);
    let refused = |arguments: &[&str], parts: &[&str]| {
        let said = run(pilot(&folder)
            .args(["compare", "experiment.toml"])
            .args(arguments));
        assert_eq!(said.stdout, "");
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        for part in parts {
            assert!(said.stderr.contains(part), "{}", said.stderr);
        }
    };
    refused(&["--emit", "cron"], &["slurm", "kubernetes"]);
    refused(&["--emit", "slurm", "--workers", "0"], &["--workers"]);
    refused(&["--workers", "2"], &["--emit"]);
    refused(&["--emit", "slurm", "--json"], &["--json"]);
    refused(
        &["--emit", "slurm", "--set", "train.steps=many"],
        &["train.steps"],
    );
    refused(
        &["--emit", "kubernetes", "--out", "/runs"],
        &["volume", "--out"],
    );
    refused(&["--shard", "3/2"], &["2/5"]);
    refused(&["--shard", "0/2"], &["2/5"]);
}
