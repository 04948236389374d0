//! The output of a model: one vector per position.

use burn::tensor::{Int, Tensor, TensorData};
use pilotlight_core::EmbeddedRow;

use crate::counts::Counts;

/// The last hidden states of a batch, behind the final norm.
#[derive(Debug, Clone)]
pub struct Hidden {
    /// What stands in each row, inserted vectors included.
    pub rows: Vec<EmbeddedRow>,
    states: Tensor<3>,
    first: Option<FirstStates>,
}

/// The states of the first positions of each row, where they were run apart from the others.
#[derive(Debug, Clone)]
struct FirstStates {
    states: Tensor<3>,
    counts: Counts,
}

impl Hidden {
    /// # Shapes
    ///
    /// - states: `[n_batch, n_seq, d_model]`
    pub(crate) fn new(rows: Vec<EmbeddedRow>, states: Tensor<3>) -> Self {
        Self {
            rows,
            states,
            first: None,
        }
    }

    /// The states of the first positions of each row, as many as `counts` says, and those of the others.
    ///
    /// # Shapes
    ///
    /// - first: `[n_batch, counts.max(), d_model]`
    /// - rest: `[n_batch, n_rest, d_model]`
    pub(crate) fn in_two_parts(
        rows: Vec<EmbeddedRow>,
        counts: Counts,
        first: Tensor<3>,
        rest: Tensor<3>,
    ) -> Self {
        let states = first;
        Self {
            rows,
            states: rest,
            first: Some(FirstStates { states, counts }),
        }
    }

    /// The states at `(row, position)`, in the order asked for.
    ///
    /// # Shapes
    ///
    /// - result: `[positions.len(), d_model]`
    ///
    /// # Panics
    ///
    /// Panics if a row or a position in it does not exist, or none is asked for.
    pub fn select(&self, positions: &[(usize, usize)]) -> Tensor<2> {
        assert!(!positions.is_empty(), "at least one position to select");
        for &(row, position) in positions {
            let len = self.rows[row].len;
            assert!(
                position < len,
                "row {row} has {len} positions, not one of index {position}"
            );
        }
        self.gather(positions)
    }

    /// All states; those behind a row's end mean nothing.
    ///
    /// # Shapes
    ///
    /// - result: `[n_batch, n_seq, d_model]`
    pub fn states(&self) -> Tensor<3> {
        if self.first.is_none() {
            return self.states.clone();
        }
        let [n_batch, _, d_model] = self.states.dims();
        let n_seq = self.rows.iter().map(|row| row.len).max().unwrap_or(0);
        let rows = self.rows.iter().enumerate();
        let positions: Vec<_> = rows
            .flat_map(|(index, row)| {
                let last = row.len.saturating_sub(1);
                (0..n_seq).map(move |position| (index, position.min(last)))
            })
            .collect();
        self.gather(&positions).reshape([n_batch, n_seq, d_model])
    }

    fn gather(&self, positions: &[(usize, usize)]) -> Tensor<2> {
        let Some(first) = &self.first else {
            return gather(self.states.clone(), positions.iter().copied());
        };
        let is_first = |&(row, position): &(usize, usize)| position < first.counts.of(row);
        let of_rest = |(row, position)| (row, position - first.counts.of(row));
        if !positions.iter().any(is_first) {
            return gather(self.states.clone(), positions.iter().copied().map(of_rest));
        }
        if positions.iter().all(is_first) {
            return gather(first.states.clone(), positions.iter().copied());
        }
        // Side by side, the rest behind all slots of the first positions.
        let n_first = first.states.dims()[1];
        let both = Tensor::cat(vec![first.states.clone(), self.states.clone()], 1);
        let positions = positions.iter().map(|&place| match is_first(&place) {
            true => place,
            false => {
                let (row, position) = of_rest(place);
                (row, n_first + position)
            }
        });
        gather(both, positions)
    }
}

/// The vectors of `states` `[n_batch, n_seq, d_model]` in the slots `(row, slot)`: `[n, d_model]`.
pub(crate) fn gather(
    states: Tensor<3>,
    slots: impl ExactSizeIterator<Item = (usize, usize)>,
) -> Tensor<2> {
    let [n_batch, n_seq, d_model] = states.dims();
    let n = slots.len();
    let indices: Vec<i64> = slots
        .map(|(row, slot)| (row * n_seq + slot) as i64)
        .collect();
    let indices: Tensor<1, Int> =
        Tensor::from_data(TensorData::new(indices, [n]), &states.device());
    states
        .reshape([n_batch * n_seq, d_model])
        .select(0, indices)
}
