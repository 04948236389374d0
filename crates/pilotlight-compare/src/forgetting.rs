//! What training made a model forget: its loss on general text before and after.

use std::path::PathBuf;

use pilotlight_data::{DataConfig, DataFormat, SplitConfig, TaskConfig, TaskData, TaskKind};
use pilotlight_train::{Evaluation, Likelihood, Observer, Tuned, evaluate};
use pilotlight_tuners::AnyTuner;
use serde::{Deserialize, Serialize};

use crate::{
    base::Base,
    error::CompareError,
    experiment::ExperimentConfig,
    layers::Origins,
    sources::{hash, named_source},
    statistics::{Bootstrap, Interval, SeedOutcomes, examples},
};

/// Seed by which texts are drawn: the same ones for all runs.
const SEED: u64 = 0;

/// `report.general`: the texts on which a language model's loss is measured before and after training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneralConfig {
    /// File of records, as those of `[data]`: a text each.
    pub path: PathBuf,
    /// Its format; by default the extension tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<DataFormat>,
    /// Field of the text.
    #[serde(default = "default_text")]
    pub text: String,
    /// At most so many texts, drawn at random, the same for all runs.
    #[serde(default = "default_limit")]
    pub limit: usize,
    /// The most tokens of a text: what is longer is cut.
    #[serde(default = "default_max_tokens")]
    pub max_tokens: usize,
}

fn default_text() -> String {
    "text".into()
}

fn default_limit() -> usize {
    100
}

fn default_max_tokens() -> usize {
    128
}

/// The loss on general text before and after training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forgetting {
    /// Number of texts.
    pub n_texts: usize,
    /// Tokens of them that are predicted: all but the first of each.
    pub n_tokens: usize,
    /// Mean of `-log p` over these tokens by the base alone.
    pub before: f64,
    /// The same with what was trained.
    pub after: f64,
    /// The second minus the first, with its interval over the texts.
    pub difference: Interval,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// The outcome for one general text: a line of `general.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GeneralOutcome {
    /// Line of the file, from 1.
    pub line: usize,
    /// Tokens that are predicted.
    pub n_tokens: usize,
    /// Their log-probability by the base alone.
    pub before: f64,
    /// The same with what was trained.
    pub after: f64,
}

/// General texts, and how likely the base alone finds them.
pub struct GeneralText {
    data: TaskData,
    batch_size: usize,
    sha256: String,
    before: Vec<Likelihood>,
}

impl GeneralText {
    /// Reads the texts that `report.general` names; nothing where it does not stand, or the base has no language-model
    /// head.
    ///
    /// # Errors
    ///
    /// If the texts cannot be read.
    pub(crate) fn read(
        base: &Base,
        config: &ExperimentConfig,
        origins: &Origins,
    ) -> Result<Option<Self>, CompareError> {
        let has_head = base.model.has_language_head();
        let Some(general) = config.report.general.as_ref().filter(|_| has_head) else {
            return Ok(None);
        };
        let data = DataConfig {
            format: general.format,
            split: SplitConfig {
                validation: Some(0.0),
                test: Some(0.0),
            },
            limit: Some(general.limit),
            seed: Some(SEED),
            ..DataConfig::new(&general.path)
        };
        let task = TaskConfig {
            text: general.text.clone(),
            max_tokens: general.max_tokens,
            ..TaskConfig::new(TaskKind::LanguageModelling)
        };
        let source = named_source("report.general.path", &data, origins)?;
        let sha256 = hash(&source.train)?;
        let options = base.prepare_options(config.seed, config.tuner.reserve());
        let data = TaskData::prepare_from(&source, &data, &task, &base.tokenizer, &options)?;
        Ok(Some(Self {
            data,
            batch_size: config.train.eval_batch_size,
            sha256,
            before: Vec::new(),
        }))
    }

    /// Reads the texts that `report.general` names, and tests the base alone on them; nothing where there are none to read.
    ///
    /// # Errors
    ///
    /// If the texts cannot be read, or the device fails.
    pub fn before(
        base: &Base,
        config: &ExperimentConfig,
        origins: &Origins,
        observer: &mut dyn Observer,
    ) -> Result<Option<Self>, CompareError> {
        let Some(mut texts) = Self::read(base, config, origins)? else {
            return Ok(None);
        };
        let alone = Tuned::new(base.model.clone(), AnyTuner::default(), None, None);
        texts.before = texts.tested(&alone, observer)?.likelihoods;
        Ok(Some(texts))
    }

    /// The texts.
    pub(crate) fn data(&self) -> &TaskData {
        &self.data
    }

    /// Tests a trained model on the texts.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn after(
        &self,
        tuned: &Tuned,
        observer: &mut dyn Observer,
    ) -> Result<Vec<GeneralOutcome>, CompareError> {
        let after = self.tested(tuned, observer)?.likelihoods;
        let pairs = self.before.iter().zip(after).zip(&self.data.train.examples);
        let outcomes = pairs.map(|((before, after), example)| GeneralOutcome {
            line: example.origin,
            n_tokens: after.n_tokens,
            before: before.log_probability,
            after: after.log_probability,
        });
        Ok(outcomes.collect())
    }

    /// What these outcomes come to.
    pub fn forgetting(
        &self,
        outcomes: &[GeneralOutcome],
        bootstrap: &Bootstrap,
    ) -> Option<Forgetting> {
        let all: Vec<&GeneralOutcome> = outcomes.iter().collect();
        Some(Forgetting {
            n_texts: outcomes.len(),
            n_tokens: outcomes.iter().map(|outcome| outcome.n_tokens).sum(),
            before: loss(&all, |outcome| outcome.before),
            after: loss(&all, |outcome| outcome.after),
            difference: differences(&[outcomes], bootstrap)?,
            sha256: self.sha256.clone(),
        })
    }

    fn tested(
        &self,
        tuned: &Tuned,
        observer: &mut dyn Observer,
    ) -> Result<Evaluation, CompareError> {
        let split = &self.data.train;
        Ok(evaluate(
            tuned,
            &self.data,
            split,
            self.batch_size,
            observer,
        )?)
    }
}

/// Mean of `-log p` over the tokens of some texts.
fn loss(outcomes: &[&GeneralOutcome], log_probability: fn(&GeneralOutcome) -> f64) -> f64 {
    let n_tokens: usize = outcomes.iter().map(|outcome| outcome.n_tokens).sum();
    let sum: f64 = outcomes
        .iter()
        .map(|outcome| log_probability(outcome))
        .sum();
    -sum / n_tokens.max(1) as f64
}

/// By how much training raised the loss in runs that differ in their seeds: the mean over the runs, with its interval
/// over runs and texts; `None` without texts.
pub(crate) fn differences(runs: &[&[GeneralOutcome]], bootstrap: &Bootstrap) -> Option<Interval> {
    let texts: Vec<SeedOutcomes> = runs
        .iter()
        .map(|run| SeedOutcomes {
            seed: None,
            examples: run.iter().map(|outcome| outcome.line).collect(),
            values: run.iter().map(|outcome| outcome.after).collect(),
        })
        .collect();
    let of_run = |run: usize, texts: &[usize]| {
        let drawn: Vec<&GeneralOutcome> = texts.iter().map(|&text| &runs[run][text]).collect();
        [loss(&drawn, |it| it.after) - loss(&drawn, |it| it.before)]
    };
    let [interval] = bootstrap.intervals(runs.len(), &examples(&texts), of_run)?;
    Some(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_means_over_tokens() {
        let text = |line, n_tokens, before, after| GeneralOutcome {
            line,
            n_tokens,
            before,
            after,
        };
        // (4 + 12) / 4 = 4 before, (5 + 15) / 4 = 5 after; of the second seed 6.
        let first = [text(1, 1, -4.0, -5.0), text(2, 3, -12.0, -15.0)];
        let second = [text(1, 1, -4.0, -6.0), text(2, 3, -12.0, -18.0)];
        let bootstrap = Bootstrap {
            resamples: 300,
            confidence: 0.95,
            seed: 0,
        };
        let found = differences(&[&first, &second], &bootstrap).expect("texts");
        // Every text of a seed is raised alike: what is left is which seeds are drawn.
        let expected = [1.5, 1.0, 2.0];
        for (found, expected) in [found.value, found.low, found.high].iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-12,
                "{found} is not {expected}"
            );
        }
        assert_eq!(differences(&[], &bootstrap), None);
    }
}
