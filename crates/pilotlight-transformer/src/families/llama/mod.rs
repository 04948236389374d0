//! Llama and its relatives: pre-norm blocks with RMS norms, rotary positions, gated feed-forwards and grouped keys
//! (Touvron et al. 2023). SmolLM2 and TinyLlama are of this family; Mistral and Qwen differ in a few traits.

mod rope;
mod weights;

use pilotlight_core::{ModelSpec, Projection, ProjectionSpec};

use super::{
    Blueprint, Family,
    config::{Config, MAX_LAYERS, MAX_WIDTH},
};
use crate::{
    attention::AttentionConfig,
    decoder::{DecoderConfig, LanguageHead, Positions},
    feed_forward::{Activation, FeedForwardConfig},
    head::HeadConfig,
    model::NetworkConfig,
    norm::NormConfig,
};

pub(crate) const FAMILY: Family = Family {
    model_type: "llama",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Blueprint {
    let bias = config.flag("attention_bias", false);
    blueprint(
        config,
        has,
        Traits {
            input_bias: bias,
            output_bias: bias,
            head_norm: false,
            default_d_head: None,
            windows: &|_, _| None,
        },
    )
}

/// In what the relatives differ.
pub(super) struct Traits<'a> {
    /// Whether queries, keys and values have a bias.
    pub(super) input_bias: bool,
    /// Whether the output projection has one.
    pub(super) output_bias: bool,
    /// Whether each head of queries and keys is normalised.
    pub(super) head_norm: bool,
    /// The width of a head where the configuration gives none; `None` for an equal share of `hidden_size`.
    pub(super) default_d_head: Option<usize>,
    /// How many positions a layer looks back.
    pub(super) windows: &'a dyn Fn(&Config, usize) -> Option<usize>,
}

/// The blueprint of a decoder with these traits.
pub(super) fn blueprint(
    config: &Config,
    has: &dyn Fn(&str) -> bool,
    traits: Traits<'_>,
) -> Blueprint {
    let n_vocab = config.count("vocab_size", MAX_WIDTH);
    let d_model = config.count("hidden_size", MAX_WIDTH);
    let n_layers = config.count("num_hidden_layers", MAX_LAYERS);
    let n_heads = config.count("num_attention_heads", MAX_WIDTH);
    let n_kv_heads = config
        .optional_count("num_key_value_heads", MAX_WIDTH)
        .unwrap_or(n_heads);
    if !n_heads.is_multiple_of(n_kv_heads) {
        config.problem(
            "num_key_value_heads",
            format!("is {n_kv_heads}, which does not divide num_attention_heads = {n_heads}"),
        );
    }
    let d_head = config
        .optional_count("head_dim", MAX_WIDTH)
        .or(traits.default_d_head)
        .unwrap_or_else(|| {
            if !d_model.is_multiple_of(n_heads) {
                config.problem(
                    "num_attention_heads",
                    format!("is {n_heads}, which does not divide hidden_size = {d_model}"),
                );
            }
            (d_model / n_heads).max(1)
        });
    if !d_head.is_multiple_of(2) {
        config.problem(
            "head_dim",
            format!("is {d_head}; rotary positions need an even one"),
        );
    }
    let d_ff = config.count("intermediate_size", MAX_WIDTH);
    let n_positions = config.optional_count("max_position_embeddings", usize::MAX);
    let activation = config.text("hidden_act", "silu");
    let activation = Activation::from_name(activation).unwrap_or_else(|| {
        config.problem(
            "hidden_act",
            format!("is {activation:?}, which is not supported"),
        );
        Activation::Silu
    });
    let norm = NormConfig::Rms(config.positive("rms_norm_eps", 1e-6));
    let mlp_bias = config.flag("mlp_bias", false);
    let head = if config.flag("tie_word_embeddings", false) {
        LanguageHead::Tied
    } else if has("lm_head.weight") || config.is_architecture(&["ForCausalLM"], true) {
        LanguageHead::Untied
    } else {
        LanguageHead::Absent
    };

    let decoder = DecoderConfig {
        n_vocab,
        d_model,
        positions: Positions::Rotary(rope::read(config)),
        norm,
        attention: AttentionConfig {
            d_model,
            n_heads,
            n_kv_heads,
            d_head,
            fused: false,
            input_bias: traits.input_bias,
            output_bias: traits.output_bias,
            head_norm: traits.head_norm.then_some(norm),
        },
        feed_forward: FeedForwardConfig {
            d_model,
            d_ff,
            activation,
            gated: true,
            bias: mlp_bias,
        },
        windows: (0..n_layers)
            .map(|layer| (traits.windows)(config, layer))
            .collect(),
        head,
    };
    let (d_query, d_key) = (n_heads * d_head, n_kv_heads * d_head);
    let projections = [
        (Projection::Query, d_model, d_query, "self_attn.q_proj"),
        (Projection::Key, d_model, d_key, "self_attn.k_proj"),
        (Projection::Value, d_model, d_key, "self_attn.v_proj"),
        (Projection::Output, d_query, d_model, "self_attn.o_proj"),
        (Projection::Gate, d_model, d_ff, "mlp.gate_proj"),
        (Projection::Up, d_model, d_ff, "mlp.up_proj"),
        (Projection::Down, d_ff, d_model, "mlp.down_proj"),
    ];
    Blueprint {
        parameters: weights::table(&decoder),
        spec: ModelSpec {
            n_layers,
            d_model,
            n_heads,
            n_kv_heads,
            d_head,
            d_ff,
            n_vocab,
            n_positions: n_positions.unwrap_or(2048),
            projections: projections
                .into_iter()
                .map(|(projection, d_input, d_output, path)| ProjectionSpec {
                    projection,
                    d_input,
                    d_output,
                    path: format!("model.layers.{{layer}}.{path}"),
                    fan_in_fan_out: false,
                })
                .collect(),
            words_path: "model.embed_tokens".to_owned(),
            head_path: (head != LanguageHead::Absent).then(|| "lm_head".to_owned()),
            tied_head: head == LanguageHead::Tied,
        },
        network: NetworkConfig::Decoder(decoder),
        head: HeadConfig {
            name: "score",
            bias: false,
            dense: None,
        },
        initializer_range: config.positive("initializer_range", 0.02),
    }
}
