//! Which weights get an update, and of which rank and scale.

use burn::tensor::Tensor;
use indexmap::IndexMap;
use pilotlight_core::ModelSpec;
use regex::Regex;

use super::{
    LoraConfig,
    target::{self, Target},
};
use crate::{
    error::{Problems, TunerError},
    method::InitContext,
    targets::Targets,
};

/// One weight, and the update it gets.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Planned {
    pub(super) target: Target,
    pub(super) path: String,
    pub(super) d_input: usize,
    pub(super) d_output: usize,
    pub(super) rank: usize,
    pub(super) scale: f64,
}

impl Planned {
    /// The weight `[d_input, d_output]`, where the new tuner shall be; `key` is the one that needs it.
    ///
    /// # Errors
    ///
    /// If the model does not say, or says something else than its shape promises.
    pub(super) fn weight(
        &self,
        key: &str,
        context: &InitContext<'_>,
    ) -> Result<Tensor<2>, TunerError> {
        let Some(weight) = self.target.weight(context.base) else {
            let message = format!(
                "needs the weights of `{}`, which this model does not give\nhint: give them by `Base::projection` \
                 and `Base::head`, or leave the key out",
                self.path
            );
            return Err(TunerError::key(key, message));
        };
        let (found, expected) = (weight.dims(), [self.d_input, self.d_output]);
        if found != expected {
            let message = format!(
                "needs the weights of `{}`, whose shape is {found:?} and should be {expected:?}",
                self.path
            );
            return Err(TunerError::key(key, message));
        }
        let device = context.device.clone().inner();
        Ok(weight.inner().to_device(&device))
    }
}

impl LoraConfig {
    /// The weights that get an update, in their order.
    pub fn chosen(&self, spec: &ModelSpec) -> Vec<Target> {
        let planned = self.plan(spec).into_iter();
        planned.map(|planned| planned.target).collect()
    }

    pub(super) fn plan(&self, spec: &ModelSpec) -> Vec<Planned> {
        let default;
        let targets = match &self.targets {
            Some(targets) => targets,
            None => {
                default = Targets::default_of(spec);
                &default
            }
        };
        let excluded = match &self.exclude {
            Some(exclude) => target::chosen(exclude, spec),
            None => Vec::new(),
        };
        let in_layers = |target: Target, path: &str| match (&self.layers, target) {
            (None, _) => true,
            // As in PEFT, what is named by its whole path is not chosen by its layer.
            (Some(_), _) if targets.names_whole(path) => true,
            (Some(layers), Target::Layer(site)) => layers.contains(&site.layer),
            (Some(_), Target::Words | Target::Head) => false,
        };
        target::chosen(targets, spec)
            .into_iter()
            .filter(|target| in_layers(target.0, &target.1) && !excluded.contains(target))
            .filter_map(|(target, path)| {
                let [d_input, d_output] = target.dims(spec)?;
                let rank = *first_match(&self.rank_pattern, &path).unwrap_or(&self.rank);
                let alpha = *first_match(&self.alpha_pattern, &path).unwrap_or(&self.alpha);
                let divisor = match self.rslora {
                    true => (rank as f64).sqrt(),
                    false => rank as f64,
                };
                Some(Planned {
                    target,
                    path,
                    d_input,
                    d_output,
                    rank,
                    scale: alpha / divisor,
                })
            })
            .collect()
    }

    /// Adds what is wrong with the keys that choose weights.
    pub(super) fn check_targets(&self, spec: &ModelSpec, problems: &mut Problems) {
        let (paths, names) = target::paths_and_names(spec);
        for (key, rule) in [("targets", &self.targets), ("exclude", &self.exclude)] {
            if let Some(rule) = rule {
                rule.problems_among(key, &paths, &names, problems);
            }
        }
        for layer in self.layers.iter().flatten() {
            if *layer >= spec.n_layers {
                let message = format!("has {layer}, but the model has {} layers", spec.n_layers);
                problems.push("layers", message);
            }
        }
        let planned = self.plan(spec);
        if planned.is_empty() && problems.is_empty() {
            problems.push("targets", "leave no projection to update");
        }
        let keys = self.rank_pattern.keys().map(|key| ("rank_pattern", key));
        let keys = keys.chain(self.alpha_pattern.keys().map(|key| ("alpha_pattern", key)));
        for (name, key) in keys {
            match ending(key) {
                Err(error) => {
                    problems.push(name, format!("`{key}` is no regular expression: {error}"));
                }
                Ok(regex) if !planned.iter().any(|planned| regex.is_match(&planned.path)) => {
                    problems.push(name, format!("`{key}` has no effect: no target ends in it"));
                }
                Ok(_) => {}
            }
        }
    }
}

/// A regular expression for the end of a path, from a dot on.
fn ending(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!(r"^(?:.*\.)?(?:{pattern})$"))
}

fn first_match<'a, T>(patterns: &'a IndexMap<String, T>, path: &str) -> Option<&'a T> {
    let mut patterns = patterns.iter();
    let found = patterns.find(|(key, _)| ending(key).is_ok_and(|regex| regex.is_match(path)))?;
    Some(found.1)
}
