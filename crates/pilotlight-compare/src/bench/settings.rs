//! Everything that the time of a step depends on.

use std::fmt;

use pilotlight_core::ModelSpec;
use pilotlight_tuners::TunerConfig;
use serde::{Deserialize, Serialize};

use crate::experiment::Precision;

/// Everything that the time of a step depends on, but for the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The device, by its name on the command line.
    pub device: String,
    /// The method's name.
    pub method: String,
    /// The method's keys.
    pub tuner: TunerConfig,
    /// Whether the whole base is trained.
    pub trains_base: bool,
    /// The model, as it was named.
    pub model: String,
    /// Its shape.
    pub shape: Shape,
    /// Texts of a batch.
    pub batch: usize,
    /// Tokens of a text. One more stands behind it and is asked for.
    pub tokens: usize,
    /// Vectors that the method puts in front of, behind or among the tokens, or as keys and values in front of them; 0
    /// where it has none.
    pub prompt_length: usize,
    /// Type in which the model computes.
    pub dtype: Precision,
}

/// The shape of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Its `model_type`.
    pub family: String,
    /// Number of layers.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Inner width of the feed-forward.
    pub d_ff: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key and value heads.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub d_head: usize,
    /// Number of word embeddings.
    pub n_vocab: usize,
    /// Whether the language-model head is the word embeddings, transposed.
    pub tied_head: bool,
}

impl Shape {
    pub(super) fn of(spec: &ModelSpec, family: String) -> Self {
        Self {
            family,
            n_layers: spec.n_layers,
            d_model: spec.d_model,
            d_ff: spec.d_ff,
            n_heads: spec.n_heads,
            n_kv_heads: spec.n_kv_heads,
            d_head: spec.d_head,
            n_vocab: spec.n_vocab,
            tied_head: spec.tied_head,
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            device,
            method,
            model,
            batch,
            tokens,
            prompt_length,
            dtype,
            ..
        } = self;
        write!(
            f,
            "{method} on {device} ({model}, {batch} texts of {tokens} tokens"
        )?;
        if *prompt_length > 0 {
            write!(f, ", {prompt_length} vectors")?;
        }
        write!(f, ", {dtype})")
    }
}

impl Settings {
    /// What rows of two documents must have in common to be compared, as names with values.
    pub(super) fn compared(&self) -> Vec<(&'static str, String)> {
        let shape = &self.shape;
        let sizes = [
            ("shape.n_layers", shape.n_layers),
            ("shape.d_model", shape.d_model),
            ("shape.d_ff", shape.d_ff),
            ("shape.n_heads", shape.n_heads),
            ("shape.n_kv_heads", shape.n_kv_heads),
            ("shape.d_head", shape.d_head),
            ("shape.n_vocab", shape.n_vocab),
            ("batch", self.batch),
            ("tokens", self.tokens),
            ("prompt_length", self.prompt_length),
        ];
        let tuner = serde_json::to_string(&self.tuner).unwrap_or_default();
        let mut compared = vec![
            ("shape.family", shape.family.clone()),
            ("shape.tied_head", shape.tied_head.to_string()),
            ("dtype", self.dtype.to_string()),
            ("tuner", tuner),
            ("trains_base", self.trains_base.to_string()),
        ];
        compared.extend(sizes.map(|(name, size)| (name, size.to_string())));
        compared
    }

    /// Everything that no step can be made of, as `(name, what is wrong)`.
    pub(super) fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let counts = [
            ("batch", self.batch),
            ("tokens", self.tokens),
            ("shape.n_layers", self.shape.n_layers),
            ("shape.d_model", self.shape.d_model),
            ("shape.n_vocab", self.shape.n_vocab),
        ];
        let zeros = counts.into_iter().filter(|(_, count)| *count == 0);
        zeros
            .map(|(name, _)| (name, "must be at least 1"))
            .collect()
    }
}
