//! The settings of the methods: those that all have alike, and the others.

use serde::{Deserialize, Serialize};

use crate::{experiment::ExperimentConfig, finished::Group, launch::RunKind};

/// A setting with its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The setting in dotted form.
    pub key: String,
    /// Its value.
    pub value: toml::Value,
}

/// The settings that all methods have alike, and those of each group beside them. Seeds are no part of either; baselines
/// are not trained, so that what they have of other settings means nothing.
pub(super) fn of_groups(groups: &[Group<'_>]) -> (Vec<Setting>, Vec<Vec<Setting>>) {
    let all: Vec<Vec<Setting>> = groups
        .iter()
        .map(|group| flat(&group.first().planned.config))
        .collect();
    let is_method = |group: &&Group<'_>| group.first().planned.kind == RunKind::Method;
    let methods: Vec<&Vec<Setting>> = groups
        .iter()
        .zip(&all)
        .filter(|(group, _)| is_method(group))
        .map(|(_, settings)| settings)
        .collect();
    let shared: Vec<Setting> = match methods.as_slice() {
        [first, others @ ..] => {
            let everywhere =
                |setting: &&Setting| others.iter().all(|other| other.contains(setting));
            first.iter().filter(everywhere).cloned().collect()
        }
        [] => Vec::new(),
    };
    let own = groups
        .iter()
        .zip(all)
        .map(|(group, settings)| match is_method(&group) {
            true => settings
                .into_iter()
                .filter(|setting| !shared.contains(setting))
                .collect(),
            false => Vec::new(),
        });
    let own = own.collect();
    (shared, own)
}

/// Settings as lines of TOML.
pub(super) fn written(settings: &[Setting]) -> String {
    let lines = settings
        .iter()
        .map(|Setting { key, value }| format!("{key} = {value}\n"));
    lines.collect()
}

fn flat(config: &ExperimentConfig) -> Vec<Setting> {
    let mut settings = Vec::new();
    // What cannot be written as TOML (a path that is not Unicode) has no run either.
    if let Ok(toml::Value::Table(table)) = toml::Value::try_from(config) {
        add(&mut settings, "", table);
    }
    settings.retain(|setting| setting.key != "seed");
    settings
}

fn add(settings: &mut Vec<Setting>, above: &str, table: toml::Table) {
    for (key, value) in table {
        let is_plain =
            |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
        let key = match !key.is_empty() && key.chars().all(is_plain) {
            true => key,
            false => toml::Value::String(key).to_string(),
        };
        let key = if above.is_empty() {
            key
        } else {
            format!("{above}.{key}")
        };
        match value {
            toml::Value::Table(below) if !below.is_empty() => add(settings, &key, below),
            value => settings.push(Setting {
                key,
                value: shortest(value),
            }),
        }
    }
}

/// Numbers in single precision as they were written: `0.9`, and not the `0.8999999761581421` that TOML makes of them.
fn shortest(value: toml::Value) -> toml::Value {
    match value {
        toml::Value::Float(number) if f64::from(number as f32) == number => {
            let shortest = (number as f32).to_string().parse();
            toml::Value::Float(shortest.unwrap_or(number))
        }
        toml::Value::Array(values) => {
            toml::Value::Array(values.into_iter().map(shortest).collect())
        }
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_they_were_written_with() {
        let config = pilotlight_train::TrainConfig {
            learning_rate: 3e-2,
            ..Default::default()
        };
        let mut settings = Vec::new();
        let table = toml::Table::try_from(config).expect("a table");
        add(&mut settings, "", table);
        let text = written(&settings);
        for line in ["betas = [0.9, 0.999]", "learning_rate = 0.03"] {
            assert!(text.lines().any(|it| it == line), "{line} in {text}");
        }
    }
}
