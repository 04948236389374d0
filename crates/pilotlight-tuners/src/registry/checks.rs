//! What is wrong with keys, and what stands against folding a tuner into its base.

use pilotlight_core::ModelSpec;

use super::TunerConfig;
use crate::error::{Problems, suggest};

impl TunerConfig {
    /// Everything that is wrong with the keys for a model of this shape, as `(key, what is wrong)`.
    pub fn problems(&self, spec: &ModelSpec) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        self.own_problems(spec, &mut problems);
        problems
            .listed()
            .iter()
            .map(|problem| (problem.key.clone(), problem.message.clone()))
            .collect()
    }

    /// The parts of a template that the keys mention and that are not among `known`, as problems like those of
    /// [`problems`](Self::problems).
    pub fn problems_with_parts(&self, known: &[&str]) -> Vec<(String, String)> {
        self.mentions()
            .into_iter()
            .filter(|(_, part)| !known.contains(part))
            .map(|(key, part)| {
                let message = format!(
                    "names the part `{part}`, which the template lacks\n{}",
                    suggest(part, known)
                );
                (key, message)
            })
            .collect()
    }

    /// Why a tuner of these keys cannot be folded into the weights of the base; `None` if it can.
    pub fn merge_obstacle(&self) -> Option<String> {
        let mut parts = self.composed().iter();
        let of_part = parts.find_map(|part| Some(format!("{part}: {}", part.merge_obstacle()?)));
        if self.merges() || of_part.is_some() {
            return of_part;
        }
        if !self.composed().is_empty() {
            let obstacle = "a part that rescales whole weights (DoRA) stands behind another one";
            return Some(format!("{obstacle}\nhint: put it first"));
        }
        Some(match self.reserve() {
            0 => "its layers stand between those of the model".to_owned(),
            n => format!("its {n} vectors stand beside the tokens of a text"),
        })
    }
}
