//! The models that steps are measured on.

use std::borrow::Cow;

use pilotlight_core::ModelSpec;
use pilotlight_transformer::{LoadOptions, Model, init_random, load_bytes, load_folder, read_spec};
use serde::Deserialize;
use serde_json::json;

use super::settings::Shape;
use crate::{
    error::CompareError,
    sources::{ModelSource, Resolver},
};

/// Seed of random weights.
const SEED: u64 = 1;

/// The shape of a known model, measured with random weights: what they are changes no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedShape {
    /// Its name on the command line.
    pub name: &'static str,
    n_layers: usize,
    d_model: usize,
    d_ff: usize,
    n_heads: usize,
    n_kv_heads: usize,
    n_vocab: usize,
    n_positions: usize,
    tied_head: bool,
}

/// The shapes, small ones first. `tiny` is that of the model inside this program; the others are those of the
/// `config.json` of the models that they are named after.
pub const NAMED_SHAPES: &[NamedShape] = &[
    NamedShape {
        name: "tiny",
        n_layers: 4,
        d_model: 192,
        d_ff: 512,
        n_heads: 6,
        n_kv_heads: 3,
        n_vocab: 4096,
        n_positions: 8192,
        tied_head: true,
    },
    NamedShape {
        name: "smollm2-135m",
        n_layers: 30,
        d_model: 576,
        d_ff: 1536,
        n_heads: 9,
        n_kv_heads: 3,
        n_vocab: 49152,
        n_positions: 8192,
        tied_head: true,
    },
    NamedShape {
        name: "smollm2-360m",
        n_layers: 32,
        d_model: 960,
        d_ff: 2560,
        n_heads: 15,
        n_kv_heads: 5,
        n_vocab: 49152,
        n_positions: 8192,
        tied_head: true,
    },
    NamedShape {
        name: "tinyllama-1.1b",
        n_layers: 22,
        d_model: 2048,
        d_ff: 5632,
        n_heads: 32,
        n_kv_heads: 4,
        n_vocab: 32000,
        n_positions: 2048,
        tied_head: false,
    },
    NamedShape {
        name: "smollm2-1.7b",
        n_layers: 24,
        d_model: 2048,
        d_ff: 8192,
        n_heads: 32,
        n_kv_heads: 32,
        n_vocab: 49152,
        n_positions: 8192,
        tied_head: true,
    },
];

impl NamedShape {
    /// A `config.json` of this shape.
    fn config(&self) -> Vec<u8> {
        let config = json!({
            "model_type": "llama",
            "hidden_act": "silu",
            "hidden_size": self.d_model,
            "intermediate_size": self.d_ff,
            "max_position_embeddings": self.n_positions,
            "num_attention_heads": self.n_heads,
            "num_hidden_layers": self.n_layers,
            "num_key_value_heads": self.n_kv_heads,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": self.tied_head,
            "vocab_size": self.n_vocab,
        });
        config.to_string().into_bytes()
    }
}

/// A model that steps are measured on.
#[derive(Debug, Clone)]
pub struct BenchModel {
    name: String,
    weights: Weights,
}

#[derive(Debug, Clone)]
enum Weights {
    Random(&'static NamedShape),
    Stored(ModelSource),
}

impl BenchModel {
    /// The model of this name: one of [`NAMED_SHAPES`], or what [`ModelSource::find`] knows.
    ///
    /// # Errors
    ///
    /// If there is no such model.
    pub fn find(name: &str, resolver: &dyn Resolver) -> Result<Self, CompareError> {
        if let Some(shape) = NAMED_SHAPES.iter().find(|shape| shape.name == name) {
            return Ok(Self::random(shape));
        }
        let source = ModelSource::find(name, resolver).map_err(with_shapes)?;
        Ok(Self {
            name: name.to_owned(),
            weights: Weights::Stored(source),
        })
    }

    /// A model of random weights.
    pub fn random(shape: &'static NamedShape) -> Self {
        Self {
            name: shape.name.to_owned(),
            weights: Weights::Random(shape),
        }
    }

    /// Its shape, without loading it.
    ///
    /// # Errors
    ///
    /// If its `config.json` cannot be read.
    pub fn shape(&self) -> Result<(Shape, ModelSpec), CompareError> {
        #[derive(Deserialize)]
        struct Family {
            model_type: String,
        }
        let config = self.config()?;
        let spec = read_spec(&self.name, &config)?;
        let family = serde_json::from_slice::<Family>(&config)
            .map_or_else(|_| String::new(), |family| family.model_type);
        Ok((Shape::of(&spec, family), spec))
    }

    /// Loads it, or makes it of random weights.
    ///
    /// # Errors
    ///
    /// If its files cannot be read.
    pub fn load(&self, options: &LoadOptions) -> Result<Model, CompareError> {
        let loaded = match &self.weights {
            Weights::Random(shape) => {
                let failed = |error| CompareError::file(std::env::temp_dir(), error);
                let folder = tempfile::tempdir().map_err(failed)?;
                std::fs::write(folder.path().join("config.json"), shape.config())
                    .map_err(failed)?;
                init_random(folder.path(), SEED, options)
            }
            Weights::Stored(ModelSource::Folder(folder)) => load_folder(folder, options),
            Weights::Stored(ModelSource::Embedded(model)) => {
                load_bytes(&self.name, model.config, model.weights, options)
            }
        };
        Ok(loaded?.model)
    }

    fn config(&self) -> Result<Cow<'static, [u8]>, CompareError> {
        Ok(match &self.weights {
            Weights::Random(shape) => shape.config().into(),
            Weights::Stored(ModelSource::Embedded(model)) => model.config.into(),
            Weights::Stored(ModelSource::Folder(folder)) => {
                let path = folder.join("config.json");
                let config = std::fs::read(&path);
                config
                    .map_err(|error| CompareError::file(path, error))?
                    .into()
            }
        })
    }
}

/// Names the shapes to whoever named nothing that there is.
fn with_shapes(error: CompareError) -> CompareError {
    match error {
        CompareError::Unresolved { message, hint } => {
            let names: Vec<&str> = NAMED_SHAPES.iter().map(|shape| shape.name).collect();
            let shapes = format!("random weights have the shapes {}", names.join(", "));
            let hint = match hint.as_str() {
                "" => shapes,
                hint => format!("{hint}; {shapes}"),
            };
            CompareError::Unresolved { message, hint }
        }
        other => other,
    }
}
