//! Keys and values that a model's attention has beside those of its input.

use burn::tensor::{Int, Tensor, TensorData, assert_shape};

/// Keys and values of one layer's attention.
#[derive(Debug, Clone)]
pub struct KeyValue {
    /// Keys `[n_batch, n_kv_heads, n_seq, d_head]`.
    pub key: Tensor<4>,
    /// Values `[n_batch, n_kv_heads, n_seq, d_head]`.
    pub value: Tensor<4>,
}

impl KeyValue {
    /// Keys and values of the same shape.
    ///
    /// # Panics
    ///
    /// Panics if the shapes differ.
    pub fn new(key: Tensor<4>, value: Tensor<4>) -> Self {
        let [n_batch, n_kv_heads, n_seq, d_head] = key.dims();
        assert_shape!(value, [n_batch, n_kv_heads, n_seq, d_head]);
        Self { key, value }
    }

    /// `self` with `later` behind it along the sequence.
    pub fn append(self, later: Self) -> Self {
        Self::new(
            Tensor::cat(vec![self.key, later.key], 2),
            Tensor::cat(vec![self.value, later.value], 2),
        )
    }
}

/// Keys and values in front of the rows of a batch.
#[derive(Debug, Clone)]
pub struct BatchPrefix {
    /// Keys and values `[n_batch, n_kv_heads, n_prefix, d_head]`.
    pub key_value: KeyValue,
    /// How many of the `n_prefix` slots each row has; those behind them are padding of unspecified (finite) content,
    /// which a model hides.
    pub lengths: Vec<usize>,
}

impl From<KeyValue> for BatchPrefix {
    /// The same number for every row.
    fn from(key_value: KeyValue) -> Self {
        let [n_batch, _, n_prefix, _] = key_value.key.dims();
        Self {
            key_value,
            lengths: vec![n_prefix; n_batch],
        }
    }
}

impl BatchPrefix {
    /// `self` with `later` behind it in each row.
    ///
    /// # Panics
    ///
    /// Panics if the two are not of as many rows.
    pub fn append(self, later: Self) -> Self {
        let slots = |prefix: &Self| prefix.key_value.key.dims()[2];
        let (n_first, n_later) = (slots(&self), slots(&later));
        let lengths = self.lengths.iter().zip(&later.lengths);
        let total: Vec<usize> = lengths
            .clone()
            .map(|(first, later)| first + later)
            .collect();
        let contiguous = self.lengths.iter().all(|length| *length == n_first);
        let order: Vec<i64> = lengths
            .flat_map(|(first, last)| {
                let used = (0..*first).chain(n_first..n_first + last);
                let padding = (*first..n_first).chain(n_first + last..n_first + n_later);
                used.chain(padding)
            })
            .map(|slot| slot as i64)
            .collect();
        let KeyValue { key, value } = self.key_value.append(later.key_value);
        if contiguous {
            let key_value = KeyValue { key, value };
            return Self {
                key_value,
                lengths: total,
            };
        }
        let [n_batch, n_kv_heads, n_slots, d_head] = key.dims();
        let order = TensorData::new(order, [n_batch, 1, n_slots, 1]);
        let order = Tensor::<4, Int>::from_data(order, &key.device());
        let order = order.expand([n_batch, n_kv_heads, n_slots, d_head]);
        Self {
            key_value: KeyValue::new(key.gather(2, order.clone()), value.gather(2, order)),
            lengths: total,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// One head of width 1 whose keys are the given numbers, and whose values their negatives.
    fn prefix<const N: usize>(keys: [[f32; N]; 2], lengths: [usize; 2]) -> BatchPrefix {
        let key = Tensor::<2>::from_data(keys, &Device::default()).reshape([2, 1, N, 1]);
        BatchPrefix {
            key_value: KeyValue::new(key.clone(), -key),
            lengths: lengths.into(),
        }
    }

    #[track_caller]
    fn check(prefix: &BatchPrefix, expected: [&[f32]; 2]) {
        let [_, _, n_slots, _] = prefix.key_value.key.dims();
        let keys: Vec<f32> = prefix.key_value.key.clone().try_into_vec_as().expect("f32");
        let values: Vec<f32> = prefix
            .key_value
            .value
            .clone()
            .try_into_vec_as()
            .expect("f32");
        for (index, expected) in expected.into_iter().enumerate() {
            assert_eq!(prefix.lengths[index], expected.len());
            let row = index * n_slots..index * n_slots + expected.len();
            assert_eq!(keys[row.clone()], *expected);
            assert!(
                values[row]
                    .iter()
                    .zip(expected)
                    .all(|(value, key)| *value == -key)
            );
        }
    }

    #[test]
    fn a_later_prefix_stands_behind_the_earlier_one_in_every_row() {
        let full = || prefix([[1.0, 2.0], [3.0, 4.0]], [2, 2]);
        let ragged = || prefix([[5.0, 6.0, 0.0], [7.0, 8.0, 9.0]], [2, 3]);
        check(
            &full().append(ragged()),
            [&[1.0, 2.0, 5.0, 6.0], &[3.0, 4.0, 7.0, 8.0, 9.0]],
        );
        check(
            &ragged().append(full()),
            [&[5.0, 6.0, 1.0, 2.0], &[7.0, 8.0, 9.0, 3.0, 4.0]],
        );
        let none = prefix([[0.0], [0.0]], [0, 1]);
        check(&none.append(ragged()), [&[5.0, 6.0], &[0.0, 7.0, 8.0, 9.0]]);
    }
}
