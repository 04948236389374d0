//! Settings that have several values: lists and ranges where the setting itself has one.
//!
//! Whether a list is an axis or what the setting is anyway (`base.train`, `train.betas`) is asked of the types: it is an
//! axis where the section cannot be read with it, but can be with one of its items.

use config::{Map, Value};
use pilotlight_data::{DataConfig, TaskConfig};
use pilotlight_train::TrainConfig;
use pilotlight_tuners::TunerConfig;

use super::{
    check,
    range::{is_range, offered},
    tree::{Step, as_table, dotted, located, replaced, to_toml},
};
use crate::{
    error::{Problem, Problems},
    experiment::{Axis, AxisValues, BaseConfig, ReportConfig},
};

/// The axis that a search for learning rates leaves no room for.
pub(super) const RATE: &str = "train.learning_rate";

/// Most combinations of the values of all axes of a method.
const MAX_POINTS: usize = 10_000;

/// A setting with several values among those of one method.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SeveralValues {
    section: String,
    /// From the section to the setting.
    path: Vec<Step>,
    /// The values, each with the place where it was written.
    values: Vec<Value>,
}

impl SeveralValues {
    /// The setting in dotted form.
    pub(super) fn key(&self) -> String {
        dotted(&self.section, &self.path)
    }

    /// Why a single run cannot have them, if there are several indeed.
    pub(super) fn of_single_run(&self) -> Option<Problem> {
        let (key, n_values) = (self.key(), self.values.len());
        let first = self.values.first().filter(|_| n_values > 1)?;
        let chosen = to_toml(first);
        Some(Problem {
            origin: first.origin().map(String::from),
            message: format!("expected one value, found {n_values}"),
            hint: format!("`pilot compare` runs all of them; `--set {key}={chosen}` chooses one"),
            key: Some(key),
        })
    }
}

/// The settings with several values, in the order of the sections.
pub(super) fn find(root: &Map<String, Value>, problems: &mut Problems) -> Vec<SeveralValues> {
    let mut found = Vec::new();
    for (section, value) in root {
        let mut rest = value.clone();
        let mut of_section = Vec::new();
        while let Some((path, values, fitting)) = next(section, &rest, problems) {
            rest = replaced(rest, &path, &fitting);
            of_section.push(SeveralValues {
                section: section.clone(),
                path,
                values,
            });
        }
        of_section.sort_by_key(|several| position(value, &several.path));
        found.extend(of_section);
    }
    found
}

/// Where a path leads in the order of the file.
fn position(mut node: &Value, path: &[Step]) -> Vec<usize> {
    let mut position = Vec::new();
    for step in path {
        position.push(match step {
            Step::Index(index) => *index,
            Step::Key(key) => {
                as_table(node).map_or(0, |table| table.get_index_of(key).unwrap_or(0))
            }
        });
        let Some(child) = located(node, std::slice::from_ref(step)) else {
            break;
        };
        node = child;
    }
    position
}

/// The first setting of a section with several values, these, and one of them with which it can be read.
fn next(
    section: &str,
    content: &Value,
    problems: &mut Problems,
) -> Option<(Vec<Step>, Vec<Value>, Value)> {
    for fault in faults(section, content) {
        let shortest = usize::from(section != "device");
        for length in shortest..=fault.len() {
            let path = &fault[..length];
            let node = located(content, path)?;
            let mut found = Problems::default();
            let Some(values) = offered(&dotted(section, path), node, &mut found) else {
                continue;
            };
            let fits = |value: &&Value| {
                let tried = faults(section, &replaced(content.clone(), path, value));
                !tried.iter().any(|fault| fault.starts_with(path))
            };
            let fitting = values.iter().find(fits).cloned();
            if let Some(fitting) = fitting {
                problems.extend(found.listed().iter().cloned());
                return Some((path.to_vec(), values, fitting));
            }
            if is_range(node) {
                problems.extend(found.listed().iter().cloned());
            }
        }
    }
    None
}

/// Where a section cannot be read. Seeds have a list of their own.
fn faults(section: &str, content: &Value) -> Vec<Vec<Step>> {
    match section {
        "device" => check::faults::<String>(content),
        "base" => check::faults::<BaseConfig>(content),
        "data" => check::faults::<DataConfig>(content),
        "task" => check::faults::<TaskConfig>(content),
        "tuner" => check::faults::<TunerConfig>(content),
        "train" => check::faults::<TrainConfig>(content),
        "report" => check::faults::<ReportConfig>(content),
        _ => Vec::new(),
    }
}

/// Every choice of a value from each of `axes` with the settings that it makes, the last axis changing fastest. A
/// setting with a single value in its list is none.
pub(super) fn points(
    root: Map<String, Value>,
    axes: &[SeveralValues],
    problems: &mut Problems,
) -> Vec<(AxisValues, Map<String, Value>)> {
    let counts = axes.iter().map(|axis| axis.values.len());
    let n_points = counts.fold(1, usize::saturating_mul);
    if n_points > MAX_POINTS {
        let keys: Vec<String> = axes.iter().map(SeveralValues::key).collect();
        problems.push(Problem {
            origin: None,
            key: None,
            message: format!("more than {MAX_POINTS} combinations of {}", keys.join(", ")),
            hint: "give them fewer values".into(),
        });
        return Vec::new();
    }
    let mut points = vec![(AxisValues::new(), root)];
    for axis in axes {
        let of_axis = |(chosen, root): (AxisValues, Map<String, Value>)| {
            axis.values.iter().map(move |value| {
                let (mut chosen, mut root) = (chosen.clone(), root.clone());
                if axis.values.len() > 1 {
                    chosen.insert(axis.key(), to_toml(value));
                }
                if let Some(section) = root.get_mut(&axis.section) {
                    *section = replaced(section.clone(), &axis.path, value);
                }
                (chosen, root)
            })
        };
        points = points.into_iter().flat_map(of_axis).collect();
    }
    points
}

/// Adds the axes of a method to those of the others.
pub(super) fn unite(all: &mut Vec<Axis>, axes: &[SeveralValues]) {
    for axis in axes.iter().filter(|axis| axis.values.len() > 1) {
        let key = axis.key();
        let values = axis.values.iter().map(to_toml);
        match all.iter_mut().find(|known| known.key == key) {
            Some(known) => {
                let new: Vec<_> = values.filter(|it| !known.values.contains(it)).collect();
                known.values.extend(new);
            }
            None => all.push(Axis {
                key,
                values: values.collect(),
            }),
        }
    }
}
