//! Mistral: Llama that in some versions looks back a limited number of positions (Jiang et al. 2023).

use super::{
    Blueprint, Family,
    config::Config,
    llama::{self, Traits},
};

pub(crate) const FAMILY: Family = Family {
    model_type: "mistral",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Blueprint {
    llama::blueprint(
        config,
        has,
        Traits {
            input_bias: false,
            output_bias: false,
            head_norm: false,
            default_d_head: None,
            windows: &|config, _| config.optional_count("sliding_window", usize::MAX),
        },
    )
}
