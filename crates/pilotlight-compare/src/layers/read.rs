//! One run's settings out of the tree of all layers.

use std::collections::BTreeMap;

use config::{Map, Value, ValueKind};
use pilotlight_tuners::TunerConfig;
use serde::de::DeserializeOwned;

use super::{
    Experiment, check, stacked::is_of_comparisons, suggest, together, tree::as_table, written,
};
use crate::{
    error::{Problem, Problems},
    experiment::ExperimentConfig,
};

/// Where settings were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, String>);

/// Reads the settings of one run and the method's label, if it has one. All problems are added to `problems`; there
/// is none where the result is complete.
pub(super) fn read(
    mut root: Map<String, Value>,
    problems: &mut Problems,
) -> Option<(Option<String>, Experiment)> {
    let origins = Origins::of(&root);
    let mut found = Problems::default();
    let mut fields = Fields {
        root: &mut root,
        problems: &mut found,
    };
    let label: Option<String> = fields.optional("label");
    let seed = fields.optional("seed");
    let device = fields.optional("device");
    let base = fields.section("base");
    let data = fields.section("data");
    let task = fields.section("task");
    let tuner: Option<TunerConfig> = fields.section("tuner");
    let train = fields.section("train");
    let report = fields.section("report");
    let ensemble = fields.optional("ensemble");
    for (key, value) in &root {
        found.push(unknown_key(key, value));
    }
    let config = (|| {
        Some(ExperimentConfig {
            seed: seed.unwrap_or(1),
            device: device.unwrap_or_else(|| "auto".into()),
            base: base?,
            data: data?,
            task: task?,
            tuner: tuner?,
            train: train?,
            report: report?,
            ensemble,
        })
    })();
    let values = config.iter().flat_map(ExperimentConfig::problems);
    found.extend(values.map(|(key, message, hint)| Problem {
        origin: origins.of_key(&key),
        key: Some(key),
        message,
        hint,
    }));
    let is_sound = found.listed().is_empty();
    problems.extend(found.listed().iter().cloned());
    let experiment = config.map(|config| Experiment { config, origins })?;
    is_sound.then_some((label, experiment))
}

/// The top-level keys, taken one by one.
struct Fields<'a> {
    root: &'a mut Map<String, Value>,
    problems: &'a mut Problems,
}

impl Fields<'_> {
    fn optional<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = self.root.shift_remove(key)?;
        check::read(key, &value, self.problems)
    }

    /// A section; one that is not there is an empty table.
    fn section<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let empty = || Value::new(None, ValueKind::Table(Map::new()));
        let value = self.root.shift_remove(key).unwrap_or_else(empty);
        check::read(key, &value, self.problems)
    }
}

fn unknown_key(key: &str, value: &Value) -> Problem {
    const OF_RUNS: [&str; 9] = [
        "seed", "device", "base", "data", "task", "tuner", "train", "report", "ensemble",
    ];
    let origin = value.origin().unwrap_or_default();
    let split = suggest::sections().into_iter().find_map(|(section, _)| {
        let rest = key.strip_prefix(section)?.strip_prefix('_')?;
        Some(format!("{}{section}__{rest}", written::PREFIX).to_uppercase())
    });
    let known = OF_RUNS
        .iter()
        .chain(&together::KEYS)
        .chain(&["methods", "preset"]);
    let known: Vec<String> = known.map(|name| (*name).to_owned()).collect();
    let hint = match split.filter(|_| origin.starts_with(written::PREFIX)) {
        Some(variable) => format!("two underscores part section and key: {variable}"),
        None if is_of_comparisons(key) => {
            "it stands at the top of the file, not in a method".into()
        }
        None => match suggest::section_of(key) {
            Some(section) => format!("`{key}` belongs to [{section}]"),
            None => suggest::key("", key, &known),
        },
    };
    Problem {
        origin: value.origin().map(String::from),
        key: Some(key.to_owned()),
        message: "there is no such key".into(),
        hint,
    }
}

impl Origins {
    fn of(root: &Map<String, Value>) -> Self {
        let mut origins = BTreeMap::new();
        note(root, "", &mut origins);
        Self(origins)
    }

    /// Where a key was written, or the nearest table or list around it.
    pub fn of_key(&self, key: &str) -> Option<String> {
        let mut key = key;
        loop {
            if let Some(origin) = self.0.get(key) {
                return Some(origin.clone());
            }
            key = &key[..key.rfind(['.', '['])?];
        }
    }
}

fn note(table: &Map<String, Value>, prefix: &str, origins: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        if let Some(inner) = as_table(value) {
            note(inner, &format!("{key}."), origins);
        }
        if let Some(origin) = value.origin() {
            origins.insert(key, origin.to_owned());
        }
    }
}
