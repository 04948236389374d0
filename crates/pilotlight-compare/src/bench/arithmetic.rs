//! The operations of a step's matrix products.
//!
//! A multiplication and an addition are two operations. What is counted is what this program computes: a backward pass
//! that ends in the first layer where nothing in front of it is trained, and text in front of a prompt that is run
//! without gradients. With S positions of a row, `d_q = n_heads * d_head` and K keys, a layer multiplies
//!
//! | | forward | gradient of activations | gradient of weights |
//! |---|---|---|---|
//! | projections | `S * sum(d_input * d_output)` | the same | the same, where the base is trained |
//! | attention, two products | `2 S K d_q` | twice that: both sides of a product have one | - |
//! | the method's own matrices | [`TunerConfig::multiplications`] `* S` | the same | the same |
//!
//! and the head `d_model * n_vocab` at the one state of each text that predicts its answer. Norms, activations, the
//! optimizer and networks that make a prompt are not counted: they are not matrix products, or small ones.

use pilotlight_core::{ModelSpec, Projection};
use pilotlight_tuners::TunerConfig;

/// Where in the first layer the backward pass ends: nothing in front of that place is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GradientStart {
    /// At its input.
    Embeddings,
    /// Within its attention: its input needs no gradient, and one of queries, keys and values needs none either.
    Attention,
    /// At its output: nothing within it needs a gradient.
    LayerOutput,
}

/// What a step runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub(super) n_batch: usize,
    /// Tokens and inserted vectors of a row.
    pub(super) n_positions: usize,
    /// The first of them that are run without gradients.
    pub(super) n_untouched: usize,
    /// Learned keys in front of those of the positions.
    pub(super) n_prefix: usize,
}

/// Operations of the matrix products of one step.
pub(super) fn operations(
    spec: &ModelSpec,
    tuner: &TunerConfig,
    trains_base: bool,
    start: GradientStart,
    rows: Rows,
) -> f64 {
    let n_layers = spec.n_layers as f64;
    let inputs = [
        Projection::Query,
        Projection::Key,
        Projection::Value,
        Projection::QueryKeyValue,
    ];
    let (mut of_inputs, mut of_others) = (0.0, 0.0);
    for projection in &spec.projections {
        let size = projection.d_input as f64 * projection.d_output as f64;
        match inputs.contains(&projection.projection) {
            true => of_inputs += size,
            false => of_others += size,
        }
    }
    let of_layer = of_inputs + of_others;
    let of_method = tuner.multiplications(spec) as f64;
    let of_head = spec.d_model as f64 * spec.n_vocab as f64;

    // Positions without gradients attend to each other, the others to all.
    let n_untouched = rows.n_untouched as f64;
    let n_rest = (rows.n_positions - rows.n_untouched) as f64;
    let n_keys = (rows.n_prefix + rows.n_positions) as f64;
    let d_query = (spec.n_heads * spec.d_head) as f64;
    let attention = |n_queries: f64, n_keys: f64| 2.0 * n_queries * n_keys * d_query;

    let without = n_layers * (n_untouched * of_layer + attention(n_untouched, n_untouched));
    let forward =
        n_layers * (n_rest * of_layer + attention(n_rest, n_keys)) + n_rest * of_method + of_head;

    let of_attention = 2.0 * attention(n_rest, n_keys);
    let whole_layer = n_rest * of_layer + of_attention;
    let (first_layer, of_first_method) = match start {
        GradientStart::Embeddings => (whole_layer, 1.0),
        // Of the four gradients of the two products, that of the queries or keys is left out, and about half of the
        // method's matrices read the input of the layer.
        GradientStart::Attention => (n_rest * of_others + 0.75 * of_attention, 0.5),
        GradientStart::LayerOutput => (0.0, 1.0),
    };
    let activations = (n_layers - 1.0) * whole_layer
        + first_layer
        + n_rest * of_method * (n_layers - 1.0 + of_first_method) / n_layers
        + of_head;
    let weights = match trains_base {
        true => n_layers * n_rest * of_layer + of_head,
        false => n_rest * of_method,
    };
    2.0 * rows.n_batch as f64 * (without + forward + activations + weights)
}
