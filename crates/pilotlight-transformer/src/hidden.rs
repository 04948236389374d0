//! The output of a model: one vector per position.

use burn::tensor::{Int, Tensor, TensorData};
use pilotlight_core::EmbeddedRow;

/// The last hidden states of a batch.
#[derive(Debug, Clone)]
pub struct Hidden {
    /// States behind the final norm `[n_batch, n_seq, d_model]`; those behind a row's end mean nothing.
    pub states: Tensor<3>,
    /// What stands in each row, inserted vectors included.
    pub rows: Vec<EmbeddedRow>,
}

impl Hidden {
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
        let [n_batch, n_seq, d_model] = self.states.dims();
        assert!(!positions.is_empty(), "at least one position to select");
        let indices: Vec<i64> = positions
            .iter()
            .map(|&(row, position)| {
                assert!(
                    position < self.rows[row].len,
                    "row {row} has {} positions, not one of index {position}",
                    self.rows[row].len
                );
                (row * n_seq + position) as i64
            })
            .collect();
        let n_positions = indices.len();
        let indices: Tensor<1, Int> = Tensor::from_data(
            TensorData::new(indices, [n_positions]),
            &self.states.device(),
        );
        self.states
            .clone()
            .reshape([n_batch * n_seq, d_model])
            .select(0, indices)
    }
}
