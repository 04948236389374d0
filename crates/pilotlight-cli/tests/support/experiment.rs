//! An experiment on the tiny model.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::{model::tiny_model, pilot};

/// A soft prompt learns two labels.
pub(crate) const EXPERIMENT: &str = r#"
seed = 3
[base]
model = "model"
[data]
train = "train.jsonl"
validation = "train.jsonl"
test = "train.jsonl"
[task]
kind = "classification"
template = "{{ text }}\nSentiment:"
labels = { bad = " negative", good = " positive" }
[tuner]
method = "soft-prompt"
prompt_length = 4
placement = "after"
init = "labels"
[train]
steps = 24
batch_size = 4
learning_rate = 0.05
eval_every = 8
checkpoint_every = 2
"#;

/// The tiny model, and a task that a prompt can learn on it.
pub(crate) fn prepare(folder: &Path) {
    tiny_model(folder);
    let texts = ["fine", "funny", "dull", "slow"];
    let lines: String = (0..16)
        .map(|index| {
            let text = texts[index % 4];
            let label = if index % 4 < 2 { "good" } else { "bad" };
            format!(
                "{{\"text\": \"The film is {text} and {}\", \"label\": \"{label}\"}}\n",
                texts[index / 4]
            )
        })
        .collect();
    fs_err::write(folder.join("train.jsonl"), lines).expect("written");
    fs_err::write(folder.join("experiment.toml"), EXPERIMENT).expect("written");
}

/// `pilot train` on it.
pub(crate) fn train(folder: &Path, out: &str) -> Command {
    let mut command = pilot(folder);
    command.args(["train", "experiment.toml", "--out", out]);
    command
}

/// Kills a run of many steps in the middle, behind some checkpoints, with a signal that cannot be caught.
pub(crate) fn kill_in_the_middle(command: &mut Command, run: &Path) {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("starts");
    while steps_so_far(run) < 21 {
        assert!(child.try_wait().expect("a state").is_none(), "ended early");
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(
        !run.join("result.json").exists(),
        "too fast to be killed in its middle"
    );
}

/// Training steps that the metrics of a run tell of.
pub(crate) fn steps_so_far(run: &Path) -> usize {
    let text = fs_err::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    text.lines()
        .filter(|line| line.contains("\"train\""))
        .count()
}
