use burn::tensor::{Device, Tensor, TensorData};
use pilotlight_core::{Insertion, TokenRow};

use super::*;
use crate::test_support::values;

/// Inserts so many vectors of this number in front of every row, has as many keys of it in front of every layer, and
/// adds it to everything else.
#[derive(Debug)]
struct Marker {
    number: f32,
    n_vectors: usize,
}

impl Tuner for Marker {
    fn embed(&self, embedded: Embedded) -> Embedded {
        let [_, _, d_model] = embedded.embeddings.dims();
        let device = embedded.embeddings.device();
        let vectors = Tensor::full([self.n_vectors, d_model], self.number, &device);
        embedded.insert(vectors, |_| {
            vec![Insertion {
                before_token: 0,
                vectors: 0..self.n_vectors,
            }]
        })
    }

    fn prefix(&self, _layer: usize, n_batch: usize) -> Option<BatchPrefix> {
        let shape = [n_batch, 1, self.n_vectors, 1];
        let key = Tensor::full(shape, self.number, &Device::default());
        Some(KeyValue::new(key.clone(), -key).into())
    }

    fn project_head(
        &self,
        _weight: &Tensor<2>,
        rows: &[usize],
        states: &Tensor<2>,
        scores: Tensor<2>,
    ) -> Tensor<2> {
        assert_eq!(rows.len(), scores.dims()[0]);
        // Which of its own rows each state is from.
        let own = rows.iter().map(|row| *row as f32 / 10.0).collect();
        let own = TensorData::new::<f32, _>(own, [rows.len(), 1]);
        scores + states.clone() + self.number + Tensor::from_data(own, &Device::default())
    }

    fn untouched(&self, index: usize, row: &EmbeddedRow) -> usize {
        100 * index + row.len
    }
}

const ONE: Marker = Marker {
    number: 1.0,
    n_vectors: 1,
};
const TWO: Marker = Marker {
    number: 2.0,
    n_vectors: 3,
};

/// Rows of 2, 1, 3, 1 tokens whose embeddings `[4, 3, 1]` count from 10.
fn embedded() -> Embedded {
    let rows = [2, 1, 3, 1].map(|n_tokens| TokenRow::new(vec![0; n_tokens]));
    let words: Vec<f32> = (10..22).map(|number| number as f32).collect();
    let words = Tensor::from_data(TensorData::new(words, [4, 3, 1]), &Device::default());
    Embedded::new(words, &rows)
}

/// The filled slots of each row.
fn content(embedded: Embedded) -> Vec<Vec<f32>> {
    let [_, n_seq, _] = embedded.embeddings.dims();
    let slots = values(embedded.embeddings);
    let rows = embedded.rows.iter().zip(slots.chunks(n_seq));
    rows.map(|(row, slots)| slots[..row.len].to_vec()).collect()
}

fn mixed(rows: &[Option<usize>]) -> Mixed<'static> {
    Mixed::new(&[&ONE, &TWO], rows.to_vec())
}

const SCATTERED: [Option<usize>; 4] = [Some(1), None, Some(0), Some(1)];
const SORTED: [Option<usize>; 4] = [None, Some(0), Some(1), Some(1)];

#[test]
fn rows_get_the_vectors_of_their_own_tuner_and_are_padded_again() {
    let scattered = mixed(&SCATTERED).embed(embedded());
    assert_eq!(scattered.embeddings.dims(), [4, 5, 1]);
    assert_eq!(scattered.rows[2].token_positions, [1, 2, 3]);
    let expected = [
        vec![2.0, 2.0, 2.0, 10.0, 11.0],
        vec![13.0],
        vec![1.0, 16.0, 17.0, 18.0],
        vec![2.0, 2.0, 2.0, 19.0],
    ];
    assert_eq!(content(scattered), expected);

    let sorted = mixed(&SORTED).embed(embedded());
    assert_eq!(sorted.embeddings.dims(), [4, 6, 1]);
    let expected = [
        vec![10.0, 11.0],
        vec![1.0, 13.0],
        vec![2.0, 2.0, 2.0, 16.0, 17.0, 18.0],
        vec![2.0, 2.0, 2.0, 19.0],
    ];
    assert_eq!(content(sorted), expected);
}

#[test]
fn a_batch_that_got_shorter_loses_its_padding() {
    // The last row, the longest of the batch, is not among those of a tuner that inserts.
    let rows = [None, Some(0), None, Some(0)];
    let mixed = mixed(&rows).embed(embedded());
    assert_eq!(mixed.embeddings.dims(), [4, 3, 1]);
}

#[test]
fn rows_without_a_prefix_have_an_empty_one() {
    let prefix = mixed(&SCATTERED).prefix(0, 4).expect("a prefix");
    assert_eq!(prefix.lengths, [3, 0, 1, 3]);
    let keys = values(prefix.key_value.key);
    let expected = [2.0, 2.0, 2.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 2.0, 2.0, 2.0];
    assert_eq!(keys, expected);
    let negated: Vec<f32> = values(-prefix.key_value.value);
    assert_eq!(negated, expected);
    assert!(mixed(&[None, None]).prefix(0, 2).is_none());
}

#[test]
fn scores_go_to_the_tuner_of_their_row_under_its_own_numbers() {
    let device = Device::default();
    let weight = Tensor::zeros([1, 1], &device);
    let states = Tensor::from_data([[100.0], [200.0], [300.0], [400.0]], &device);
    let scores = Tensor::from_data([[0.25], [0.5], [0.75], [0.125]], &device);
    let changed = mixed(&SCATTERED).project_head(&weight, &[3, 1, 0, 3], &states, scores);
    // Row 3 is the second of its tuner, row 0 the first; row 1 has none.
    assert_eq!(values(changed), [102.35, 0.5, 302.75, 402.225]);
    let nothing = Tensor::<2>::zeros([0, 1], &device);
    let nothing = mixed(&SCATTERED).project_head(&weight, &[], &nothing.clone(), nothing);
    assert_eq!(nothing.dims(), [0, 1]);
}

#[test]
fn each_tuner_is_asked_about_its_own_rows() {
    let rows = embedded().rows;
    let untouched = |mixed: Mixed<'_>| -> Vec<usize> {
        let rows = rows.iter().enumerate();
        rows.map(|(index, row)| mixed.untouched(index, row))
            .collect()
    };
    assert_eq!(untouched(mixed(&SCATTERED)), [2, 1, 3, 101]);
    assert_eq!(untouched(mixed(&SORTED)), [2, 1, 3, 101]);
}

#[test]
#[should_panic(expected = "a row uses tuner 2 of 2")]
fn a_tuner_that_is_not_there_is_refused() {
    mixed(&[Some(2)]);
}
