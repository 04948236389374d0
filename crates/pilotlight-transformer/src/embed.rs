//! Word embeddings of ragged rows.

use burn::{
    nn::Embedding,
    tensor::{Int, Tensor, TensorData},
};
use pilotlight_core::{Embedded, TokenRow, Tuner};

use crate::counts::Counts;

/// The word embeddings of rows, right-padded with those of token 0, as the tuner changes them.
///
/// # Panics
///
/// Panics if there are no rows, or a token is not in the vocabulary.
pub(crate) fn embed_words(embedding: &Embedding, rows: &[TokenRow], tuner: &dyn Tuner) -> Embedded {
    assert!(!rows.is_empty(), "at least one row of tokens");
    let n_seq = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
    let ids = padded(rows, n_seq.max(1), |row| &row.ids, embedding);
    let weight = embedding.weight.val();
    let words = tuner.words(&weight, &ids, embedding.forward(ids.clone()));
    Embedded::new(words, rows)
}

/// Numbers of every token, as indices `[n_batch, n_seq]` into an embedding table; missing ones are 0.
///
/// # Panics
///
/// Panics if a number is not below the size of the table.
pub(crate) fn padded(
    rows: &[TokenRow],
    n_seq: usize,
    of: impl Fn(&TokenRow) -> &Vec<u32>,
    embedding: &Embedding,
) -> Tensor<2, Int> {
    let [n_embeddings, _] = embedding.weight.shape().dims();
    let mut indices = vec![0_i64; rows.len() * n_seq];
    for (row, slots) in rows.iter().zip(indices.chunks_mut(n_seq)) {
        for (&index, slot) in of(row).iter().zip(slots) {
            assert!(
                (index as usize) < n_embeddings,
                "token {index} is not one of the model's {n_embeddings}: tokenizer and model do not match"
            );
            *slot = i64::from(index);
        }
    }
    let data = TensorData::new(indices, [rows.len(), n_seq]);
    Tensor::from_data(data, &embedding.weight.val().device())
}

/// The embeddings `[n_batch or 1, n_seq, d_model]` of each row's consecutive positions from `first` on; `lens` are
/// the lengths of the rows, whose padding may take any position.
///
/// # Panics
///
/// Panics if there are not as many positions.
pub(crate) fn learned_positions(
    embedding: &Embedding,
    first: &Counts,
    lens: &[usize],
    n_seq: usize,
) -> Tensor<3> {
    let table = embedding.weight.val();
    let [n_positions, _] = table.dims();
    let check = |needed: usize| {
        assert!(
            needed <= n_positions,
            "the sequence has {needed} positions, the model only {n_positions}"
        );
    };
    match first {
        Counts::Same(first) => {
            check(first + n_seq);
            table.slice_dim(0, *first..first + n_seq).unsqueeze()
        }
        Counts::Each(firsts) => {
            let needed = firsts.iter().zip(lens).map(|(first, len)| first + len);
            check(needed.max().unwrap_or(0));
            let last = n_positions - 1;
            let positions = firsts.iter().flat_map(|&first| first..first + n_seq);
            let positions: Vec<i64> = positions
                .map(|position| position.min(last) as i64)
                .collect();
            let positions = TensorData::new(positions, [firsts.len(), n_seq]);
            embedding.forward(Tensor::from_data(positions, &table.device()))
        }
    }
}
