//! The tensors of a Llama checkpoint.

use crate::{
    decoder::{DecoderConfig, LanguageHead},
    parameters::ParameterTable,
};

pub(super) fn table(config: &DecoderConfig) -> ParameterTable {
    let mut table = ParameterTable::new("Decoder.");
    table.optional_prefix = "model.";
    // The frequencies of rotary positions, which old checkpoints hold although they are computed.
    table.ignored_suffixes = vec!["rotary_emb.inv_freq"];

    let attention = &config.attention;
    let feed_forward = config.feed_forward.bias;
    table.add_embedding("model.embed_tokens", "embedding");
    for layer in 0..config.windows.len() {
        let name = |module: &str| format!("model.layers.{layer}.{module}");
        let path = |module: &str| format!("blocks.{layer}.{module}");
        table.add_rms_norm(&name("input_layernorm"), &path("attention_norm"));
        for (module, to, bias) in [
            ("q_proj", "inputs.Separate.query", attention.input_bias),
            ("k_proj", "inputs.Separate.key", attention.input_bias),
            ("v_proj", "inputs.Separate.value", attention.input_bias),
            ("o_proj", "output", attention.output_bias),
        ] {
            table.add_linear(
                &name(&format!("self_attn.{module}")),
                &path(&format!("attention.{to}")),
                bias,
            );
        }
        if attention.head_norm.is_some() {
            table.add_rms_norm(&name("self_attn.q_norm"), &path("attention.query_norm"));
            table.add_rms_norm(&name("self_attn.k_norm"), &path("attention.key_norm"));
        }
        table.add_rms_norm(
            &name("post_attention_layernorm"),
            &path("feed_forward_norm"),
        );
        for (module, to) in [
            ("gate_proj", "gate"),
            ("up_proj", "up"),
            ("down_proj", "down"),
        ] {
            table.add_linear(
                &name(&format!("mlp.{module}")),
                &path(&format!("feed_forward.{to}")),
                feed_forward,
            );
        }
    }
    table.add_rms_norm("model.norm", "norm");
    match config.head {
        LanguageHead::Untied => table.add_linear("lm_head", "head", false),
        // Some checkpoints hold the tied weight a second time.
        LanguageHead::Tied => table.ignored_suffixes.push("lm_head.weight"),
        LanguageHead::Absent => {}
    }
    table
}
