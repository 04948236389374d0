//! How much a method computes, by formula.
//!
//! A multiplication and an addition are two operations. What is counted is what this program computes: a backward pass that
//! ends in the lowest layer with something to train, and text in front of a prompt that is run without gradients. Of the
//! `S` positions of a row, tokens and inserted vectors, the first `U` carry no gradients and `R = S - U` do; with learned
//! keys in front there are `K` keys, and `d_q = n_heads * d_head`. A layer multiplies
//!
//! | | forward | gradient of activations | gradient of weights |
//! |---|---|---|---|
//! | projections | `S * sum(d_input * d_output)` | `R` times that sum | the same, of those that are trained |
//! | attention, two products | `2 U U d_q + 2 R K d_q` | `4 R K d_q`: both sides of a product have one | - |
//! | the method's own matrices | [`TunerConfig::multiplications`] `* R` | the same | the same |
//!
//! and the head `d_model * n_vocab` at each state whose next word is asked for. Norms, activations, the optimizer and
//! networks that make a prompt are not counted: they are not matrix products, or small ones.

use pilotlight_core::{ModelSpec, Projection, Site};
use pilotlight_tuners::TunerConfig;

/// What a method multiplies on a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arithmetic {
    n_layers: f64,
    /// Layers that gradients are carried through: those from the lowest on in which something is trained.
    n_backward: f64,
    /// Where in the lowest of them the backward pass ends.
    start: GradientStart,
    /// Weights of a layer's matrices that read its input.
    of_inputs: f64,
    /// Weights of its other matrices.
    of_others: f64,
    /// Multiplications of the method's own matrices at a position, over all layers.
    of_method: f64,
    /// Weights of matrices in the layers that are trained.
    of_trained: f64,
    /// Weights of the language-model head, and whether they are trained.
    of_head: f64,
    trains_head: bool,
    d_query: f64,
    n_inserted: usize,
    n_prefix: usize,
    /// Values that a layer keeps of a position for the backward pass.
    kept: f64,
    /// The same of a pair of positions.
    kept_pair: f64,
}

/// Where in the lowest layer with something to train the backward pass ends: nothing in front of that place is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GradientStart {
    /// At its input.
    Embeddings,
    /// Within its attention: its input needs no gradient, and one of queries, keys and values needs none either.
    Attention,
    /// At its output: nothing within it needs a gradient.
    LayerOutput,
}

/// A row as far as its costs go.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RowShape {
    /// Tokens that are run.
    pub n_tokens: usize,
    /// First positions through which no gradients are carried.
    pub n_untouched: usize,
    /// States whose next word is asked for.
    pub n_words: usize,
}

impl Arithmetic {
    /// What `tuner` multiplies on a model of this shape; `names` are those of the model's parameters, and `is_trained`
    /// says which of them are trained beside the tuner. The backward pass goes to the input of the lowest layer.
    pub fn new(
        spec: &ModelSpec,
        tuner: &TunerConfig,
        names: &[String],
        is_trained: &dyn Fn(&str) -> bool,
    ) -> Self {
        let (mut of_inputs, mut of_others, mut of_trained, mut kept) = (0, 0, 0, 0);
        for it in &spec.projections {
            let weights = it.d_input * it.d_output;
            match reads_input(it.projection) {
                true => of_inputs += weights,
                false => of_others += weights,
            }
            let of_layer = |layer: usize| {
                let projection = it.projection;
                let path = spec.path(Site { layer, projection });
                path.is_some_and(|path| is_trained(&format!("{path}.weight")))
            };
            of_trained += weights * (0..spec.n_layers).filter(|it| of_layer(*it)).count();
            kept += it.d_output;
        }
        let d_query = spec.n_heads * spec.d_head;
        // What norms, rotations, the inner activation and the residual stream leave behind.
        kept += 4 * spec.d_model + 3 * d_query + 2 * spec.d_ff;
        let head = match (&spec.head_path, spec.tied_head) {
            (_, true) => Some(&spec.words_path),
            (path, false) => path.as_ref(),
        };
        let lowest = match tuner.is_untuned() {
            true => lowest_trained(spec, names, is_trained),
            false => 0,
        };
        Self {
            n_layers: spec.n_layers as f64,
            n_backward: (spec.n_layers - lowest) as f64,
            start: GradientStart::Embeddings,
            of_inputs: of_inputs as f64,
            of_others: of_others as f64,
            of_method: tuner.multiplications(spec) as f64,
            of_trained: of_trained as f64,
            of_head: (spec.d_model * spec.n_vocab) as f64,
            trains_head: head.is_some_and(|path| is_trained(&format!("{path}.weight"))),
            d_query: d_query as f64,
            n_inserted: tuner.inserted(),
            n_prefix: tuner.reserve() - tuner.inserted(),
            kept: kept as f64,
            kept_pair: (2 * spec.n_heads) as f64,
        }
    }

    /// The same with a backward pass that ends elsewhere in the lowest layer.
    pub fn starting(self, start: GradientStart) -> Self {
        Self { start, ..self }
    }

    /// Operations of a forward pass of a row.
    pub fn forward(&self, row: RowShape) -> f64 {
        let n_positions = (row.n_tokens + self.n_inserted) as f64;
        2.0 * (self.run(n_positions, self.keys(row))
            + n_positions * self.of_method
            + self.of_head * row.n_words as f64)
    }

    /// Operations of a training step for a row: forward and backward.
    pub fn step(&self, row: RowShape) -> f64 {
        let n_keys = self.keys(row);
        let n_rest = self.with_gradients(row);
        let n_untouched = (row.n_tokens + self.n_inserted) as f64 - n_rest;
        let of_head = self.of_head * row.n_words as f64;
        let forward = self.run(n_rest, n_keys) + n_rest * self.of_method + of_head;
        let head_weights = if self.trains_head { of_head } else { 0.0 };
        let weights = n_rest * (self.of_trained + self.of_method) + head_weights;
        let activations = self.activations(n_rest, n_keys) + of_head;
        2.0 * (self.run(n_untouched, n_untouched) + forward + activations + weights)
    }

    /// Weights that are trained, but for those of norms, biases and vectors.
    pub fn n_trained(&self) -> f64 {
        let head = if self.trains_head { self.of_head } else { 0.0 };
        self.of_trained + self.of_method + head
    }

    /// Values that are kept of a row between the forward and the backward pass: a rough number.
    pub fn n_kept(&self, row: RowShape) -> f64 {
        let of_layer = self.kept + self.kept_pair * self.keys(row);
        self.n_backward * self.with_gradients(row) * of_layer
    }

    /// Multiplications of the base's layers.
    fn run(&self, n_positions: f64, n_keys: f64) -> f64 {
        let of_layer = n_positions * (self.of_inputs + self.of_others);
        self.n_layers * (of_layer + self.attention(n_positions, n_keys))
    }

    fn attention(&self, n_queries: f64, n_keys: f64) -> f64 {
        2.0 * n_queries * n_keys * self.d_query
    }

    /// Multiplications for the gradients of what the layers compute.
    fn activations(&self, n_rest: f64, n_keys: f64) -> f64 {
        if self.n_backward == 0.0 {
            return 0.0;
        }
        let of_attention = 2.0 * self.attention(n_rest, n_keys);
        let whole = n_rest * (self.of_inputs + self.of_others) + of_attention;
        let (lowest, of_lowest_method) = match self.start {
            GradientStart::Embeddings => (whole, 1.0),
            // Of the four gradients of the two products, that of the queries or keys is left out, and about half of the
            // method's matrices read the input of the layer.
            GradientStart::Attention => (n_rest * self.of_others + 0.75 * of_attention, 0.5),
            GradientStart::LayerOutput => (0.0, 1.0),
        };
        let n_above = self.n_backward - 1.0;
        let of_method = n_rest * self.of_method / self.n_layers;
        n_above * whole + lowest + of_method * (n_above + of_lowest_method)
    }

    /// Positions that gradients are carried through.
    fn with_gradients(&self, row: RowShape) -> f64 {
        let n_positions = row.n_tokens + self.n_inserted;
        n_positions.saturating_sub(row.n_untouched) as f64
    }

    /// Positions that each position attends to.
    fn keys(&self, row: RowShape) -> f64 {
        (row.n_tokens + self.n_inserted + self.n_prefix) as f64
    }
}

/// Whether a projection reads the input of its layer, behind a norm.
fn reads_input(projection: Projection) -> bool {
    let inputs = [
        Projection::Query,
        Projection::Key,
        Projection::Value,
        Projection::QueryKeyValue,
    ];
    inputs.contains(&projection)
}

/// The lowest layer with a trained parameter; the first where the word embeddings are trained, and none where nothing
/// below the last norm is.
fn lowest_trained(spec: &ModelSpec, names: &[String], is_trained: &dyn Fn(&str) -> bool) -> usize {
    let in_layers = spec.projections.first();
    let in_layers = in_layers.and_then(|it| it.path.split("{layer}").next());
    let layer_of = |name: &str| -> Option<usize> {
        let (layer, _) = name.strip_prefix(in_layers?)?.split_once('.')?;
        layer.parse().ok()
    };
    let trained = names.iter().filter(|name| is_trained(name));
    let layers = trained.map(|name| match layer_of(name) {
        Some(layer) => layer,
        None if name.starts_with(&spec.words_path) => 0,
        None => spec.n_layers,
    });
    layers.min().unwrap_or(spec.n_layers)
}

#[cfg(test)]
mod tests {
    use pilotlight_core::{Projection, ProjectionSpec};

    use super::*;

    /// Two layers with one matrix of 3 x 5 weights and one of 5 x 3, two heads of width 4.
    fn spec() -> ModelSpec {
        let projection = |projection, d_input, d_output, name: &str| ProjectionSpec {
            projection,
            d_input,
            d_output,
            path: format!("layers.{{layer}}.{name}"),
            fan_in_fan_out: false,
        };
        ModelSpec {
            n_layers: 2,
            d_model: 3,
            n_heads: 2,
            n_kv_heads: 2,
            d_head: 4,
            d_ff: 5,
            n_vocab: 7,
            n_positions: 100,
            projections: vec![
                projection(Projection::Up, 3, 5, "up"),
                projection(Projection::Down, 5, 3, "down"),
            ],
            words_path: "words".into(),
            head_path: Some("head".into()),
            tied_head: true,
        }
    }

    #[track_caller]
    fn check(tuner: &str, trained: &str, row: [usize; 3], expected: [f64; 2]) {
        let names: Vec<String> = [
            "words.weight",
            "layers.0.up.weight",
            "layers.0.down.weight",
            "layers.1.up.weight",
            "layers.1.down.weight",
            "norm.weight",
        ]
        .map(String::from)
        .into();
        let tuner: TunerConfig = toml::from_str(tuner).expect("a tuner");
        let is_trained = |name: &str| !trained.is_empty() && name.starts_with(trained);
        let arithmetic = Arithmetic::new(&spec(), &tuner, &names, &is_trained);
        let [n_tokens, n_untouched, n_words] = row;
        let row = RowShape {
            n_tokens,
            n_untouched,
            n_words,
        };
        assert_eq!([arithmetic.forward(row), arithmetic.step(row)], expected);
    }

    #[test]
    fn operations_follow_the_formula() {
        // B = 60, 4 L d_query = 64, 2 d_model n_vocab = 42.
        let forward = |s: f64, keys: f64| 120.0 * s + 64.0 * s * keys + 42.0;
        let activations = |g: f64, keys: f64| 120.0 * g + 128.0 * g * keys;
        let weights = |trained: f64, g: f64| 2.0 * trained * g;

        let prompt = "method = 'soft-prompt'\nprompt_length = 4";
        let expected = forward(14.0, 14.0);
        let step = expected + activations(14.0, 14.0) + 42.0;
        check(prompt, "", [10, 0, 1], [expected, step]);
        // Behind the text: no gradients in front of it, which is run by itself.
        let text = forward(10.0, 10.0) - 42.0;
        let step = text + forward(4.0, 14.0) + activations(4.0, 14.0) + 42.0;
        check(prompt, "", [10, 10, 1], [expected, step]);
        let prefix = "method = 'prefix'\nprefix_length = 4";
        let expected = forward(10.0, 14.0);
        let step = expected + activations(10.0, 14.0) + 42.0;
        check(prefix, "", [10, 0, 1], [expected, step]);

        // T = 2 layers x 2 matrices x 1 x (3 + 5).
        let lora = "method = 'lora'\nrank = 1\ntargets = 'all-linear'";
        let with_lora = forward(10.0, 10.0) + 2.0 * 32.0 * 10.0;
        let step = with_lora + activations(10.0, 10.0) + 2.0 * weights(32.0, 10.0) + 42.0;
        check(lora, "", [10, 0, 1], [with_lora, step]);

        let none = "method = 'none'";
        let expected = forward(10.0, 10.0);
        let frozen = expected + activations(10.0, 10.0);
        // Everything, the tied head too.
        let step = frozen + weights(60.0, 10.0) + 84.0;
        check(none, "", [10, 0, 1], [expected, expected + 42.0]);
        check(none, "words", [10, 0, 1], [expected, frozen + 84.0]);
        check(none, "layers", [10, 0, 1], [expected, step - 42.0]);
        // The upper layer alone: gradients stop there.
        let half = activations(10.0, 10.0) / 2.0;
        let step = expected + half + weights(30.0, 10.0) + 42.0;
        check(none, "layers.1", [10, 0, 1], [expected, step]);
        check(none, "norm", [10, 0, 1], [expected, expected + 42.0]);
    }
}
