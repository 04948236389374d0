//! The methods under test.

mod lora;

use pilotlight_core::{ModelSpec, Projection};

/// A method, and what its paper promises of it.
#[derive(Debug)]
pub struct Law {
    /// Its section `[tuner]`, as JSON.
    pub keys: &'static str,
    /// Whether a new tuner changes nothing.
    pub starts_as_identity: bool,
    /// Number of trained parameters.
    pub n_parameters: fn(&ModelSpec) -> usize,
}

/// The laws of a model's kind.
pub fn laws(is_decoder: bool) -> impl Iterator<Item = &'static Law> {
    let of_decoders: [&[Law]; 2] = match is_decoder {
        true => [DECODER_LAWS, lora::OF_HEADS],
        false => [&[], &[]],
    };
    let of_all = [LAWS, lora::LAWS, lora::DETACHED];
    of_all.into_iter().chain(of_decoders).flatten()
}

impl Law {
    /// Whether the identity at the start is a sum that cancels, and so but for rounding.
    pub fn rounds_at_start(&self) -> bool {
        ["orthogonal", "dora"]
            .iter()
            .any(|key| self.keys.contains(key))
    }

    /// Whether the gradients are those of the loss, with nothing held constant on purpose.
    pub fn has_full_gradients(&self) -> bool {
        !lora::DETACHED.iter().any(|law| law.keys == self.keys)
    }
}

/// What only decoders have.
const DECODER_LAWS: &[Law] = &[Law {
    keys: r#"{ "method": "prefix", "prefix_length": 3, "init": "text", "text": "17 60 5 33" }"#,
    starts_as_identity: false,
    n_parameters: |spec| 3 * spec.n_layers * 2 * spec.n_kv_heads * spec.d_head,
}];

/// Every method, in its main forms.
pub const LAWS: &[Law] = &[
    Law {
        keys: r#"{ "method": "none" }"#,
        starts_as_identity: true,
        n_parameters: |_| 0,
    },
    Law {
        keys: r#"{ "method": "soft-prompt", "prompt_length": 4, "init": "random" }"#,
        starts_as_identity: false,
        n_parameters: |spec| 4 * spec.d_model,
    },
    Law {
        keys: r#"{ "method": "soft-prompt", "prompt_length": 3, "placement": "middle" }"#,
        starts_as_identity: false,
        n_parameters: |spec| 3 * spec.d_model,
    },
    Law {
        keys: r#"{ "method": "soft-prompt", "prompt_length": 3, "placement": "after" }"#,
        starts_as_identity: false,
        n_parameters: |spec| 3 * spec.d_model,
    },
    Law {
        keys: r#"{ "method": "soft-prompt", "init": "random-normal", "std": 0.3, "placement":
            [{ "place": "before", "length": 2 }, { "place": { "after_tokens": 3 }, "length": 1 }] }"#,
        starts_as_identity: false,
        n_parameters: |spec| 3 * spec.d_model,
    },
    Law {
        keys: r#"{ "method": "soft-prompt", "prompt_length": 3, "encoder": "mlp", "encoder_dim": 6 }"#,
        starts_as_identity: false,
        n_parameters: |spec| {
            3 * spec.d_model + 6 * (spec.d_model + 1) + 6 * (6 + 1) + (6 + 1) * spec.d_model
        },
    },
    Law {
        keys: r#"{ "method": "soft-prompt", "prompt_length": 3, "encoder": "lstm", "encoder_dim": 4,
            "placement": "after" }"#,
        starts_as_identity: false,
        n_parameters: |spec| {
            let direction = |d_input: usize| 4 * 4 * (d_input + 4 + 2);
            let behind = 8 * (8 + 1) + (8 + 1) * spec.d_model;
            3 * spec.d_model + 2 * direction(spec.d_model) + 2 * direction(8) + behind
        },
    },
    Law {
        keys: r#"{ "method": "soft-prompt", "prompt_length": 2, "deep": true, "init": "random" }"#,
        starts_as_identity: false,
        n_parameters: |spec| spec.n_layers * 2 * spec.d_model,
    },
    Law {
        keys: r#"{ "method": "soft-prompt", "deep": true, "init": "random-normal", "std": 0.3, "placement":
            [{ "place": "after", "length": 2 }, { "place": "before", "length": 1 }] }"#,
        starts_as_identity: false,
        n_parameters: |spec| spec.n_layers * 3 * spec.d_model,
    },
    Law {
        keys: r#"{ "method": "prefix", "prefix_length": 3, "init": "zero" }"#,
        starts_as_identity: false,
        n_parameters: |spec| 3 * spec.n_layers * 2 * spec.n_kv_heads * spec.d_head,
    },
    Law {
        keys: r#"{ "method": "prefix", "prefix_length": 3, "std": 0.5 }"#,
        starts_as_identity: false,
        n_parameters: |spec| 3 * spec.n_layers * 2 * spec.n_kv_heads * spec.d_head,
    },
    Law {
        keys: r#"{ "method": "prefix", "prefix_length": 3, "std": 0.5, "projection_dim": 7 }"#,
        starts_as_identity: false,
        n_parameters: |spec| {
            let kv_dim = spec.n_kv_heads * spec.d_head;
            3 * kv_dim + 7 * (kv_dim + 1) + (7 + 1) * spec.n_layers * 2 * kv_dim
        },
    },
    Law {
        keys: r#"{ "method": "bottleneck", "kind": "houlsby", "bottleneck_dim": 5, "activation": "tanh" }"#,
        starts_as_identity: true,
        n_parameters: |spec| 2 * spec.n_layers * (2 * 5 * spec.d_model + 5 + spec.d_model),
    },
    Law {
        keys: r#"{ "method": "bottleneck", "bottleneck_dim": 5, "activation": "gelu" }"#,
        starts_as_identity: true,
        n_parameters: |spec| spec.n_layers * (2 * 5 * spec.d_model + 5 + spec.d_model),
    },
    Law {
        keys: r#"{ "method": "bottleneck", "reduction_factor": 8, "init": "near-identity", "std": 0.4 }"#,
        starts_as_identity: false,
        n_parameters: |spec| {
            let width = spec.d_model / 8;
            spec.n_layers * (2 * width * spec.d_model + width + spec.d_model)
        },
    },
    Law {
        keys: r#"{ "method": "bottleneck", "kind": "parallel", "bottleneck_dim": 5, "activation": "silu" }"#,
        starts_as_identity: true,
        n_parameters: |spec| spec.n_layers * (2 * 5 * spec.d_model + 5 + spec.d_model),
    },
    Law {
        keys: r#"{ "method": "lora", "rank": 3 }"#,
        starts_as_identity: true,
        n_parameters: |spec| rank_times_widths(spec, 3, &queries_and_values),
    },
    Law {
        keys: r#"{ "method": "lora", "rank": 2, "alpha": 3, "targets": "all-linear", "rslora": true }"#,
        starts_as_identity: true,
        n_parameters: |spec| rank_times_widths(spec, 2, &|_| true),
    },
    Law {
        keys: r#"{ "method": "ia3" }"#,
        starts_as_identity: true,
        n_parameters: keys_values_and_inner,
    },
    // Prompt and LoRA.
    Law {
        keys: r#"{ "method": "compose", "parts": [
            { "method": "soft-prompt", "prompt_length": 3, "init": "random" },
            { "method": "lora", "rank": 2 }] }"#,
        starts_as_identity: false,
        n_parameters: |spec| 3 * spec.d_model + rank_times_widths(spec, 2, &queries_and_values),
    },
    // MAM (He et al. 2022): a prefix, and adapters beside the feed-forward.
    Law {
        keys: r#"{ "method": "compose", "parts": [
            { "method": "prefix", "prefix_length": 3, "std": 0.5 },
            { "method": "bottleneck", "kind": "parallel", "bottleneck_dim": 5 }] }"#,
        starts_as_identity: false,
        n_parameters: prefix_and_adapters,
    },
    Law {
        keys: r#"{ "method": "compose", "parts": [
            { "method": "prefix", "prefix_length": 3, "std": 0.5 },
            { "method": "bottleneck", "kind": "pfeiffer", "bottleneck_dim": 5, "activation": "gelu" }] }"#,
        starts_as_identity: false,
        n_parameters: prefix_and_adapters,
    },
    // Factors at the input of a projection that an update reads too.
    Law {
        keys: r#"{ "method": "compose", "parts": [
            { "method": "ia3" },
            { "method": "lora", "rank": 2, "targets": ".*(down_proj|mlp.c_proj|[0-9].output.dense)" }] }"#,
        starts_as_identity: true,
        n_parameters: |spec| {
            let narrowing = 2 * spec.n_layers * (spec.d_ff + spec.d_model);
            keys_values_and_inner(spec) + narrowing
        },
    },
];

/// One factor each, queries too where one matrix makes all three.
fn keys_values_and_inner(spec: &ModelSpec) -> usize {
    let keys_and_values = match spec.projection(Projection::QueryKeyValue) {
        Some(fused) => fused.d_output,
        None => 2 * spec.n_kv_heads * spec.d_head,
    };
    spec.n_layers * (keys_and_values + spec.d_ff)
}

/// Of a prefix of 3 and adapters of 5.
fn prefix_and_adapters(spec: &ModelSpec) -> usize {
    let prefix = 3 * 2 * spec.n_kv_heads * spec.d_head;
    spec.n_layers * (prefix + 2 * 5 * spec.d_model + 5 + spec.d_model)
}

fn rank_times_widths(spec: &ModelSpec, rank: usize, chosen: &dyn Fn(&str) -> bool) -> usize {
    let widths = spec
        .projections
        .iter()
        .filter(|projection| chosen(&projection.path));
    let widths = widths.map(|projection| projection.d_input + projection.d_output);
    spec.n_layers * rank * widths.sum::<usize>()
}

/// What LoRA updates by default.
fn queries_and_values(path: &str) -> bool {
    let default = ["query", "value", "q_proj", "v_proj", "c_attn"];
    default.iter().any(|name| path.ends_with(name))
}
