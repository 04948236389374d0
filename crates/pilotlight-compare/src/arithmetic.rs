//! How much a method computes, by formula.
//!
//! A multiplication and an addition are two operations. Of a row with `n` tokens, among which the method inserts `m`
//! vectors and in front of whose keys it puts `p` of its own, `s = n + m` positions are run, and gradients are carried
//! through `g <= s` of them:
//!
//! ```text
//! forward  = 2 (B + T) s + 4 L d_query s (s + p) + 2 d_model n_vocab a
//! backward = depth (2 (B + T) g + 8 L d_query g (s + p)) + 2 (B_trained + T) g + 2 d_model n_vocab a
//! ```
//!
//! `B` are the weights of the layers' matrices, `B_trained` those that are trained, `T` the multiplications of the
//! method's own at a position, `a` the states whose next word is asked for, `L` the layers, and `depth` the share of
//! them from the lowest trained one on. Norms, activations and what a method computes once a step are left out:
//! they are small beside these (see `docs/notation.md`).

use pilotlight_core::{ModelSpec, Site};
use pilotlight_tuners::TunerConfig;

/// What a method multiplies on a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arithmetic {
    /// Operations of the layers' matrices at a position, `2 (B + T)`.
    position: f64,
    /// Operations of attention at a pair of positions, `4 L d_query`.
    pair: f64,
    /// Operations of the language-model head at a state.
    word: f64,
    /// Operations for the gradients of trained matrices at a position, `2 (B_trained + T)`.
    weights: f64,
    /// Whether the head is trained too.
    trains_head: bool,
    /// Share of the layers that gradients are carried through.
    depth: f64,
    n_inserted: usize,
    n_prefix: usize,
    /// Trained weights, those of the tuner by its multiplications.
    n_trained: f64,
    /// Values that a layer keeps of a position for the backward pass, times the layers.
    kept: f64,
    /// The same of a pair of positions.
    kept_pair: f64,
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
    /// says which of them are trained beside the tuner.
    pub fn new(
        spec: &ModelSpec,
        tuner: &TunerConfig,
        names: &[String],
        is_trained: &dyn Fn(&str) -> bool,
    ) -> Self {
        let (mut all, mut trained) = (0, 0);
        for it in &spec.projections {
            let weights = it.d_input * it.d_output;
            all += spec.n_layers * weights;
            let of_layer = |layer: usize| {
                let projection = it.projection;
                let path = spec.path(Site { layer, projection });
                path.is_some_and(|path| is_trained(&format!("{path}.weight")))
            };
            trained += weights * (0..spec.n_layers).filter(|it| of_layer(*it)).count();
        }
        let own = tuner.multiplications(spec);
        let head = match (&spec.head_path, spec.tied_head) {
            (_, true) => Some(&spec.words_path),
            (path, false) => path.as_ref(),
        };
        let trains_head = head.is_some_and(|path| is_trained(&format!("{path}.weight")));
        let n_words = if trains_head {
            spec.d_model * spec.n_vocab
        } else {
            0
        };
        let d_query = spec.n_heads * spec.d_head;
        let outputs: usize = spec.projections.iter().map(|it| it.d_output).sum();
        let lowest = match tuner.is_untuned() {
            true => lowest_trained(spec, names, is_trained),
            false => 0,
        };
        Self {
            position: 2.0 * (all + own) as f64,
            pair: (4 * spec.n_layers * d_query) as f64,
            word: (2 * spec.d_model * spec.n_vocab) as f64,
            weights: 2.0 * (trained + own) as f64,
            trains_head,
            depth: (spec.n_layers - lowest) as f64 / spec.n_layers.max(1) as f64,
            n_inserted: tuner.inserted(),
            n_prefix: tuner.reserve() - tuner.inserted(),
            n_trained: (trained + own + n_words) as f64,
            // What projections, norms, rotations, the inner activation and the residual stream leave behind.
            kept: (spec.n_layers * (outputs + 4 * spec.d_model + 3 * d_query + 2 * spec.d_ff))
                as f64,
            kept_pair: (2 * spec.n_layers * spec.n_heads) as f64,
        }
    }

    /// Weights that are trained, but for those of norms, biases and vectors.
    pub fn n_trained(&self) -> f64 {
        self.n_trained
    }

    /// Values that are kept of a row between the forward and the backward pass: a rough number.
    pub fn n_kept(&self, row: RowShape) -> f64 {
        let g = self.with_gradients(row);
        self.depth * g * (self.kept + self.kept_pair * self.keys(row))
    }

    /// Operations of a forward pass of a row.
    pub fn forward(&self, row: RowShape) -> f64 {
        let s = (row.n_tokens + self.n_inserted) as f64;
        self.position * s + self.pair * s * self.keys(row) + self.word * row.n_words as f64
    }

    /// Operations of a training step for a row: forward and backward.
    pub fn step(&self, row: RowShape) -> f64 {
        let g = self.with_gradients(row);
        let activations = self.position * g + 2.0 * self.pair * g * self.keys(row);
        let head = self.word * row.n_words as f64 * if self.trains_head { 2.0 } else { 1.0 };
        self.forward(row) + self.depth * activations + self.weights * g + head
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
        // Behind the text: no gradients in front of it.
        let step = expected + activations(4.0, 14.0) + 42.0;
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
