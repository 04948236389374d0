//! GPT-2: learned positions, layer norms, one matrix for queries, keys and values (Radford et al. 2019).

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
    model_type: "gpt2",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Blueprint {
    let n_vocab = config.count("vocab_size", MAX_WIDTH);
    let n_positions = config.count("n_positions", MAX_WIDTH);
    let d_model = config.count("n_embd", MAX_WIDTH);
    let n_layers = config.count("n_layer", MAX_LAYERS);
    let n_heads = config.count("n_head", MAX_WIDTH);
    if !d_model.is_multiple_of(n_heads) {
        config.problem(
            "n_head",
            format!("is {n_heads}, which does not divide n_embd = {d_model}"),
        );
    }
    let d_head = (d_model / n_heads).max(1);
    let d_ff = config
        .optional_count("n_inner", MAX_WIDTH)
        .unwrap_or(4 * d_model);
    let activation = config.text("activation_function", "gelu_new");
    let activation = Activation::from_name(activation).unwrap_or_else(|| {
        let problem = format!("is {activation:?}, which is not supported");
        config.problem("activation_function", problem);
        Activation::GeluTanh
    });
    for (key, supported) in [
        ("scale_attn_weights", true),
        ("scale_attn_by_inverse_layer_idx", false),
        ("add_cross_attention", false),
    ] {
        if config.flag(key, supported) != supported {
            config.problem(
                key,
                format!("is {}; only {supported} is supported", !supported),
            );
        }
    }
    let head = if config.flag("tie_word_embeddings", true) {
        LanguageHead::Tied
    } else if has("lm_head.weight") || config.is_architecture(&["LMHeadModel"], true) {
        LanguageHead::Untied
    } else {
        LanguageHead::Absent
    };

    let decoder = DecoderConfig {
        n_vocab,
        d_model,
        positions: Positions::Learned(n_positions),
        norm: NormConfig::Layer(config.positive("layer_norm_epsilon", 1e-5)),
        attention: AttentionConfig {
            d_model,
            n_heads,
            n_kv_heads: n_heads,
            d_head,
            fused: true,
            input_bias: true,
            output_bias: true,
            head_norm: None,
        },
        feed_forward: FeedForwardConfig {
            d_model,
            d_ff,
            activation,
            gated: false,
            bias: true,
        },
        windows: vec![None; n_layers],
        head,
    };
    let projections = [
        (
            Projection::QueryKeyValue,
            d_model,
            3 * d_model,
            "attn.c_attn",
        ),
        (Projection::Output, d_model, d_model, "attn.c_proj"),
        (Projection::Up, d_model, d_ff, "mlp.c_fc"),
        (Projection::Down, d_ff, d_model, "mlp.c_proj"),
    ];
    Blueprint {
        parameters: weights::table(&decoder),
        spec: ModelSpec {
            n_layers,
            d_model,
            n_heads,
            n_kv_heads: n_heads,
            d_head,
            d_ff,
            n_vocab,
            n_positions,
            projections: projections
                .into_iter()
                .map(|(projection, d_input, d_output, path)| ProjectionSpec {
                    projection,
                    d_input,
                    d_output,
                    path: format!("transformer.h.{{layer}}.{path}"),
                    fan_in_fan_out: true,
                })
                .collect(),
            words_path: "transformer.wte".to_owned(),
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
