//! Qwen3: Llama whose queries and keys are normalised head by head, with a head width of its own.

use super::{
    Blueprint, Family,
    config::Config,
    llama::{self, Traits},
    qwen2,
};

pub(crate) const FAMILY: Family = Family {
    model_type: "qwen3",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Blueprint {
    let bias = config.flag("attention_bias", false);
    llama::blueprint(
        config,
        has,
        Traits {
            input_bias: bias,
            output_bias: bias,
            head_norm: true,
            default_d_head: Some(128),
            windows: &qwen2::window,
        },
    )
}
