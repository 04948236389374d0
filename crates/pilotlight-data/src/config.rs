//! The sections `[data]` and `[task]` of an experiment file.

use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::filter::Filter;

/// Section `[data]`: which records there are, and which of them are used.
///
/// Paths are relative to the folder of the experiment file. Splits and selections are drawn by a seeded generator;
/// what was drawn keeps its order in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// File of the records to train on.
    pub train: PathBuf,
    /// File of the records to validate on; without it they are split off the training file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<PathBuf>,
    /// File of the records to test on; without it they are split off the training file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// Format of all files; by default each file's extension tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<DataFormat>,
    /// What is split off the training file where no file is given.
    #[serde(default)]
    pub split: SplitConfig,
    /// Which records are used at all, by their fields: `{ domain = "film" }`, `{ stars = [4, 5] }`. Classes are those
    /// of all records.
    #[serde(default, rename = "where", skip_serializing_if = "Filter::is_empty")]
    pub where_all: Filter,
    /// Which of these are trained and validated on.
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub where_train: Filter,
    /// Which of these are tested on.
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub where_test: Filter,
    /// At most so many training examples, drawn at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// At most so many validation examples, drawn at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_validation: Option<usize>,
    /// At most so many test examples, drawn at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_test: Option<usize>,
    /// Few-shot: at most so many training examples of each class, drawn at random from those within `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_per_class: Option<usize>,
    /// Seed of splits and selections; by default that of the run. Set it to give runs of several seeds the same data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// Shares of the training file, from 0 to 1, that are split off it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitConfig {
    /// Share to validate on: by default 0.1 where no validation file is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// Share to test on: by default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<f64>,
}

/// Format of a file of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataFormat {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header line, quoted by `"` where needed.
    Csv,
    /// Tab-separated values with a header line; quotes have no meaning.
    Tsv,
}

/// Section `[task]`: what a record asks of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// What is learned.
    pub kind: TaskKind,
    /// Field of the input text, where there is no template.
    #[serde(default = "default_text")]
    pub text: String,
    /// Field of the text to be completed (completion).
    #[serde(default = "default_target")]
    pub target: String,
    /// Field of the label (classification).
    #[serde(default = "default_label")]
    pub label: String,
    /// The input as a minijinja template over the fields of a record. Every `{{ .. }}` is a part of its own, named
    /// by what stands inside: a soft prompt may stand behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The input as named parts, in place of `template`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartConfig>,
    /// Label words: the text or texts by which the model says each label. Keys are the labels as they stand in the
    /// data (or in `label_names`); their order is that of the classes.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub labels: IndexMap<String, LabelWords>,
    /// Names of the labels 0, 1, 2 and so on, where the data hold numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_names: Vec<String>,
    /// Training examples of each class, drawn by the seed of the run, that stand with their label words in front of
    /// every input: learning in context. Their tokens are not counted by `max_tokens`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shots: usize,
    /// The most tokens of an input and its answer together, soft prompt not counted.
    #[serde(default = "default_max_tokens")]
    pub max_tokens: usize,
    /// Whether the tokenizer's own template of special tokens is applied. Where an answer follows the input, only
    /// the special tokens in front of the text are added.
    #[serde(default = "default_true")]
    pub add_special_tokens: bool,
    /// Whether the end-of-sequence token follows the target (completion).
    #[serde(default)]
    pub append_eos: bool,
    /// What reads a class off the model; by default the architecture decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Which hidden state a linear head reads; by default the architecture decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// Language modelling: documents are joined by end-of-sequence tokens and cut into blocks of so many tokens;
    /// without it each document is one example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_size: Option<usize>,
}

/// A kind of task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// One of a few labels.
    Classification,
    /// A text that follows the input.
    Completion,
    /// The text itself, token by token.
    LanguageModelling,
}

/// A named part of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartConfig {
    /// Name by which a soft prompt is placed behind this part.
    pub name: String,
    /// Text of the part: a minijinja template over the fields of a record.
    pub template: String,
    /// Whether its `{{ .. }}` may be shortened to keep an input within its bounds.
    #[serde(default = "default_true")]
    pub truncate: bool,
    /// Whether the second sequence of a pair begins here, as BERT takes premise and hypothesis.
    #[serde(default)]
    pub second_sequence: bool,
}

/// One label word, or several that mean the same label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a label word or a list of label words")]
pub enum LabelWords {
    /// One word.
    One(String),
    /// Several words.
    Several(Vec<String>),
}

/// What reads a class off the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// The probabilities of label words in place of the next token.
    Verbalizer,
    /// A trained linear layer.
    Linear,
}

/// Which hidden state a linear head reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The pretrained pooler over the first token (BERT).
    Pooler,
    /// The classification token.
    Cls,
    /// The first position of the sequence, be it a token or a soft prompt's vector, behind the pretrained pooler
    /// if there is one (as PEFT does it).
    First,
    /// The last position of the sequence, be it a token or a soft prompt's vector (decoders).
    Last,
    /// The mean over all tokens.
    Mean,
}

impl DataConfig {
    /// The data of one training file, a tenth of it split off for validation.
    pub fn new(train: impl Into<PathBuf>) -> Self {
        Self {
            train: train.into(),
            validation: None,
            test: None,
            format: None,
            split: SplitConfig::default(),
            where_all: Filter::new(),
            where_train: Filter::new(),
            where_test: Filter::new(),
            limit: None,
            limit_validation: None,
            limit_test: None,
            limit_per_class: None,
            seed: None,
        }
    }
}

impl TaskConfig {
    /// A task of the given kind, all else by default.
    pub fn new(kind: TaskKind) -> Self {
        Self {
            kind,
            text: default_text(),
            target: default_target(),
            label: default_label(),
            template: None,
            parts: Vec::new(),
            labels: IndexMap::new(),
            label_names: Vec::new(),
            shots: 0,
            max_tokens: default_max_tokens(),
            add_special_tokens: true,
            append_eos: false,
            head: None,
            pooling: None,
            block_size: None,
        }
    }
}

impl LabelWords {
    /// The words in order.
    pub fn words(&self) -> &[String] {
        match self {
            Self::One(word) => std::slice::from_ref(word),
            Self::Several(words) => words,
        }
    }
}

fn default_text() -> String {
    "text".into()
}

fn default_target() -> String {
    "target".into()
}

fn default_label() -> String {
    "label".into()
}

fn default_max_tokens() -> usize {
    512
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn default_true() -> bool {
    true
}
