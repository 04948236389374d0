//! What a file says of a comparison as a whole, beside the settings of its runs.

use config::{Map, Value, ValueKind};
use indexmap::IndexMap;
use pilotlight_data::TaskKind;
use serde::Deserialize;

use super::{axes::RATE, check, range::offered, seeds, tree::as_table};
use crate::{
    budget::Budget,
    ensembles::EnsemblesConfig,
    error::{Problem, Problems},
    experiment::MethodConfig,
    search::{ChooseBy, SearchConfig},
};

/// Its keys at the top of the file; `methods` and `preset` stand apart.
pub(super) const KEYS: [&str; 5] = ["seeds", "search", "budget", "baselines", "ensembles"];

/// What a file says of a comparison as a whole.
#[derive(Debug, Default)]
pub(super) struct Together {
    pub(super) seeds: Option<Vec<u64>>,
    pub(super) search: Option<SearchConfig>,
    pub(super) budget: Option<Budget>,
    pub(super) baselines: Baselines,
    pub(super) ensembles: Option<EnsemblesConfig>,
}

/// Section `[baselines]`: what methods are compared with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Baselines {
    /// Examples of each class in context, or several numbers of them; 0 for no such baseline.
    shots: Option<Shots>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a whole number, 0 or more, or a list of them"
)]
enum Shots {
    One(usize),
    Several(Vec<usize>),
}

impl Baselines {
    /// The numbers of examples, if any are given.
    pub(super) fn shots(self) -> Option<Vec<usize>> {
        let mut shots = match self.shots? {
            Shots::One(shots) => vec![shots],
            Shots::Several(shots) => shots,
        };
        shots.retain(|shots| *shots > 0);
        shots.sort_unstable();
        shots.dedup();
        Some(shots)
    }
}

/// Takes the keys of comparisons out of the settings.
pub(super) fn take(root: &mut Map<String, Value>) -> Map<String, Value> {
    let taken = KEYS.iter().filter_map(|key| {
        let value = root.shift_remove(*key)?;
        Some(((*key).to_owned(), value))
    });
    taken.collect()
}

impl Together {
    /// Reads the keys that [`take`] took.
    pub(super) fn read(keys: &Map<String, Value>, problems: &mut Problems) -> Self {
        let mut reader = Reader { keys, problems };
        Self {
            seeds: reader.key("seeds", seeds::read),
            search: reader.key("search", search),
            budget: reader.key("budget", |it, problems| check::read("budget", it, problems)),
            baselines: reader
                .key("baselines", |it, problems| {
                    check::read("baselines", it, problems)
                })
                .unwrap_or_default(),
            ensembles: reader.key("ensembles", |it, problems| {
                check::read("ensembles", it, problems)
            }),
        }
    }

    /// Looks for what does not fit the methods.
    pub(super) fn check(
        &self,
        methods: &IndexMap<String, MethodConfig>,
        keys: &Map<String, Value>,
        problems: &mut Problems,
    ) {
        let points = || methods.values().flat_map(|method| &method.points);
        let is_classified =
            |point: &crate::Point| point.config.task.kind == TaskKind::Classification;
        let mut problem = |key: &str, message: &str, hint: &str| {
            let section = key.split('.').next().unwrap_or(key);
            problems.push(Problem {
                origin: keys.get(section).and_then(Value::origin).map(String::from),
                key: Some(key.to_owned()),
                message: message.to_owned(),
                hint: hint.to_owned(),
            });
        };
        if let Some(ensembles) = &self.ensembles {
            let n_seeds = self.seeds.as_ref().map_or(1, Vec::len);
            for (key, message) in ensembles.problems(n_seeds) {
                let hint = "an ensemble is made of the runs of as many `seeds`";
                problem(&format!("ensembles.{key}"), &message, hint);
            }
            if !points().all(is_classified) {
                let message = "a task without classes has no ensembles";
                problem("ensembles", message, "remove [ensembles]");
            }
        }
        let Some(search) = &self.search else {
            return;
        };
        if points().any(|point| point.values.contains_key(RATE)) {
            problem(
                "search",
                "chooses the learning rate, which is an axis",
                "give `train.learning_rate` one value, or remove [search]",
            );
        }
        if search.choose_by == ChooseBy::Accuracy && !points().all(is_classified) {
            problem(
                "search.choose_by",
                "a task without classes has no accuracy",
                "choose by \"loss\"",
            );
        }
    }
}

/// Reads keys one by one.
struct Reader<'a> {
    keys: &'a Map<String, Value>,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn key<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Value, &mut Problems) -> Option<T>,
    ) -> Option<T> {
        read(self.keys.get(key)?, self.problems)
    }
}

fn search(value: &Value, problems: &mut Problems) -> Option<SearchConfig> {
    let mut value = value.clone();
    if let ValueKind::Table(table) = &mut value.kind
        && let Some(rates) = table.get_mut("learning_rates")
        && let Some(values) = offered("search.learning_rates", rates, problems)
    {
        rates.kind = ValueKind::Array(values);
    }
    let search = check::read::<SearchConfig>("search", &value, problems)?;
    let given = as_table(&value);
    let origin = |key: &str| given.and_then(|table| table.get(key)?.origin());
    problems.extend(search.problems().into_iter().map(|(key, message)| Problem {
        origin: origin(key).map(String::from),
        key: Some(format!("search.{key}")),
        message,
        hint: String::new(),
    }));
    for key in ["trials", "factor"] {
        if !search.learning_rates.is_empty() && given.is_some_and(|it| it.contains_key(key)) {
            problems.push(Problem {
                origin: origin(key).map(String::from),
                key: Some(format!("search.{key}")),
                message: "has no effect beside `learning_rates`".into(),
                hint: "leave out one of the two".into(),
            });
        }
    }
    Some(search)
}
