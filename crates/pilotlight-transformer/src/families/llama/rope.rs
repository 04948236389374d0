//! Rotary positions as configurations describe them: `rope_parameters` since transformers 5, `rope_theta` and
//! `rope_scaling` before.

use serde_json::{Map, Value};

use crate::{
    families::config::Config,
    position::{Llama3Scaling, RotaryConfig},
};

pub(super) fn read(config: &Config) -> RotaryConfig {
    let object = |key: &str| match config.get(key) {
        None => None,
        Some(Value::Object(values)) => Some(values),
        Some(value) => {
            config.problem(key, format!("is {value}; it must be an object"));
            None
        }
    };
    let parameters = object("rope_parameters").or_else(|| object("rope_scaling"));
    let theta = match parameters.and_then(|values| values.get("rope_theta")) {
        Some(value) => config.positive_value("rope_theta", value),
        None => config.positive("rope_theta", 10_000.0),
    };
    let partial = config.positive("partial_rotary_factor", 1.0);
    if partial != 1.0 {
        config.problem(
            "partial_rotary_factor",
            format!("is {partial}; only 1 is supported"),
        );
    }
    RotaryConfig {
        theta,
        scaling: parameters.and_then(|values| scaling(config, values)),
    }
}

fn scaling(config: &Config, values: &Map<String, Value>) -> Option<Llama3Scaling> {
    let kind = values.get("rope_type").or_else(|| values.get("type"));
    match kind.and_then(Value::as_str).unwrap_or("default") {
        "default" => None,
        "llama3" => {
            let number = |key: &str| match values.get(key) {
                Some(value) => config.positive_value(key, value),
                None => {
                    config.problem(
                        key,
                        "is missing from the llama3 scaling of rotary positions",
                    );
                    1.0
                }
            };
            let scaling = Llama3Scaling {
                factor: number("factor"),
                low_frequency: number("low_freq_factor"),
                high_frequency: number("high_freq_factor"),
                original_positions: number("original_max_position_embeddings"),
            };
            if scaling.low_frequency >= scaling.high_frequency {
                config.problem("low_freq_factor", "must be below high_freq_factor");
            }
            Some(scaling)
        }
        other => {
            config.problem(
                "rope_type",
                format!("is {other:?}; supported are \"default\" and \"llama3\""),
            );
            None
        }
    }
}
