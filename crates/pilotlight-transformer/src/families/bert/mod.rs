//! BERT: a bidirectional encoder with learned positions and token types (Devlin et al. 2019). MiniLM, BGE and E5
//! models are of this family too.

mod weights;

use pilotlight_core::{ModelSpec, Projection, ProjectionSpec};

use super::{
    Blueprint, Family,
    config::{Config, MAX_LAYERS, MAX_WIDTH},
};
use crate::{
    attention::AttentionConfig,
    encoder::EncoderConfig,
    feed_forward::{Activation, FeedForwardConfig},
    head::HeadConfig,
    model::NetworkConfig,
    norm::NormConfig,
};

pub(crate) const FAMILY: Family = Family {
    model_type: "bert",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Blueprint {
    let n_vocab = config.count("vocab_size", MAX_WIDTH);
    let n_positions = config.count("max_position_embeddings", MAX_WIDTH);
    let n_token_types = config
        .optional_count("type_vocab_size", MAX_WIDTH)
        .unwrap_or(2);
    let d_model = config.count("hidden_size", MAX_WIDTH);
    let d_ff = config.count("intermediate_size", MAX_WIDTH);
    let n_layers = config.count("num_hidden_layers", MAX_LAYERS);
    let n_heads = config.count("num_attention_heads", MAX_WIDTH);
    if !d_model.is_multiple_of(n_heads) {
        let problem = format!("is {n_heads}, which does not divide hidden_size = {d_model}");
        config.problem("num_attention_heads", problem);
    }
    let d_head = (d_model / n_heads).max(1);
    let activation = config.text("hidden_act", "gelu");
    let activation = Activation::from_name(activation).unwrap_or_else(|| {
        let problem = format!("is {activation:?}, which is not supported");
        config.problem("hidden_act", problem);
        Activation::Gelu
    });
    let positions = config.text("position_embedding_type", "absolute");
    if positions != "absolute" {
        let problem = format!("is {positions:?}; only \"absolute\" is supported");
        config.problem("position_embedding_type", problem);
    }
    for key in ["is_decoder", "add_cross_attention"] {
        if config.flag(key, false) {
            config.problem(key, "is true; only encoders are supported");
        }
    }
    // Their classifier scores something other than a text, under the same name.
    if config.is_architecture(&["ForTokenClassification", "ForMultipleChoice"], false) {
        let problem =
            "names a classifier of tokens or choices; only classifiers of texts are supported";
        config.problem("architectures", problem);
    }

    let encoder = EncoderConfig {
        n_vocab,
        d_model,
        n_layers,
        n_positions,
        n_token_types,
        norm: NormConfig::Layer(config.positive("layer_norm_eps", 1e-12)),
        attention: AttentionConfig {
            d_model,
            n_heads,
            n_kv_heads: n_heads,
            d_head,
            fused: false,
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
        pooler: has("bert.pooler.dense.weight") || has("pooler.dense.weight"),
    };
    let projections = [
        (Projection::Query, d_model, d_model, "attention.self.query"),
        (Projection::Key, d_model, d_model, "attention.self.key"),
        (Projection::Value, d_model, d_model, "attention.self.value"),
        (
            Projection::Output,
            d_model,
            d_model,
            "attention.output.dense",
        ),
        (Projection::Up, d_model, d_ff, "intermediate.dense"),
        (Projection::Down, d_ff, d_model, "output.dense"),
    ];
    Blueprint {
        parameters: weights::table(&encoder),
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
                    path: format!("bert.encoder.layer.{{layer}}.{path}"),
                    fan_in_fan_out: false,
                })
                .collect(),
            words_path: "bert.embeddings.word_embeddings".to_owned(),
            head_path: None,
            tied_head: false,
        },
        network: NetworkConfig::Encoder(encoder),
        head: HeadConfig {
            name: "classifier",
            bias: true,
            dense: None,
        },
        initializer_range: config.positive("initializer_range", 0.02),
    }
}
