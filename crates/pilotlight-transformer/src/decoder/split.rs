//! The first positions of each row apart from the others.
//!
//! What a causal model computes at a position does not depend on what stands behind it. Where a tuner leaves the
//! first `u` positions of a row alone, as a soft prompt behind a text does, they are run without it, and the rest of
//! the row against their keys and values:
//!
//! `x_{<u} = base(e_{<u})`, `x_{>=u} = tuned(e_{>=u} | keys and values of x_{<u})`
//!
//! - In training, if the base is frozen, nothing is learned from their states: they are run as in inference. What would
//!   be stored for the backward pass through them is not, and that pass does not take place.
//! - In inference, those that all rows have in common, such as examples in context or the prompt of several choices, are
//!   run once for all rows.

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};
use pilotlight_core::{BatchPrefix, Embedded, Identity, KeyValue, TokenRow, Tuner};

use super::Decoder;
use crate::{
    counts::Counts,
    hidden::{Hidden, gather},
    kv_cache::Past,
};

/// Positions that must be saved. Both parts read all weights, which takes as long as about 30 positions do
/// (SmolLM2-135M, batches of 1 and of 8, one core).
const LEAST_SAVED: usize = 32;

/// The first positions of each row that are run apart.
pub(super) struct FirstPart {
    /// How many of each row.
    counts: Vec<usize>,
    /// Whether they hold the same tokens in every row.
    is_shared: bool,
}

impl Decoder {
    /// Which first positions to run apart; `None` where that saves nothing.
    pub(super) fn first_part(
        &self,
        tokens: &[TokenRow],
        embedded: &Embedded,
        tuner: &dyn Tuner,
    ) -> Option<FirstPart> {
        let rows = embedded.rows.iter().enumerate();
        let untouched = rows.map(|(index, row)| tuner.untouched(index, row).min(row.len));
        let untouched: Vec<usize> = untouched.collect();
        match embedded.embeddings.is_autodiff() {
            true => self.without_gradients(embedded, untouched),
            false => shared(tokens, embedded, &untouched),
        }
    }

    fn without_gradients(&self, embedded: &Embedded, untouched: Vec<usize>) -> Option<FirstPart> {
        if is_trained(self) {
            return None;
        }
        let n_first = untouched.iter().copied().max()?;
        let rests = embedded.rows.iter().zip(&untouched);
        let n_rest = rests.map(|(row, n)| row.len - n).max()?;
        // Rows are padded to the longest in either part. With gradients a position is run forward and back.
        let whole = 2 * embedded.n_seq();
        let saved = whole.saturating_sub(n_first + 2 * n_rest) * embedded.rows.len();
        (saved >= LEAST_SAVED).then_some(FirstPart {
            counts: untouched,
            is_shared: false,
        })
    }

    /// Runs all rows at once, the first part of each without gradients and without the tuner.
    pub(super) fn forward_in_two_parts(
        &self,
        embedded: Embedded,
        first_part: FirstPart,
        tuner: &dyn Tuner,
    ) -> Hidden {
        let Embedded { embeddings, rows } = embedded;
        let FirstPart {
            counts: untouched,
            is_shared,
        } = first_part;
        let [n_batch, n_seq, d_model] = embeddings.dims();
        let counts = Counts::new(untouched.clone());
        let lens: Vec<usize> = rows.iter().map(|row| row.len).collect();

        let n_run = if is_shared { 1 } else { n_batch };
        let first = embeddings.clone().inner().slice_dim(0, 0..n_run);
        let first = first.slice_dim(1, 0..counts.max());
        let mut past = Past::growing(vec![None; self.blocks.len()]);
        // The same weights, as tensors that record nothing.
        let first = self
            .valid()
            .layers(first, &[], &untouched[..n_run], &mut past, &Identity);
        let first = first.expand([n_batch as i64, -1, -1]);

        let rest_lens: Vec<usize> = lens
            .iter()
            .zip(&untouched)
            .map(|(len, n)| len - n)
            .collect();
        let n_rest = rest_lens.iter().copied().max().unwrap_or(0);
        if n_rest == 0 {
            return Hidden::new(rows, Tensor::from_inner(first));
        }
        let rest = match &counts {
            Counts::Same(n) => embeddings.slice_dim(1, *n..n + n_rest),
            Counts::Each(_) => {
                let slots: Vec<_> = untouched
                    .iter()
                    .enumerate()
                    .flat_map(|(row, n)| {
                        (0..n_rest).map(move |slot| (row, (n + slot).min(n_seq - 1)))
                    })
                    .collect();
                gather(embeddings, slots.into_iter()).reshape([n_batch, n_rest, d_model])
            }
        };
        let past = past
            .into_layers()
            .into_iter()
            .map(|KeyValue { key, value }| {
                let of_all = |it: Tensor<4>| it.expand([n_batch as i64, -1, -1, -1]);
                Some(BatchPrefix {
                    key_value: KeyValue::new(of_all(key), of_all(value)),
                    lengths: untouched.clone(),
                })
            });
        let mut past = Past::prefixes(past.collect());
        let rest = self.layers(rest, &rows, &rest_lens, &mut past, tuner);
        Hidden::in_two_parts(rows, counts, first, rest)
    }
}

/// The untouched first positions that hold the same tokens in all rows; every row keeps one behind them, so that there is
/// something to run.
fn shared(tokens: &[TokenRow], embedded: &Embedded, untouched: &[usize]) -> Option<FirstPart> {
    let (first, others) = tokens.split_first()?;
    let equal = |row: &TokenRow| {
        let pairs = first.ids.iter().zip(&row.ids);
        pairs.take_while(|(a, b)| a == b).count()
    };
    let in_common = others.iter().map(equal).min()?;
    let behind = embedded.rows.iter().map(|row| row.len.saturating_sub(1));
    let n_first = untouched.iter().copied().chain(behind).min()?;
    let n_first = n_first.min(in_common);
    let saved = n_first * others.len();
    (saved >= LEAST_SAVED).then(|| FirstPart {
        counts: vec![n_first; tokens.len()],
        is_shared: true,
    })
}

/// Whether any parameter requires gradients.
fn is_trained(module: &impl Module) -> bool {
    struct Trained(bool);
    impl ModuleVisitor for Trained {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 |= param.is_require_grad();
        }
    }
    let mut trained = Trained(false);
    module.visit(&mut trained);
    trained.0
}
