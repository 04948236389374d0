//! Settings of the command line and the environment as layers.

use config::{Map, Value, ValueKind};

use super::{
    overlay::merge,
    tree::{Origin, parse},
};
use crate::error::{Problem, Problems};

/// What the names of variables begin with.
pub(super) const PREFIX: &str = "PILOT_";

/// Variables with this prefix that are not settings.
pub(super) const OTHER_VARIABLES: &[&str] = &["PILOT_CACHE", "PILOT_CLAIM_SECONDS", "PILOT_DATA"];

/// The layer of `--set key=value` arguments. Values are TOML; a single word needs no quotes.
pub(super) fn assignments(arguments: &[String], problems: &mut Problems) -> Map<String, Value> {
    let mut settings = Map::new();
    for argument in arguments {
        let origin = Origin::Whole(format!("--set {argument}"));
        let Some((key, value)) = argument.split_once('=') else {
            problems.push(Problem {
                origin: Some("--set".into()),
                key: None,
                message: format!("expected key=value, found \"{argument}\""),
                hint: "for example `--set train.learning_rate=0.01`".into(),
            });
            continue;
        };
        match setting(key, value, &origin) {
            Ok(setting) => merge(&mut settings, setting),
            Err(found) => problems.extend(found),
        }
    }
    settings
}

/// The layer of `PILOT_SECTION__KEY=value` variables.
pub(super) fn variables(
    variables: &[(String, String)],
    problems: &mut Problems,
) -> Map<String, Value> {
    let mut settings = Map::new();
    for (name, value) in variables {
        let Some(path) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if OTHER_VARIABLES.contains(&name.as_str()) {
            continue;
        }
        let keys: Vec<String> = path
            .to_lowercase()
            .split("__")
            .map(|key| format!("{key:?}"))
            .collect();
        match setting(&keys.join("."), value, &Origin::Whole(name.clone())) {
            Ok(setting) => merge(&mut settings, setting),
            Err(found) => problems.extend(found),
        }
    }
    settings
}

fn setting(key: &str, value: &str, origin: &Origin) -> Result<Map<String, Value>, Vec<Problem>> {
    let value = value.trim();
    parse(&format!("{key} = {value}"), origin).or_else(|problems| {
        let is_word = !value.is_empty()
            && !value.starts_with(['[', '{', '"', '\''])
            && !value.contains(['\n', '"', '\\']);
        match is_word {
            true => parse(&format!("{key} = \"{value}\""), origin),
            false => Err(problems),
        }
    })
}

/// The settings of variables with the keys of the layers below them: names of variables have no case and no hyphens,
/// so that a key that differs in these alone is the one that is meant.
pub(super) fn respelled(
    over: Map<String, Value>,
    under: &Map<String, Value>,
) -> Map<String, Value> {
    let respell = |(key, value): (String, Value)| {
        let same = |known: &&String| known.to_lowercase().replace('-', "_") == key;
        let Some(known) = under.keys().find(same) else {
            return (key, value);
        };
        let origin = value.origin().map(String::from);
        let kind = match (value.kind, &under[known].kind) {
            (ValueKind::Table(over), ValueKind::Table(under)) => {
                ValueKind::Table(respelled(over, under))
            }
            (kind, _) => kind,
        };
        (known.clone(), Value::new(origin.as_ref(), kind))
    };
    over.into_iter().map(respell).collect()
}
