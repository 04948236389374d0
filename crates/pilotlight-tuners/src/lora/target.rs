//! The weights that can get a low-rank update.

use burn::tensor::Tensor;
use pilotlight_core::{Base, ModelSpec, Site};

use crate::targets::{self, Targets};

/// A weight of a model that can get a low-rank update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// The word embeddings: a matrix `[n_vocab, d_model]` whose input selects one row.
    Words,
    /// A projection of a layer.
    Layer(Site),
    /// The language-model head `[d_model, n_vocab]`.
    Head,
}

impl From<Site> for Target {
    fn from(site: Site) -> Self {
        Self::Layer(site)
    }
}

impl Target {
    /// Its module path in transformers, where the model has it.
    pub fn path(self, spec: &ModelSpec) -> Option<String> {
        match self {
            Self::Words => Some(spec.words_path.clone()),
            Self::Layer(site) => spec.path(site),
            Self::Head => spec.head_path.clone(),
        }
    }

    /// The shape `[d_input, d_output]` of the weight, where the model has it.
    pub fn dims(self, spec: &ModelSpec) -> Option<[usize; 2]> {
        match self {
            Self::Words => Some([spec.n_vocab, spec.d_model]),
            Self::Layer(site) => {
                let projection = spec.projection(site.projection)?;
                Some([projection.d_input, projection.d_output])
            }
            Self::Head => Some([spec.d_model, spec.n_vocab]),
        }
    }

    /// The weight `[d_input, d_output]`, if the model can say.
    pub(super) fn weight(self, base: &dyn Base) -> Option<Tensor<2>> {
        match self {
            Self::Words => Some(base.word_embeddings()),
            Self::Layer(site) => Some(base.projection(site)?.weight.val()),
            Self::Head => base.head(),
        }
    }

    /// The bias `[d_output]` beside the weight, where there is one.
    pub(super) fn bias(self, base: &dyn Base) -> Option<Tensor<1>> {
        match self {
            Self::Layer(site) => Some(base.projection(site)?.bias?.val()),
            Self::Words | Self::Head => None,
        }
    }

    /// Whether transformers keeps the weight as `[d_input, d_output]` (`Conv1D`).
    pub(super) fn fan_in_fan_out(self, spec: &ModelSpec) -> bool {
        match self {
            Self::Layer(site) => spec
                .projection(site.projection)
                .is_some_and(|projection| projection.fan_in_fan_out),
            Self::Words | Self::Head => false,
        }
    }
}

/// The weights that a rule chooses, with their paths, in their order. `"all-linear"` means those inside layers.
pub(super) fn chosen(rule: &Targets, spec: &ModelSpec) -> Vec<(Target, String)> {
    let inside = targets::all_sites(spec).map(|(site, path)| (Target::Layer(site), path));
    let outside = match rule {
        Targets::AllLinear => Vec::new(),
        Targets::Names(_) | Targets::Pattern(_) => outside_layers(spec),
    };
    let mut chosen = rule.choose(inside.chain(outside));
    chosen.sort_unstable();
    chosen
}

/// Every path of a model, and short names for them.
pub(super) fn paths_and_names(spec: &ModelSpec) -> (Vec<String>, Vec<String>) {
    let inside = targets::all_sites(spec).map(|(_, path)| path);
    let outside: Vec<String> = outside_layers(spec)
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    let mut names = targets::last_names(spec);
    names.extend(outside.iter().map(|path| last(path).to_owned()));
    (inside.chain(outside).collect(), names)
}

/// A list of names that chooses just these weights.
pub(super) fn names_of(chosen: &[Target], spec: &ModelSpec) -> Vec<String> {
    let sites: Vec<Site> = chosen
        .iter()
        .filter_map(|target| match target {
            Target::Layer(site) => Some(*site),
            Target::Words | Target::Head => None,
        })
        .collect();
    let mut names = targets::names_of(&sites, spec);
    let (paths, _) = paths_and_names(spec);
    for (target, path) in outside_layers(spec) {
        if chosen.contains(&target) {
            let name = last(&path);
            let others = paths.iter().filter(|other| targets::ends_in(other, name));
            names.push(match others.count() {
                1 => name.to_owned(),
                _ => path,
            });
        }
    }
    names
}

fn outside_layers(spec: &ModelSpec) -> Vec<(Target, String)> {
    let both = [Target::Words, Target::Head].into_iter();
    both.filter_map(|target| Some((target, target.path(spec)?)))
        .collect()
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
