//! Texts behind the test examples: how likely they are, what a model writes in their place, and what that is worth.

use std::{collections::HashMap, path::Path};

use pilotlight_data::{DataConfig, Split, TaskKind, Tokenizer, read_records};
use pilotlight_train::{
    BleuCounts, Evaluation, Observer, SplitName, Tuned, continuations, perplexity, rouge_l,
};
use pilotlight_transformer::GenerateOptions;
use serde::{Deserialize, Serialize};

use crate::{
    base::Base,
    error::CompareError,
    experiment::ExperimentConfig,
    sources::{ModelSource, data_sources},
    statistics::{Bootstrap, Interval, SeedOutcomes, examples},
};

/// `report.generate`: how a model writes on behind the test inputs of a completion task. It takes the most probable
/// token every time, until one that ends a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GenerateConfig {
    /// The most tokens of a text.
    pub max_tokens: usize,
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self { max_tokens: 64 }
    }
}

/// What generated texts are worth, each with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TextScores {
    /// BLEU of all texts together, from 0 to 100.
    pub bleu: Interval,
    /// Mean F1 of ROUGE-L, from 0 to 1.
    pub rouge_l: Interval,
    /// Share of the texts that are their references, white space around them apart.
    pub exact_match: Interval,
}

/// A text that was generated, and the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// What the model wrote.
    pub text: String,
    /// The target of the record, as it stands there.
    pub reference: String,
}

/// The outcome for one example of a task of texts: a line of `predictions.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextOutcome {
    /// Line of the file, from 1.
    pub line: usize,
    /// Log-probability of the tokens that training would train on.
    pub log_probability: f64,
    /// How many they are.
    pub n_tokens: usize,
    /// What was generated, where `report.generate` asks for it.
    #[serde(flatten)]
    pub written: Option<Written>,
}

/// Writes texts for the examples of a split.
pub struct Writer {
    tokenizer: Tokenizer,
    options: GenerateOptions,
    /// The targets of the records by their lines.
    references: HashMap<usize, String>,
}

impl Writer {
    /// What `report.generate` asks for; nothing where it does not stand, or the task is none of completion.
    ///
    /// # Errors
    ///
    /// If the records, or what the model's folder says of the ends of texts, cannot be read.
    pub fn new(
        base: &Base,
        config: &ExperimentConfig,
        split: SplitName,
    ) -> Result<Option<Self>, CompareError> {
        let is_completion = config.task.kind == TaskKind::Completion;
        let Some(generate) = config.report.generate.filter(|_| is_completion) else {
            return Ok(None);
        };
        let folder = match &base.source {
            ModelSource::Folder(folder) => Some(&**folder),
            ModelSource::Embedded(_) => None,
        };
        Ok(Some(Self {
            options: GenerateOptions {
                max_tokens: generate.max_tokens,
                eos: end_tokens(folder, &base.tokenizer)?,
                ..GenerateOptions::default()
            },
            tokenizer: base.tokenizer.clone(),
            references: references(&config.data, &config.task.target, split)?,
        }))
    }

    /// A text for each example.
    ///
    /// # Errors
    ///
    /// If the model writes no text.
    pub fn write(
        &self,
        tuned: &Tuned,
        split: &Split,
        batch_size: usize,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Written>, CompareError> {
        let tokens = continuations(tuned, split, &self.options, batch_size, observer)?;
        let texts = tokens.iter().zip(&split.examples);
        let texts = texts.map(|(tokens, example)| {
            let reference = self.references.get(&example.origin);
            Ok(Written {
                text: self.tokenizer.decode(tokens, true)?,
                reference: reference.cloned().unwrap_or_default(),
            })
        });
        texts.collect()
    }
}

/// The tokens that end a text, by the tokenizer and by `generation_config.json` in the model's folder.
///
/// # Errors
///
/// If that file is there and cannot be read.
pub fn end_tokens(folder: Option<&Path>, tokenizer: &Tokenizer) -> Result<Vec<u32>, CompareError> {
    let mut ends: Vec<u32> = tokenizer.eos().into_iter().collect();
    let file = folder.map(|folder| folder.join("generation_config.json"));
    let Some(path) = file.filter(|file| file.exists()) else {
        return Ok(ends);
    };
    let text = std::fs::read(&path).map_err(|error| CompareError::file(&path, error))?;
    let config: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| CompareError::Content {
            path,
            message: error.to_string(),
            hint: "copy it again from the model's repository".into(),
        })?;
    let ids = match &config["eos_token_id"] {
        serde_json::Value::Array(ids) => ids.as_slice(),
        id => std::slice::from_ref(id),
    };
    let ids = ids.iter().filter_map(serde_json::Value::as_u64);
    ends.extend(ids.filter_map(|id| u32::try_from(id).ok()));
    Ok(ends)
}

/// The texts of a field by the lines of the file that the split comes from.
fn references(
    data: &DataConfig,
    field: &str,
    split: SplitName,
) -> Result<HashMap<usize, String>, CompareError> {
    let sources = data_sources(data)?;
    let own = match split {
        SplitName::Train => None,
        SplitName::Validation => sources.validation,
        SplitName::Test => sources.test,
    };
    let source = own.unwrap_or(sources.train);
    let name = source.name();
    let records = read_records(&source)?.into_iter();
    // Records that are left out by `data.where` may lack the field.
    let texts = records.filter_map(|record| Some((record.line, record.text(field, &name).ok()?)));
    Ok(texts.collect())
}

impl TextOutcome {
    /// The outcomes of a split in order; `written` holds a text for each example, or nothing.
    pub fn all(evaluation: &Evaluation, split: &Split, written: Vec<Written>) -> Vec<Self> {
        let mut written = written.into_iter();
        let examples = evaluation.likelihoods.iter().zip(&split.examples);
        examples
            .map(|(likelihood, example)| Self {
                line: example.origin,
                log_probability: likelihood.log_probability,
                n_tokens: likelihood.n_tokens,
                written: written.next(),
            })
            .collect()
    }
}

/// Perplexity of the texts of runs that differ in their seeds: the mean over the runs, with its interval; `None`
/// without texts.
pub(crate) fn perplexities(runs: &[&[TextOutcome]], bootstrap: &Bootstrap) -> Option<Interval> {
    let of_run = |run: usize, examples: &[usize]| {
        let drawn = examples.iter().map(|&example| &runs[run][example]);
        let (log_probability, n_tokens) = drawn.fold((0.0, 0), |(sum, n_tokens), outcome| {
            (sum + outcome.log_probability, n_tokens + outcome.n_tokens)
        });
        [perplexity(-log_probability / n_tokens.max(1) as f64)]
    };
    let [interval] = bootstrap.intervals(runs.len(), &examples(&outcomes(runs)), of_run)?;
    Some(interval)
}

/// What the generated texts of such runs are worth; `None` where nothing was generated.
///
/// BLEU is no mean over texts: in each resample the counts of the texts that were drawn are added.
pub(crate) fn text_scores(runs: &[&[TextOutcome]], bootstrap: &Bootstrap) -> Option<TextScores> {
    let scored = |outcome: &TextOutcome| {
        let Written { text, reference } = outcome.written.as_ref()?;
        Some((
            BleuCounts::new(text, reference),
            rouge_l(text, reference),
            f64::from(u8::from(text.trim() == reference.trim())),
        ))
    };
    let of_runs = runs.iter().map(|run| run.iter().map(scored).collect());
    let of_runs: Vec<Vec<_>> = of_runs.collect::<Option<_>>()?;
    let of_run = |run: usize, examples: &[usize]| {
        let (mut bleu, mut rouge_l, mut exact) = (BleuCounts::default(), 0.0, 0.0);
        for &example in examples {
            let scored = &of_runs[run][example];
            bleu += scored.0;
            rouge_l += scored.1;
            exact += scored.2;
        }
        let n_examples = examples.len() as f64;
        [bleu.score(), rouge_l / n_examples, exact / n_examples]
    };
    let [bleu, rouge_l, exact_match] =
        bootstrap.intervals(runs.len(), &examples(&outcomes(runs)), of_run)?;
    Some(TextScores {
        bleu,
        rouge_l,
        exact_match,
    })
}

/// Which examples the runs have.
fn outcomes(runs: &[&[TextOutcome]]) -> Vec<SeedOutcomes> {
    let outcomes = runs.iter().map(|run| SeedOutcomes {
        seed: None,
        examples: run.iter().map(|outcome| outcome.line).collect(),
        values: run.iter().map(|outcome| outcome.log_probability).collect(),
    });
    outcomes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOTSTRAP: Bootstrap = Bootstrap {
        resamples: 500,
        confidence: 0.95,
        seed: 0,
    };

    fn outcome(line: usize, likelihood: (f64, usize), texts: Option<(&str, &str)>) -> TextOutcome {
        TextOutcome {
            line,
            log_probability: likelihood.0,
            n_tokens: likelihood.1,
            written: texts.map(|(text, reference)| Written {
                text: text.into(),
                reference: reference.into(),
            }),
        }
    }

    #[test]
    fn texts_are_scored_as_a_corpus() {
        // The texts of a case of `pilotlight-train/tests/goldens/metrics.json`, which sacrebleu and rouge-score made.
        let goldens: serde_json::Value = serde_json::from_str(include_str!(
            "../../pilotlight-train/tests/goldens/metrics.json"
        ))
        .expect("JSON");
        for golden in goldens["texts"].as_array().expect("cases") {
            let texts = |key: &str| -> Vec<String> {
                serde_json::from_value(golden[key].clone()).expect("texts")
            };
            let (written, references) = (texts("texts"), texts("references"));
            let pairs = written.iter().zip(&references).enumerate();
            let run: Vec<TextOutcome> = pairs
                .map(|(line, (text, reference))| outcome(line, (-1.0, 2), Some((text, reference))))
                .collect();
            let scores = text_scores(&[&run], &BOOTSTRAP).expect("texts");
            let of_each = golden["rouge_l"].as_array().expect("scores");
            let rouge_l: f64 = of_each.iter().filter_map(|it| it.as_f64()).sum();
            let expected = [
                (scores.bleu, golden["bleu"].as_f64().expect("a score")),
                (scores.rouge_l, rouge_l / run.len() as f64),
            ];
            for (found, expected) in expected {
                assert!(
                    (found.value - expected).abs() < 1e-9,
                    "{found:?} {expected}"
                );
                assert!(found.low <= found.value && found.value <= found.high);
            }
            let exact = written.iter().zip(&references);
            let exact = exact.filter(|(text, reference)| text.trim() == reference.trim());
            let exact = exact.count() as f64 / run.len() as f64;
            assert!((scores.exact_match.value - exact).abs() < 1e-12);
        }
    }

    #[test]
    fn perplexity_counts_tokens_and_not_texts() {
        // exp(-(-1 - 5) / (1 + 2)) = e^2 of one seed, exp(3 / 3) = e of the other.
        let first = [outcome(1, (-1.0, 1), None), outcome(2, (-5.0, 2), None)];
        let second = [outcome(1, (-1.0, 1), None), outcome(2, (-2.0, 2), None)];
        let found = perplexities(&[&first, &second], &BOOTSTRAP).expect("texts");
        let e = std::f64::consts::E;
        assert!((found.value - (e * e + e) / 2.0).abs() < 1e-12, "{found:?}");
        // Every text of the second run has a loss of 1; of the first they lie between 1 and 2.5.
        assert!((found.low - e).abs() < 1e-12, "{found:?}");
        assert!((found.high - (2.5_f64).exp()).abs() < 1e-12, "{found:?}");
        assert_eq!(text_scores(&[&first], &BOOTSTRAP), None);
        assert_eq!(perplexities(&[], &BOOTSTRAP), None);
    }

    #[test]
    fn outcomes_without_texts_are_read_back() {
        for texts in [None, Some(("a", "b"))] {
            let written = outcome(3, (-1.5, 2), texts);
            let line = serde_json::to_string(&written).expect("JSON");
            assert_eq!(
                serde_json::from_str::<TextOutcome>(&line).expect("read"),
                written
            );
        }
    }
}
