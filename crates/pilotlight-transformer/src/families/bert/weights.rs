//! The tensors of a BERT checkpoint.

use crate::{encoder::EncoderConfig, parameters::ParameterTable};

pub(super) fn table(config: &EncoderConfig) -> ParameterTable {
    let mut table = ParameterTable::new("Encoder.");
    table.optional_prefix = "bert.";
    // What the first checkpoints call the parameters of a norm.
    table.aliases = vec![
        ("LayerNorm.weight", "LayerNorm.gamma"),
        ("LayerNorm.bias", "LayerNorm.beta"),
    ];
    // 0, 1, 2, ..., which old checkpoints hold although it is computed.
    table.ignored_suffixes = vec!["embeddings.position_ids"];
    // The heads of pretraining, and those of question answering.
    table.ignored_prefixes = vec!["cls.", "qa_outputs."];

    for (module, to) in [
        ("word_embeddings", "embedding"),
        ("position_embeddings", "position_embedding"),
        ("token_type_embeddings", "token_type_embedding"),
    ] {
        table.add_embedding(&format!("bert.embeddings.{module}"), to);
    }
    table.add_layer_norm("bert.embeddings.LayerNorm", "norm");
    for layer in 0..config.n_layers {
        let name = |module: &str| format!("bert.encoder.layer.{layer}.{module}");
        let path = |module: &str| format!("blocks.{layer}.{module}");
        for (module, to) in [
            ("attention.self.query", "attention.inputs.Separate.query"),
            ("attention.self.key", "attention.inputs.Separate.key"),
            ("attention.self.value", "attention.inputs.Separate.value"),
            ("attention.output.dense", "attention.output"),
        ] {
            table.add_linear(&name(module), &path(to), true);
        }
        table.add_layer_norm(&name("attention.output.LayerNorm"), &path("attention_norm"));
        table.add_linear(&name("intermediate.dense"), &path("feed_forward.up"), true);
        table.add_linear(&name("output.dense"), &path("feed_forward.down"), true);
        table.add_layer_norm(&name("output.LayerNorm"), &path("feed_forward_norm"));
    }
    if config.pooler {
        table.add_linear("bert.pooler.dense", "pooler", true);
    }
    table
}
