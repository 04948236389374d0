//! What was probably meant.

use pilotlight_data::{DataConfig, TaskConfig};
use pilotlight_train::TrainConfig;

use super::{check::known_keys, together::Baselines};
use crate::{
    ensembles::EnsemblesConfig,
    experiment::{BaseConfig, ReportConfig},
    search::SearchConfig,
};

/// A hint for a key that its section does not know.
pub(super) fn key(section: &str, unknown: &str, known: &[String]) -> String {
    if let Some(near) = closest(unknown, known) {
        return format!("did you mean `{near}`?");
    }
    if let Some(home) = section_of(unknown).filter(|home| *home != section) {
        return format!("`{unknown}` belongs to [{home}]");
    }
    if known.is_empty() {
        return "remove it".into();
    }
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    format!("there are {}", known.join(", "))
}

/// The section that has a key of this name.
pub(super) fn section_of(key: &str) -> Option<&'static str> {
    sections()
        .into_iter()
        .find(|(_, keys)| keys.iter().any(|known| known == key))
        .map(|(name, _)| name)
}

/// The sections whose keys do not depend on a method, with their keys.
pub(super) fn sections() -> [(&'static str, Vec<String>); 8] {
    [
        ("base", known_keys::<BaseConfig>()),
        ("data", known_keys::<DataConfig>()),
        ("task", known_keys::<TaskConfig>()),
        ("train", known_keys::<TrainConfig>()),
        ("report", known_keys::<ReportConfig>()),
        ("search", known_keys::<SearchConfig>()),
        ("baselines", known_keys::<Baselines>()),
        ("ensembles", known_keys::<EnsemblesConfig>()),
    ]
}

/// The name of `known` that `found` was probably meant to be.
pub(crate) fn closest<'a>(found: &str, known: &'a [String]) -> Option<&'a str> {
    const MIN_SIMILARITY: f64 = 0.8;
    let found = found.to_lowercase();
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(&found, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.as_str())
}

/// What a required key may look like.
pub(super) fn example(key: &str) -> String {
    match key {
        "base" | "base.model" => "name a model: `model = \"folder or hub name\"` in [base]",
        "data" | "data.train" => "name the training data: `train = \"train.jsonl\"` in [data]",
        "task" | "task.kind" => {
            "say what is learned: `kind = \"classification\"`, \"completion\" or \"language-modelling\" in [task]"
        }
        "tuner" | "tuner.method" => {
            "name a method: `method = \"soft-prompt\"` in [tuner], \"none\" to train the base alone"
        }
        _ => "add it",
    }
    .into()
}

/// Names as alternatives: `a, b or c`.
pub(super) fn either(names: &[String]) -> String {
    match names {
        [] => "nothing".into(),
        [name] => name.clone(),
        [names @ .., last] => format!("{} or {last}", names.join(", ")),
    }
}

/// A text in quotes, shortened and without control characters, for use inside a message.
pub(crate) fn quote(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let shown: String = text
        .chars()
        .take(MAX_CHARS)
        .flat_map(char::escape_debug)
        .collect();
    let more = if text.chars().nth(MAX_CHARS).is_some() {
        "..."
    } else {
        ""
    };
    format!("\"{shown}{more}\"")
}
