//! The same search for every method: learning rates are tried, chosen on validation, and the best alone is tested.
//!
//! A method whose learning rate somebody has tuned looks better than one that runs at its default. Here each gets the
//! same number of trials with the first seed; what is tested, with every seed, is the learning rate that was best on
//! the validation examples.

use serde::{Deserialize, Serialize};

use crate::{
    experiment::AxisValues, launch::PlannedRun, layers::rounded, plan::Outcome, result::RunResult,
};

/// Section `[search]` of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchConfig {
    /// Learning rates that are tried with every method: its own, and as many others around it.
    pub trials: usize,
    /// Ratio of neighbouring learning rates.
    pub factor: f64,
    /// Learning rates that all methods are tried with, in place of `trials` and `factor`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learning_rates: Vec<f64>,
    /// What is best.
    pub choose_by: ChooseBy,
}

/// What the best learning rate has on the validation examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChooseBy {
    /// The lowest loss.
    #[default]
    Loss,
    /// The highest accuracy; of equal ones the lowest loss.
    Accuracy,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            trials: 3,
            factor: 3.0,
            learning_rates: Vec::new(),
            choose_by: ChooseBy::default(),
        }
    }
}

/// The most learning rates that are tried.
const MAX_TRIALS: usize = 100;

/// What a run reaches on the validation examples, at the step of the lowest loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Mean of `-log p` over trained tokens or classes.
    pub loss: Option<f64>,
    /// Share of right classes, in a classification task.
    pub accuracy: Option<f64>,
}

impl Validation {
    /// What a finished run reached.
    pub fn of(result: &RunResult) -> Self {
        Self {
            loss: result.loss.validation,
            accuracy: result.validation_accuracy,
        }
    }
}

/// What is known of the choice between learning rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Choice {
    /// Not all trials are done.
    Open,
    /// All trials failed.
    Nothing,
    /// This one is the best.
    Best(f64),
}

/// The learning rates that a method was tried with, and the one that was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// Name of the method with the values of its axes.
    pub title: String,
    /// Name of the method in the comparison.
    pub method: String,
    /// The values of the axes.
    pub point: AxisValues,
    /// Every learning rate with what it reached on the validation examples; nothing where the trial failed.
    pub trials: Vec<(f64, Option<Validation>)>,
    /// The one that was chosen; nothing where all trials failed.
    pub learning_rate: Option<f64>,
}

impl Chosen {
    /// Whether a learning rate was chosen for the method of this run, at its point.
    pub(crate) fn is_of(&self, run: &PlannedRun) -> bool {
        self.learning_rate.is_some() && self.method == run.method && self.point == run.point
    }
}

impl SearchConfig {
    /// Everything that is wrong with the values, as `(key, what is wrong)`.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1..=MAX_TRIALS).contains(&self.trials) {
            let message = format!("expected 1 to {MAX_TRIALS}, found {}", self.trials);
            problems.push(("trials", message));
        }
        if !(self.factor > 1.0 && self.factor.is_finite()) {
            let message = format!("expected a number above 1, found {}", self.factor);
            problems.push(("factor", message));
        }
        let rates = &self.learning_rates;
        if rates.len() > MAX_TRIALS {
            let message = format!("expected at most {MAX_TRIALS}, found {}", rates.len());
            problems.push(("learning_rates", message));
        }
        if let Some(rate) = rates
            .iter()
            .find(|rate| !(**rate > 0.0 && rate.is_finite()))
        {
            let message = format!("expected numbers above 0, found {rate}");
            problems.push(("learning_rates", message));
        }
        problems
    }

    /// The learning rates that a method with this one of its own is tried with, the lowest first:
    ///
    /// `own * factor^k` for `trials` successive whole `k` around 0; of an even number one more lies below it.
    pub fn candidates(&self, own: f64) -> Vec<f64> {
        if !self.learning_rates.is_empty() {
            let mut rates = self.learning_rates.clone();
            rates.sort_by(f64::total_cmp);
            rates.dedup();
            return rates;
        }
        let below = (self.trials / 2) as i32;
        let powers = (0..self.trials as i32).map(|trial| trial - below);
        let rates = powers.map(|power| match power {
            0 => own,
            power => rounded(own * self.factor.powi(power)),
        });
        rates.collect()
    }

    /// Number of trials of every method.
    pub fn n_trials(&self) -> usize {
        self.candidates(1.0).len()
    }

    /// The best of learning rates, once all trials are done.
    pub(crate) fn choose(&self, trials: &[(f64, Option<Outcome>)]) -> Choice {
        let mut best: Option<(f64, Validation)> = None;
        for (rate, outcome) in trials {
            match outcome {
                None => return Choice::Open,
                Some(Outcome::Failed) => {}
                Some(Outcome::Finished(found)) => {
                    if best.is_none_or(|(_, best)| self.is_better(*found, best)) {
                        best = Some((*rate, *found));
                    }
                }
            }
        }
        best.map_or(Choice::Nothing, |(rate, _)| Choice::Best(rate))
    }

    fn is_better(&self, found: Validation, best: Validation) -> bool {
        let loss = |it: Validation| it.loss.unwrap_or(f64::INFINITY);
        let lower = loss(found) < loss(best);
        let accuracy = |it: Validation| it.accuracy.unwrap_or(f64::NEG_INFINITY);
        match self.choose_by {
            ChooseBy::Loss => lower,
            ChooseBy::Accuracy if accuracy(found) == accuracy(best) => lower,
            ChooseBy::Accuracy => accuracy(found) > accuracy(best),
        }
    }

    /// How learning rates are chosen, in a sentence.
    pub(crate) fn in_words(&self) -> String {
        let best = match self.choose_by {
            ChooseBy::Loss => "the lowest loss",
            ChooseBy::Accuracy => "the highest accuracy",
        };
        let which = match self.learning_rates.is_empty() {
            true => format!("a factor of {} apart around its own", self.factor),
            false => "the same for all".into(),
        };
        format!(
            "Every method was tried with {} learning rates, {which}, with one seed; that of {best} on the validation \
             examples alone was tested.",
            self.n_trials()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(text: &str) -> SearchConfig {
        toml::from_str(text).expect("settings")
    }

    fn finished(loss: f64, accuracy: f64) -> Option<Outcome> {
        Some(Outcome::Finished(Validation {
            loss: Some(loss),
            accuracy: Some(accuracy),
        }))
    }

    #[test]
    fn candidates_stand_around_the_methods_own() {
        assert_eq!(search("").candidates(3e-4), [1e-4, 3e-4, 9e-4]);
        assert_eq!(search("trials = 1").candidates(0.7), [0.7]);
        let even = search("trials = 4\nfactor = 10.0");
        assert_eq!(even.candidates(0.1), [1e-3, 1e-2, 0.1, 1.0]);
        let same = search("learning_rates = [0.1, 0.01, 0.1]");
        assert_eq!(same.candidates(3.0), [0.01, 0.1]);
        assert_eq!(same.n_trials(), 2);
    }

    #[test]
    fn the_best_is_chosen_once_all_trials_are_done() {
        let trials = [
            (0.1, finished(0.5, 0.8)),
            (0.2, finished(0.6, 0.9)),
            (0.3, finished(0.7, 0.9)),
            (0.4, Some(Outcome::Failed)),
        ];
        let by_loss = search("");
        assert_eq!(by_loss.choose(&trials), Choice::Best(0.1));
        // Of equal accuracies the one of lower loss.
        let by_accuracy = search("choose_by = 'accuracy'");
        assert_eq!(by_accuracy.choose(&trials), Choice::Best(0.2));
        let open = [trials[0], (0.2, None)];
        assert_eq!(by_loss.choose(&open), Choice::Open);
        assert_eq!(by_loss.choose(&trials[3..]), Choice::Nothing);
        let equal = [(0.1, finished(0.5, 0.8)), (0.2, finished(0.5, 0.8))];
        assert_eq!(by_loss.choose(&equal), Choice::Best(0.1));
    }

    #[test]
    fn numbers_that_make_no_sense_are_told() {
        let keys = |text: &str| -> Vec<&str> {
            let problems = search(text).problems();
            problems.into_iter().map(|(key, _)| key).collect()
        };
        assert_eq!(keys(""), [""; 0]);
        assert_eq!(keys("trials = 0\nfactor = 1.0"), ["trials", "factor"]);
        assert_eq!(keys("factor = inf"), ["factor"]);
        assert_eq!(keys("learning_rates = [0.1, -1.0]"), ["learning_rates"]);
    }
}
