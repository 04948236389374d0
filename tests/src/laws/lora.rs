//! LoRA in its other forms.

use pilotlight_core::ModelSpec;

use super::{Law, queries_and_values, rank_times_widths};

/// Those whose gradients are those of the loss.
pub(super) const LAWS: &[Law] = &[
    Law {
        keys: r#"{ "method": "lora", "rank": 2, "init": "orthogonal", "plus_ratio": 4 }"#,
        starts_as_identity: true,
        n_parameters: |spec| rank_times_widths(spec, 2, &queries_and_values),
    },
    Law {
        keys: r#"{ "method": "lora", "rank": 2, "alpha": 3, "init": "pissa", "targets": "all-linear" }"#,
        starts_as_identity: true,
        n_parameters: |spec| rank_times_widths(spec, 2, &|_| true),
    },
    Law {
        keys: r#"{ "method": "lora", "rank": 3, "alpha": 2, "init": "olora", "rslora": true }"#,
        starts_as_identity: true,
        n_parameters: |spec| rank_times_widths(spec, 3, &queries_and_values),
    },
    Law {
        keys: r#"{ "method": "lora", "rank": 2, "targets": ".*(embed_tokens|wte|word_embeddings)" }"#,
        starts_as_identity: true,
        n_parameters: |spec| 2 * (spec.n_vocab + spec.d_model),
    },
];

/// Those whose gradients leave out what their paper holds constant: the lengths that DoRA divides by.
pub(super) const DETACHED: &[Law] = &[
    Law {
        keys: r#"{ "method": "lora", "rank": 2, "dora": true, "targets": "all-linear" }"#,
        starts_as_identity: true,
        n_parameters: |spec| rank_times_widths(spec, 2, &|_| true) + outputs(spec, &|_| true),
    },
    Law {
        keys: r#"{ "method": "lora", "rank": 2, "dora": true, "init": "pissa" }"#,
        starts_as_identity: true,
        n_parameters: |spec| {
            rank_times_widths(spec, 2, &queries_and_values) + outputs(spec, &queries_and_values)
        },
    },
    Law {
        keys: r#"{ "method": "lora", "rank": 2, "dora": true,
            "targets": ".*(embed_tokens|wte|word_embeddings)" }"#,
        starts_as_identity: true,
        n_parameters: |spec| 2 * (spec.n_vocab + spec.d_model) + spec.d_model,
    },
];

/// Those of the language-model head.
pub(super) const OF_HEADS: &[Law] = &[
    Law {
        keys: r#"{ "method": "lora", "rank": 2, "targets": ["lm_head"] }"#,
        starts_as_identity: true,
        n_parameters: |spec| 2 * (spec.n_vocab + spec.d_model),
    },
    Law {
        keys: r#"{ "method": "lora", "rank": 2, "targets": ["lm_head"], "init": "olora" }"#,
        starts_as_identity: true,
        n_parameters: |spec| 2 * (spec.n_vocab + spec.d_model),
    },
];

/// Numbers that the chosen projections make.
fn outputs(spec: &ModelSpec, chosen: &dyn Fn(&str) -> bool) -> usize {
    let chosen = spec
        .projections
        .iter()
        .filter(|projection| chosen(&projection.path));
    spec.n_layers * chosen.map(|projection| projection.d_output).sum::<usize>()
}
