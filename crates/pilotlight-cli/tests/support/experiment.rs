//! An experiment on the tiny model.

use std::{path::Path, process::Command};

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
