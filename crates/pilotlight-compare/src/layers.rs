//! Where settings come from, weakest first: a preset inside the program, the experiment file, `PILOT_*` variables,
//! `--set key=value` arguments.
//!
//! The `[methods.NAME]` tables of a layer are stronger than what the layer says to all methods, and weaker than the
//! layers above it.
//!
//! Every value remembers where it was written, so that a mistake is reported with its file and line, its variable
//! or its argument.

mod axes;
mod check;
mod overlay;
mod paths;
mod range;
mod read;
mod seeds;
mod stacked;
mod suggest;
mod together;
mod tree;
mod written;

use std::path::{Path, PathBuf};

use config::{Map, Value};
use indexmap::IndexMap;

use crate::{
    error::{CompareError, Problem, Problems},
    experiment::{Comparison, ExperimentConfig, MethodConfig, Point},
    presets,
};
use axes::SeveralValues;
use read::read;
use together::Together;
use tree::Origin;

pub use read::Origins;

pub(crate) use range::rounded;
pub(crate) use suggest::quote;

/// Where fetched data and models are, unless `PILOT_DATA` says otherwise.
pub const DATA_FOLDER: &str = ".data";

/// The layers of an experiment's settings.
#[derive(Debug, Clone)]
pub struct Layers {
    /// Name of a preset at the bottom; an experiment file may name one itself by `preset = "NAME"`.
    pub preset: Option<String>,
    /// The experiment file.
    pub file: Option<PathBuf>,
    /// `PILOT_SECTION__KEY` variables and their values; others are ignored.
    pub variables: Vec<(String, String)>,
    /// `key=value` arguments, the later ones stronger.
    pub assignments: Vec<String>,
    /// Folder to which the paths of presets are relative.
    pub data_folder: PathBuf,
}

/// The settings of one run and where they were written.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// The settings.
    pub config: ExperimentConfig,
    /// Where they were written.
    pub origins: Origins,
}

impl Default for Layers {
    fn default() -> Self {
        Self {
            preset: None,
            file: None,
            variables: Vec::new(),
            assignments: Vec::new(),
            data_folder: DATA_FOLDER.into(),
        }
    }
}

impl Layers {
    /// No layers yet but the variables of this process.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os();
        let variables = variables.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let data_folder = std::env::var_os("PILOT_DATA").map_or(DATA_FOLDER.into(), PathBuf::from);
        Self {
            variables: variables
                .filter(|(name, _)| name.starts_with(written::PREFIX))
                .collect(),
            data_folder,
            ..Self::default()
        }
    }

    /// The settings of one run; of a comparison's methods `method` names one.
    ///
    /// # Errors
    ///
    /// All problems of the settings in one report, or that a file cannot be read.
    pub fn experiment(&self, method: Option<&str>) -> Result<Experiment, CompareError> {
        let Settings {
            root,
            methods,
            together,
            ..
        } = self.stack()?;
        let mut problems = Problems::default();
        let root = match (method, methods.is_empty()) {
            (None, true) => {
                let label = root.get_key_value("label");
                let given = together.iter().chain(label);
                problems.extend(given.map(|(key, value)| only_of_comparisons(key, value)));
                root
            }
            (None, false) => {
                let names = methods.keys().cloned().collect();
                return Err(CompareError::Methods { names });
            }
            (Some(name), _) => match methods.get(name) {
                Some(method) => method.clone(),
                None => return Err(no_method(name, &methods).into()),
            },
        };
        let several = axes::find(&root, &mut problems);
        problems.extend(several.iter().filter_map(SeveralValues::of_single_run));
        // With the first value of each, so that further problems show.
        let points = axes::points(root, &several, &mut problems);
        let first = points.into_iter().next();
        let experiment = first.and_then(|(_, root)| read(root, &mut problems));
        problems.into_result()?;
        Ok(experiment
            .map(|(_, experiment)| experiment)
            .expect("what cannot be read is a problem"))
    }

    /// The settings of a comparison; without `[methods]` there is one, called by the name of its method.
    ///
    /// # Errors
    ///
    /// As [`experiment`](Self::experiment).
    pub fn comparison(&self) -> Result<Comparison, CompareError> {
        let Settings {
            name,
            root,
            methods,
            together: keys,
        } = self.stack()?;
        let mut problems = Problems::default();
        let together = Together::read(&keys, &mut problems);
        let single = methods.is_empty();
        let tables = match single {
            true => IndexMap::from([(String::new(), root)]),
            false => methods,
        };
        let mut methods = IndexMap::new();
        let mut axes = Vec::new();
        for (name, table) in tables {
            let several = axes::find(&table, &mut problems);
            axes::unite(&mut axes, &several);
            let mut own_label = None;
            let mut points = Vec::new();
            for (values, table) in axes::points(table, &several, &mut problems) {
                let Some((label, experiment)) = read(table, &mut problems) else {
                    continue;
                };
                own_label = own_label.or(label);
                points.push(Point::new(values, experiment));
            }
            let Some(first) = points.first() else {
                continue;
            };
            let name = match single {
                true => first.config.tuner.method().to_owned(),
                false => name,
            };
            let label = own_label.unwrap_or_else(|| name.replace('_', " "));
            methods.insert(name, MethodConfig { label, points });
        }
        together.check(&methods, &keys, &mut problems);
        problems.into_result()?;
        let first = methods.values().next();
        let own = || first.map(|method: &MethodConfig| method.first().seed);
        let Together {
            seeds,
            search,
            budget,
            baselines,
            ensembles,
        } = together;
        Ok(Comparison {
            name,
            seeds: seeds.unwrap_or_else(|| own().into_iter().collect()),
            axes,
            search,
            budget,
            shots: baselines.shots(),
            few_shot: Vec::new(),
            ensembles,
            shard: None,
            methods,
        })
    }

    /// All layers on top of each other.
    fn stack(&self) -> Result<Settings, CompareError> {
        let mut problems = Problems::default();
        let here = Path::new("");
        let file = self.file.as_deref().map(read_file).transpose()?;
        let file = file.map(|(text, folder)| {
            let origin = Origin::Lines(shown(self.file.as_deref().unwrap_or(here)));
            parsed(&text, &origin, folder, &mut problems)
        });
        let named = file.as_ref().and_then(|file| file.get("preset"));
        let preset = match (&self.preset, named) {
            (Some(name), _) => Some(name.clone()),
            (None, Some(value)) => check::read::<String>("preset", value, &mut problems),
            (None, None) => None,
        };
        let mut layers = Vec::new();
        let mut below = preset.clone();
        while let Some(name) = below.take() {
            let origin = Origin::Lines(format!("preset {name}"));
            let text = presets::text(&name)?;
            let settings = parsed(text, &origin, &self.data_folder, &mut problems);
            // A preset may stand on another one.
            let named = settings.get("preset");
            below = named.and_then(|value| check::read("preset", value, &mut problems));
            layers.insert(0, settings);
        }
        layers.extend(file);
        let mut variables = written::variables(&self.variables, &mut problems);
        paths::anchor(&mut variables, here);
        let mut assignments = written::assignments(&self.assignments, &mut problems);
        paths::anchor(&mut assignments, here);
        problems.into_result()?;

        let variables = written::respelled(variables, &stacked::stacked(&layers));
        layers.extend([variables, assignments]);
        let methods = stacked::methods(&layers)?;
        let mut root = stacked::stacked(&layers);
        let together = together::take(&mut root);
        for key in ["preset", "methods"] {
            root.shift_remove(key);
        }
        let file_name = self.file.as_deref().and_then(Path::file_stem);
        let name = file_name.map(|name| name.to_string_lossy().into_owned());
        Ok(Settings {
            name: name.or(preset).unwrap_or_else(|| "comparison".into()),
            root,
            methods,
            together,
        })
    }
}

/// The settings of all layers, the parts of a comparison taken apart.
struct Settings {
    name: String,
    root: Map<String, Value>,
    /// Settings of each method.
    methods: IndexMap<String, Map<String, Value>>,
    /// What is said of the comparison as a whole.
    together: Map<String, Value>,
}

fn only_of_comparisons(key: &str, value: &Value) -> Problem {
    Problem {
        origin: value.origin().map(String::from),
        key: Some(key.to_owned()),
        message: "has no effect on a single run".into(),
        hint: "remove it, or use `pilot compare`".into(),
    }
}

fn no_method(name: &str, methods: &IndexMap<String, Map<String, Value>>) -> Problem {
    let known: Vec<String> = methods.keys().cloned().collect();
    Problem {
        origin: Some("--method".into()),
        key: None,
        message: format!("there is no method {}", quote(name)),
        hint: match known.is_empty() {
            true => "the file has no [methods]: leave it out".into(),
            false => suggest::key("", name, &known),
        },
    }
}

fn parsed(
    text: &str,
    origin: &Origin,
    folder: &Path,
    problems: &mut Problems,
) -> Map<String, Value> {
    match tree::parse(text, origin) {
        Ok(mut settings) => {
            paths::anchor(&mut settings, folder);
            settings
        }
        Err(found) => {
            problems.extend(found);
            Map::new()
        }
    }
}

fn read_file(path: &Path) -> Result<(String, &Path), CompareError> {
    let text = std::fs::read_to_string(path).map_err(|source| CompareError::File {
        path: path.into(),
        source,
    })?;
    Ok((text, path.parent().unwrap_or(Path::new(""))))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests;
