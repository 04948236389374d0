//! What a method may know of a model.

use crate::site::{Projection, Site};

/// The shape of a model: all that a method sees of it when it is initialised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSpec {
    /// Number of layers.
    pub n_layers: usize,
    /// Width of the residual stream, which is also that of the word embeddings.
    pub d_model: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key and value heads.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub d_head: usize,
    /// Inner width of the feed-forward.
    pub d_ff: usize,
    /// Number of word embeddings.
    pub n_vocab: usize,
    /// The longest sequence the model was made for, soft prompts included.
    pub n_positions: usize,
    /// The linear projections of every layer. One outside the layers is no place for a method: PEFT's `all-linear` also
    /// chooses BERT's pooler (`bert.pooler.dense`), which these leave out.
    pub projections: Vec<ProjectionSpec>,
    /// The module path of the word embeddings in transformers, for example `model.embed_tokens`.
    pub words_path: String,
    /// The module path of the language-model head, where there is one, for example `lm_head`.
    pub head_path: Option<String>,
    /// Whether the head is the word embeddings, transposed.
    pub tied_head: bool,
}

/// A linear projection that every layer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionSpec {
    /// Which one.
    pub projection: Projection,
    /// Width of its input.
    pub d_input: usize,
    /// Width of its output.
    pub d_output: usize,
    /// Its module path in transformers, with `{layer}` for the index of the layer.
    pub path: String,
    /// Whether transformers keeps its weight as `[d_input, d_output]` (`Conv1D`), which PEFT calls `fan_in_fan_out`.
    pub fan_in_fan_out: bool,
}

impl ModelSpec {
    /// The projection of the given kind, if layers of this model have it.
    pub fn projection(&self, projection: Projection) -> Option<&ProjectionSpec> {
        self.projections
            .iter()
            .find(|spec| spec.projection == projection)
    }

    /// The module path of a site in transformers, for example `model.layers.3.self_attn.q_proj`.
    pub fn path(&self, site: Site) -> Option<String> {
        let spec = self.projection(site.projection)?;
        Some(spec.path.replace("{layer}", &site.layer.to_string()))
    }
}
