//! The first positions of each row without gradients.
//!
//! What a causal model computes at a position does not depend on what stands behind it. Where a tuner leaves the
//! first `u` positions of a row alone, as a soft prompt behind a text does, and the base is frozen, nothing is
//! learned from their states: they are run as in inference, and the rest of the row against their keys and values.
//! What would be stored for the backward pass through them is not, and that pass does not take place:
//!
//! `x_{<u} = base(e_{<u})`, `x_{>=u} = tuned(e_{>=u} | keys and values of x_{<u})`

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};
use pilotlight_core::{BatchPrefix, Embedded, Identity, Tuner};

use super::Decoder;
use crate::{
    counts::Counts,
    hidden::{Hidden, gather},
    kv_cache::Past,
};

/// Positions that must be saved. Both parts read all weights, which takes as long as about 30 positions do
/// (SmolLM2-135M, batches of 1 and of 8, one core).
const LEAST_SAVED: usize = 32;

impl Decoder {
    /// How many first positions of each row to run without gradients; `None` where that saves nothing.
    pub(super) fn untouched(&self, embedded: &Embedded, tuner: &dyn Tuner) -> Option<Vec<usize>> {
        if !embedded.embeddings.is_autodiff() || is_trained(self) {
            return None;
        }
        let rows = embedded.rows.iter().enumerate();
        let untouched = rows.map(|(index, row)| tuner.untouched(index, row).min(row.len));
        let untouched: Vec<usize> = untouched.collect();

        let n_first = untouched.iter().copied().max()?;
        let rests = embedded.rows.iter().zip(&untouched);
        let n_rest = rests.map(|(row, n)| row.len - n).max()?;
        // Rows are padded to the longest in either part. With gradients a position is run forward and back.
        let whole = 2 * embedded.n_seq();
        let saved = whole.saturating_sub(n_first + 2 * n_rest) * embedded.rows.len();
        (saved >= LEAST_SAVED).then_some(untouched)
    }

    /// Runs all rows at once, the first `untouched` positions of each without gradients and without the tuner.
    pub(super) fn forward_in_two_parts(
        &self,
        embedded: Embedded,
        untouched: Vec<usize>,
        tuner: &dyn Tuner,
    ) -> Hidden {
        let Embedded { embeddings, rows } = embedded;
        let [n_batch, n_seq, d_model] = embeddings.dims();
        let counts = Counts::new(untouched.clone());
        let lens: Vec<usize> = rows.iter().map(|row| row.len).collect();

        let first = embeddings.clone().inner();
        let first = first.slice_dim(1, 0..counts.max());
        let mut past = Past::growing(vec![None; self.blocks.len()]);
        // The same weights, as tensors that record nothing.
        let first = self
            .valid()
            .layers(first, &[], &untouched, &mut past, &Identity);

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
        let past = past.into_layers().into_iter().map(|key_value| {
            Some(BatchPrefix {
                key_value,
                lengths: untouched.clone(),
            })
        });
        let mut past = Past::prefixes(past.collect());
        let rest = self.layers(rest, &rows, &rest_lens, &mut past, tuner);
        Hidden::in_two_parts(rows, counts, first, rest)
    }
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
