//! Qwen2: Llama with a bias on queries, keys and values.

use super::{
    Blueprint, Family,
    config::Config,
    llama::{self, Traits},
};

pub(crate) const FAMILY: Family = Family {
    model_type: "qwen2",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Blueprint {
    llama::blueprint(
        config,
        has,
        Traits {
            input_bias: true,
            output_bias: false,
            head_norm: false,
            default_d_head: None,
            windows: &window,
        },
    )
}

/// How many positions a layer looks back: limited by request, from layer `max_window_layers` on or where
/// `layer_types` says so.
pub(super) fn window(config: &Config, layer: usize) -> Option<usize> {
    if !config.flag("use_sliding_window", false) {
        return None;
    }
    let window = config.optional_count("sliding_window", usize::MAX)?;
    let slides = match config.get("layer_types").and_then(|types| types.as_array()) {
        Some(types) => match types.get(layer).and_then(|kind| kind.as_str()) {
            Some("sliding_attention") => true,
            Some("full_attention") => false,
            _ => {
                config.problem(
                    "layer_types",
                    "must name \"sliding_attention\" or \"full_attention\" for every layer",
                );
                false
            }
        },
        None => {
            let max = config.get("max_window_layers").and_then(|max| max.as_u64());
            layer as u64 >= max.unwrap_or(28)
        }
    };
    slides.then_some(window)
}
