//! Which keys a query may look at, as numbers that are added to the scores.

use burn::tensor::{DType, Device, Tensor, TensorData};
use pilotlight_core::EmbeddedRow;

/// Hides later tokens, and where there is a window, all keys that are `window` or more positions before the query.
///
/// Rows are padded at their end, so that no token ever sees padding, and one mask serves all rows. `n_past` keys
/// stand in front of those of the sequence. `None` if nothing is hidden.
///
/// # Shapes
///
/// - result: `[1, 1, n_seq, n_past + n_seq]`
pub(crate) fn causal(
    n_seq: usize,
    n_past: usize,
    window: Option<usize>,
    device: &Device,
    dtype: DType,
) -> Option<Tensor<4>> {
    let n_keys = n_past + n_seq;
    let window = window.filter(|&window| window < n_keys);
    if n_seq == 1 && window.is_none() {
        return None;
    }
    let values: Vec<f32> = (n_past..n_keys)
        .flat_map(|query| {
            (0..n_keys).map(move |key| {
                let hidden = key > query || window.is_some_and(|window| query - key >= window);
                if hidden { f32::NEG_INFINITY } else { 0.0 }
            })
        })
        .collect();
    let data = TensorData::new(values, [1, 1, n_seq, n_keys]);
    Some(Tensor::from_data(data, (device, dtype)))
}

/// Hides the padding behind each row; `n_past` keys stand in front of those of the sequence. `None` if nothing is hidden.
///
/// # Shapes
///
/// - result: `[n_batch, 1, 1, n_past + n_seq]`
pub(crate) fn padding(
    rows: &[EmbeddedRow],
    n_seq: usize,
    n_past: usize,
    device: &Device,
    dtype: DType,
) -> Option<Tensor<4>> {
    // The first slot of an empty row stays visible: a softmax over nothing is not a number, and neither is its gradient.
    let visible = |row: &EmbeddedRow| n_past + row.len.max(1);
    let n_keys = n_past + n_seq;
    if rows.iter().all(|row| visible(row) >= n_keys) {
        return None;
    }
    let values: Vec<f32> = rows
        .iter()
        .flat_map(|row| {
            let visible = visible(row);
            (0..n_keys).map(move |key| {
                if key < visible {
                    0.0
                } else {
                    f32::NEG_INFINITY
                }
            })
        })
        .collect();
    let data = TensorData::new(values, [rows.len(), 1, 1, n_keys]);
    Some(Tensor::from_data(data, (device, dtype)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(n_seq: usize, n_past: usize, window: Option<usize>, visible: Option<&[&str]>) {
        let device = Device::default();
        let mask = causal(n_seq, n_past, window, &device, DType::F32);
        let rows = mask.map(|mask| {
            let values: Vec<f32> = mask.try_into_vec_as().expect("f32");
            let show = |value: &f32| if *value == 0.0 { '1' } else { '.' };
            let rows = values.chunks(n_past + n_seq);
            rows.map(|row| row.iter().map(show).collect::<String>())
                .collect::<Vec<_>>()
        });
        let visible = visible.map(|rows| rows.iter().map(|&row| row.to_owned()).collect());
        assert_eq!(rows, visible);
    }

    #[test]
    fn padding_is_hidden_behind_prefixes_and_rows() {
        let rows = [2, 0, 3].map(|len| EmbeddedRow {
            token_positions: (0..len).collect(),
            len,
            anchors: Default::default(),
        });
        let device = Device::default();
        let mask = padding(&rows, 3, 1, &device, DType::F32).expect("something is hidden");
        assert_eq!(mask.dims(), [3, 1, 1, 4]);
        let values: Vec<f32> = mask.try_into_vec_as().expect("f32");
        let visible = values.iter().map(|value| *value == 0.0);
        let expected = [
            [true, true, true, false],
            [true, true, false, false],
            [true; 4],
        ];
        assert!(visible.eq(expected.into_iter().flatten()));
        assert!(padding(&rows[2..], 3, 1, &device, DType::F32).is_none());
    }

    #[test]
    fn later_tokens_are_hidden() {
        check(3, 0, None, Some(&["1..", "11.", "111"]));
        check(2, 2, None, Some(&["111.", "1111"]));
        check(1, 4, None, None);
    }

    #[test]
    fn keys_before_the_window_are_hidden() {
        check(4, 0, Some(2), Some(&["1...", "11..", ".11.", "..11"]));
        check(2, 2, Some(2), Some(&[".11.", "..11"]));
        check(1, 2, Some(2), Some(&[".11"]));
        check(1, 1, Some(2), None);
        check(2, 0, Some(2), Some(&["1.", "11"]));
    }
}
