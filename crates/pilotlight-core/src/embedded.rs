//! A batch of embedded rows, and the insertion of learned vectors into it.

use std::ops::Range;

use burn::tensor::{Bool, Int, Tensor, TensorData, assert_shape};

use crate::tokens::{Anchors, TokenRow};

/// Embedded rows. Row `i` fills the first `rows[i].len` of its `n_seq` slots; the slots behind it are padding of
/// unspecified (finite) content that a model must keep out of every result.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// Word embeddings and inserted vectors `[n_batch, n_seq, d_model]`.
    pub embeddings: Tensor<3>,
    /// What stands in each row.
    pub rows: Vec<EmbeddedRow>,
}

/// Where the tokens of one row stand in its sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedRow {
    /// The sequence position of each token, ascending; the positions left out hold inserted vectors.
    pub token_positions: Vec<usize>,
    /// Tokens and inserted vectors together.
    pub len: usize,
    /// The places of the row, as token offsets.
    pub anchors: Anchors,
}

/// Vectors to insert at one place of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insertion {
    /// The vectors stand directly in front of this token; the number of tokens stands for the row's end.
    pub before_token: usize,
    /// Which of the vectors.
    pub vectors: Range<usize>,
}

impl EmbeddedRow {
    /// Number of the row's own tokens.
    pub fn n_tokens(&self) -> usize {
        self.token_positions.len()
    }

    /// The position whose hidden state predicts token `token` in a causal model: the one in front of it, be it a
    /// token or an inserted vector. `token = n_tokens` asks for the token that would follow the row. `None` for
    /// the first position of the sequence, which nothing predicts, and for tokens beyond the row.
    pub fn predictor(&self, token: usize) -> Option<usize> {
        if token == self.n_tokens() {
            return self.len.checked_sub(1);
        }
        self.token_positions.get(token)?.checked_sub(1)
    }
}

impl Embedded {
    /// Wraps the word embeddings `[n_batch, n_seq, d_model]` of right-padded rows.
    ///
    /// # Panics
    ///
    /// Panics if there are not as many rows as in the tensor, or one is longer than `n_seq`.
    pub fn new(embeddings: Tensor<3>, rows: &[TokenRow]) -> Self {
        let [n_batch, n_seq, _] = embeddings.dims();
        assert_eq!(
            n_batch,
            rows.len(),
            "one row of tokens per row of embeddings"
        );
        let rows = rows
            .iter()
            .map(|row| {
                assert!(
                    row.ids.len() <= n_seq,
                    "a row is longer than its embeddings"
                );
                EmbeddedRow {
                    token_positions: (0..row.ids.len()).collect(),
                    len: row.ids.len(),
                    anchors: row.anchors.clone(),
                }
            })
            .collect();
        Self { embeddings, rows }
    }

    /// Length of the longest row.
    pub fn n_seq(&self) -> usize {
        self.rows.iter().map(|row| row.len).max().unwrap_or(0)
    }

    /// Where there is padding `[n_batch, n_seq]`, as the attention of Burn's own layers wants to know it
    /// (`mask_pad`).
    pub fn padding(&self) -> Tensor<2, Bool> {
        let [n_batch, n_seq, _] = self.embeddings.dims();
        let padding: Vec<bool> = self
            .rows
            .iter()
            .flat_map(|row| (0..n_seq).map(|position| position >= row.len))
            .collect();
        let data = TensorData::new(padding, [n_batch, n_seq]);
        Tensor::from_data(data, &self.embeddings.device())
    }

    /// Inserts `vectors` `[n_vectors, d_model]` into every row, at the places that `place` names for it.
    ///
    /// Insertions at the same place keep their order, and stand behind vectors that an earlier call inserted
    /// there. Each row stays contiguous: vectors stand next to its tokens, never among padding.
    ///
    /// # Shapes
    ///
    /// - result: `[n_batch, max(len), d_model]`
    ///
    /// # Panics
    ///
    /// Panics if an insertion names a token or a vector that does not exist.
    pub fn insert(
        self,
        vectors: Tensor<2>,
        place: impl Fn(&EmbeddedRow) -> Vec<Insertion>,
    ) -> Self {
        let [n_batch, n_seq, d_model] = self.embeddings.dims();
        assert_shape!(vectors, [.., d_model]);
        let [n_vectors, _] = vectors.dims();

        // Slot by slot, the source of the new rows in a table of all old slots followed by the vectors.
        let mut sources = Vec::with_capacity(n_batch);
        let mut rows = Vec::with_capacity(n_batch);
        for (index, row) in self.rows.into_iter().enumerate() {
            let mut insertions = place(&row);
            insertions.sort_by_key(|insertion| insertion.before_token);
            let mut order: Vec<usize> = Vec::with_capacity(row.len);
            let mut token_positions = row.token_positions.clone();
            let mut next_slot = 0;
            for insertion in insertions {
                assert!(
                    insertion.vectors.end <= n_vectors,
                    "no such vector to insert"
                );
                let slot = if insertion.before_token == row.n_tokens() {
                    row.len
                } else {
                    row.token_positions[insertion.before_token]
                };
                order.extend((next_slot..slot).map(|slot| index * n_seq + slot));
                next_slot = slot;
                for position in &mut token_positions[insertion.before_token..] {
                    *position += insertion.vectors.len();
                }
                order.extend(insertion.vectors.map(|vector| n_batch * n_seq + vector));
            }
            order.extend((next_slot..row.len).map(|slot| index * n_seq + slot));
            rows.push(EmbeddedRow {
                token_positions,
                len: order.len(),
                anchors: row.anchors,
            });
            sources.push(order);
        }

        let n_new = rows.iter().map(|row| row.len).max().unwrap_or(0);
        let indices: Vec<i64> = sources
            .iter()
            .flat_map(|order| {
                let padding = n_new - order.len();
                order.iter().copied().chain(std::iter::repeat_n(0, padding))
            })
            .map(|source| source as i64)
            .collect();
        let device = self.embeddings.device();
        let indices: Tensor<1, Int> =
            Tensor::from_data(TensorData::new(indices, [n_batch * n_new]), &device);
        let table = Tensor::cat(
            vec![self.embeddings.reshape([n_batch * n_seq, d_model]), vectors],
            0,
        );
        Self {
            embeddings: table.select(0, indices).reshape([n_batch, n_new, d_model]),
            rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// Embeddings of width 1 that count 0, 1, 2 ... over all slots, so that content shows its origin.
    fn counted(lengths: &[usize]) -> Embedded {
        let n_seq = *lengths.iter().max().expect("rows");
        let values: Vec<f32> = (0..lengths.len() * n_seq).map(|i| i as f32).collect();
        let data = TensorData::new(values, [lengths.len(), n_seq, 1]);
        let rows: Vec<_> = lengths
            .iter()
            .map(|&len| TokenRow::new(vec![0; len]))
            .collect();
        Embedded::new(Tensor::from_data(data, &Device::default()), &rows)
    }

    fn vectors(values: &[f32]) -> Tensor<2> {
        Tensor::from_data(
            TensorData::new(values.to_vec(), [values.len(), 1]),
            &Device::default(),
        )
    }

    #[track_caller]
    fn check(embedded: &Embedded, expected: &[&[f32]]) {
        let [n_batch, n_seq, _] = embedded.embeddings.dims();
        let values: Vec<f32> = embedded.embeddings.clone().try_into_vec_as().expect("f32");
        assert_eq!(n_batch, expected.len());
        for (index, row) in expected.iter().enumerate() {
            assert_eq!(embedded.rows[index].len, row.len());
            assert_eq!(&values[index * n_seq..][..row.len()], *row);
        }
    }

    #[test]
    fn vectors_stand_next_to_the_tokens_of_unequal_rows() {
        let after = counted(&[3, 1]).insert(vectors(&[-1.0, -2.0]), |row| {
            vec![Insertion {
                before_token: row.n_tokens(),
                vectors: 0..2,
            }]
        });
        check(&after, &[&[0.0, 1.0, 2.0, -1.0, -2.0], &[3.0, -1.0, -2.0]]);
        assert_eq!(after.rows[0].token_positions, [0, 1, 2]);
    }

    #[test]
    fn padding_is_what_stands_behind_a_row() {
        let padding = counted(&[3, 1]).padding().into_data();
        let expected = [[false, false, false], [false, true, true]];
        assert_eq!(padding, TensorData::from(expected));
    }

    #[test]
    fn several_places_split_the_vectors() {
        let split = counted(&[3]).insert(vectors(&[-1.0, -2.0, -3.0]), |_| {
            vec![
                Insertion {
                    before_token: 2,
                    vectors: 1..3,
                },
                Insertion {
                    before_token: 0,
                    vectors: 0..1,
                },
            ]
        });
        check(&split, &[&[-1.0, 0.0, 1.0, -2.0, -3.0, 2.0]]);
        assert_eq!(split.rows[0].token_positions, [1, 2, 5]);
        assert_eq!(split.rows[0].predictor(2), Some(4));
        assert_eq!(split.rows[0].predictor(3), Some(5));
    }

    #[test]
    fn a_second_insertion_finds_the_tokens_again() {
        let front = |_: &EmbeddedRow| {
            vec![Insertion {
                before_token: 0,
                vectors: 0..1,
            }]
        };
        let twice = counted(&[2])
            .insert(vectors(&[-1.0]), front)
            .insert(vectors(&[-2.0]), front);
        check(&twice, &[&[-1.0, -2.0, 0.0, 1.0]]);
    }
}
