//! The tensors of a GPT-2 checkpoint.

use crate::{
    decoder::{DecoderConfig, LanguageHead},
    parameters::{Init, Layout, ParameterTable},
};

pub(super) fn table(config: &DecoderConfig) -> ParameterTable {
    let mut table = ParameterTable::new("Decoder.");
    table.optional_prefix = "transformer.";
    // Causal masks, which old checkpoints hold although they are computed.
    table.ignored_suffixes = vec!["attn.bias", "attn.masked_bias"];

    // Projections back into the residual stream start smaller, the more of them there are.
    let residual = 1.0 / (2.0 * config.windows.len() as f64).sqrt();
    table.add_embedding("transformer.wte", "embedding");
    table.add_embedding("transformer.wpe", "position_embedding");
    for layer in 0..config.windows.len() {
        let name = |module: &str| format!("transformer.h.{layer}.{module}");
        let path = |module: &str| format!("blocks.{layer}.{module}");
        // Conv1D: a linear layer that is stored as `[d_input, d_output]`, as Burn's are.
        let convolution = |table: &mut ParameterTable, module: &str, to: &str, init| {
            let (name, path) = (name(module), path(to));
            let weight = (format!("{name}.weight"), format!("{path}.weight"));
            table.add(weight.0, weight.1, Layout::Same, Init::Normal(init));
            table.add_bias(&name, &path);
        };
        table.add_layer_norm(&name("ln_1"), &path("attention_norm"));
        convolution(&mut table, "attn.c_attn", "attention.inputs.Fused", 1.0);
        convolution(&mut table, "attn.c_proj", "attention.output", residual);
        table.add_layer_norm(&name("ln_2"), &path("feed_forward_norm"));
        convolution(&mut table, "mlp.c_fc", "feed_forward.up", 1.0);
        convolution(&mut table, "mlp.c_proj", "feed_forward.down", residual);
    }
    table.add_layer_norm("transformer.ln_f", "norm");
    match config.head {
        LanguageHead::Untied => table.add_linear("lm_head", "head", false),
        // Some checkpoints hold the tied weight a second time.
        LanguageHead::Tied => table.ignored_suffixes.push("lm_head.weight"),
        LanguageHead::Absent => {}
    }
    table
}
