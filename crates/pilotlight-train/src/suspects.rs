//! Trained parameters that learn nothing.

use std::collections::{BTreeMap, BTreeSet};

use burn::optim::GradientsParams;

use crate::{
    parameters::{Gradient, gradients_at, paths},
    tuned::Tuned,
};

/// The trained parameters that have had no gradient yet; none once that is settled.
///
/// What has no gradient at all is settled at the first step. Zeros may be right there: those of LoRA's A are, as long
/// as B is zero. They are settled at the first step behind one that changed something.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    paths: BTreeSet<String>,
    looked: bool,
}

impl Suspects {
    /// All of these parameters.
    pub(crate) fn new(paths: impl Iterator<Item = String>) -> Self {
        Self {
            paths: paths.collect(),
            looked: false,
        }
    }

    /// Looks at the gradients of a step and names the parameters of which is now known that they get none.
    /// `has_changed` says whether an earlier step changed any parameter.
    pub(crate) fn look(
        &mut self,
        tuned: &Tuned,
        gradients: &GradientsParams,
        has_changed: bool,
    ) -> Vec<String> {
        if self.paths.is_empty() {
            return Vec::new();
        }
        let found = gradients_at(tuned, gradients, &self.paths);
        let is_first = !std::mem::replace(&mut self.looked, true);
        let mut dead = BTreeSet::new();
        self.paths.clear();
        for (path, gradient) in found {
            match gradient {
                Gradient::Missing if is_first => dead.insert(path),
                Gradient::Missing | Gradient::Zero if has_changed => dead.insert(path),
                Gradient::Missing | Gradient::Zero => self.paths.insert(path),
                Gradient::Some => false,
            };
        }
        match dead.is_empty() {
            true => Vec::new(),
            false => names(tuned, dead),
        }
    }
}

/// The names of the base's parameters in Hugging Face checkpoints, which are those of `base.train`; those of others
/// are their paths.
fn names(tuned: &Tuned, paths_of: BTreeSet<String>) -> Vec<String> {
    let of_base = paths(&tuned.base).into_iter();
    let known: BTreeMap<String, String> = of_base
        .map(|path| format!("base.{path}"))
        .zip(tuned.base.parameter_names())
        .collect();
    let names = paths_of
        .into_iter()
        .map(|path| known.get(&path).cloned().unwrap_or(path));
    names.collect()
}
