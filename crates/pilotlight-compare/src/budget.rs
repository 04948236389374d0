//! Equal budgets: as many steps for every method, or as many operations.

use serde::{Deserialize, Serialize};

use crate::{
    error::{CompareError, Problem, Problems},
    experiment::{Comparison, ExperimentConfig},
    survey::Survey,
};

/// What every method of a comparison is given; the first one is the measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Budget {
    /// As many optimizer steps as the first method has.
    Steps,
    /// As many operations of training as the first method needs for its steps, by [formula](crate::arithmetic).
    Compute,
}

/// The settings that a budget decides.
const DECIDED: [&str; 2] = ["train.steps", "train.epochs"];

impl Budget {
    /// What it means, in a sentence; `first` is the name of the method that is the measure.
    pub(crate) fn in_words(self, first: &str) -> String {
        match self {
            Self::Steps => format!("Every method was trained with as many steps as {first}."),
            Self::Compute => format!(
                "Every method was trained with as many operations as {first}, by formula: cheaper ones with more steps."
            ),
        }
    }
}

impl Comparison {
    /// Gives every method the steps that the budget allows it. Warm-up and the distance of evaluations change with the
    /// steps, so that the course of the training stays the same.
    ///
    /// # Errors
    ///
    /// If steps or epochs are an axis, which a budget leaves no room for.
    pub(crate) fn within_budget(mut self, survey: &Survey) -> Result<Self, CompareError> {
        let Some(budget) = self.budget else {
            return Ok(self);
        };
        let mut problems = Problems::default();
        let is_axis = |key: &&&str| self.axes.iter().any(|axis| axis.key == ***key);
        problems.extend(DECIDED.iter().filter(is_axis).map(|key| Problem {
            origin: None,
            key: Some((*key).to_owned()),
            message: "is an axis, and the budget decides how many steps there are".into(),
            hint: "give it one value, or remove `budget`".into(),
        }));
        problems.into_result()?;
        let first = self.methods.values().next();
        let Some(first) = first.map(|method| method.first().clone()) else {
            return Ok(self);
        };
        let steps = |config: &ExperimentConfig| {
            let work = survey.work(config).copied().unwrap_or_default();
            let n_steps = config.train.n_steps(work.n_train);
            let rows = config.train.batch_size * config.train.accumulate;
            (n_steps as f64, work.step_operations * rows as f64)
        };
        let (first_steps, first_operations) = steps(&first);
        for method in self.methods.values_mut() {
            for point in &mut method.points {
                let (own_steps, operations) = steps(&point.config);
                let wanted = match budget {
                    Budget::Steps => first_steps,
                    Budget::Compute if operations == 0.0 => own_steps,
                    Budget::Compute => first_steps * first_operations / operations,
                };
                stretch(&mut point.config, own_steps, wanted.round().max(1.0));
            }
        }
        Ok(self)
    }
}

/// Trains with `wanted` steps in place of `own`.
fn stretch(config: &mut ExperimentConfig, own: f64, wanted: f64) {
    let train = &mut config.train;
    train.steps = Some(wanted as usize);
    let scaled = |steps: usize| (steps as f64 * wanted / own.max(1.0)).round();
    train.warmup = scaled(train.warmup) as usize;
    train.eval_every = train
        .eval_every
        .map(|every| scaled(every).max(1.0) as usize);
    let checkpoints = train.checkpoint_every;
    train.checkpoint_every = checkpoints.map(|every| scaled(every).max(1.0) as usize);
}
