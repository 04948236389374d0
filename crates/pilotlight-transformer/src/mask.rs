//! Which keys a query may look at, as numbers that are added to the scores.

use burn::tensor::{DType, Device, Tensor, TensorData};
use pilotlight_core::EmbeddedRow;

use crate::counts::Counts;

/// Hides later tokens, and where there is a window, all keys that are `window` or more positions before the query.
///
/// `past` keys stand in front of those of the sequence, in as many slots as the largest number of them; a row does
/// not see the slots that it does not fill. Rows are padded at their end, so that no token ever sees padding, and one
/// mask serves all rows with the same past. `None` if nothing is hidden.
///
/// # Shapes
///
/// - result: `[n_batch or 1, 1, n_seq, past.max() + n_seq]`
pub(crate) fn causal(
    n_seq: usize,
    past: &Counts,
    window: Option<usize>,
    device: &Device,
    dtype: DType,
) -> Option<Tensor<4>> {
    let n_slots = past.max();
    let n_keys = n_slots + n_seq;
    let window = window.filter(|&window| window < n_keys);
    let rows = past.as_slice();
    if n_seq == 1 && rows.len() == 1 && window.is_none() {
        return None;
    }
    let mut values = Vec::with_capacity(rows.len() * n_seq * n_keys);
    for &n_past in rows {
        for query in n_past..n_past + n_seq {
            let hidden =
                |key: usize| key > query || window.is_some_and(|window| query - key >= window);
            values.extend((0..n_slots).map(|slot| slot >= n_past || hidden(slot)));
            values.extend((n_past..n_past + n_seq).map(hidden));
        }
    }
    Some(mask(&values, [rows.len(), 1, n_seq, n_keys], device, dtype))
}

/// Hides the padding behind each row, and the slots of the past that it does not fill: `past` keys stand in front of
/// those of the sequence, in as many slots as the largest number of them. `None` if nothing is hidden.
///
/// # Shapes
///
/// - result: `[n_batch, 1, 1, past.max() + n_seq]`
pub(crate) fn padding(
    rows: &[EmbeddedRow],
    n_seq: usize,
    past: &Counts,
    device: &Device,
    dtype: DType,
) -> Option<Tensor<4>> {
    let n_slots = past.max();
    let counts = past.as_slice().iter().cycle();
    let values: Vec<bool> = rows
        .iter()
        .zip(counts)
        .flat_map(|(row, &n_past)| {
            // The first slot of an empty row stays visible: a softmax over nothing is not a number, and neither is
            // its gradient.
            let visible = row.len.max(1);
            let past = (0..n_slots).map(move |slot| slot >= n_past);
            past.chain((0..n_seq).map(move |position| position >= visible))
        })
        .collect();
    let shape = [rows.len(), 1, 1, n_slots + n_seq];
    values
        .contains(&true)
        .then(|| mask(&values, shape, device, dtype))
}

fn mask(hidden: &[bool], shape: [usize; 4], device: &Device, dtype: DType) -> Tensor<4> {
    let values = hidden.iter();
    let values: Vec<f32> = values
        .map(|&hidden| if hidden { f32::NEG_INFINITY } else { 0.0 })
        .collect();
    Tensor::from_data(TensorData::new(values, shape), (device, dtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which keys each query of each row sees.
    #[track_caller]
    fn check(n_seq: usize, past: Counts, window: Option<usize>, visible: Option<&[&str]>) {
        let device = Device::default();
        let mask = causal(n_seq, &past, window, &device, DType::F32);
        let rows = mask.map(|mask| shown(mask, past.max() + n_seq));
        let visible = visible.map(|rows| rows.iter().map(|&row| row.to_owned()).collect());
        assert_eq!(rows, visible);
    }

    fn shown(mask: Tensor<4>, n_keys: usize) -> Vec<String> {
        let values: Vec<f32> = mask.try_into_vec_as().expect("f32");
        let show = |value: &f32| if *value == 0.0 { '1' } else { '.' };
        let rows = values.chunks(n_keys);
        rows.map(|row| row.iter().map(show).collect()).collect()
    }

    fn same(n_past: usize) -> Counts {
        Counts::Same(n_past)
    }

    #[test]
    fn padding_is_hidden_behind_prefixes_and_rows() {
        let rows = [2, 0, 3].map(|len| EmbeddedRow {
            token_positions: (0..len).collect(),
            len,
            anchors: Default::default(),
        });
        let device = Device::default();
        let mask = |rows, past| padding(rows, 3, &past, &device, DType::F32);
        let of_same = mask(&rows, same(1)).expect("something is hidden");
        assert_eq!(of_same.dims(), [3, 1, 1, 4]);
        assert_eq!(shown(of_same, 4), ["111.", "11..", "1111"]);
        assert!(mask(&rows[2..], same(1)).is_none());
        let of_each = mask(&rows, Counts::Each(vec![0, 1, 2])).expect("something is hidden");
        assert_eq!(shown(of_each, 5), ["..11.", "1.1..", "11111"]);
    }

    #[test]
    fn later_tokens_are_hidden() {
        check(3, same(0), None, Some(&["1..", "11.", "111"]));
        check(2, same(2), None, Some(&["111.", "1111"]));
        check(1, same(4), None, None);
    }

    #[test]
    fn keys_before_the_window_are_hidden() {
        check(4, same(0), Some(2), Some(&["1...", "11..", ".11.", "..11"]));
        check(2, same(2), Some(2), Some(&[".11.", "..11"]));
        check(1, same(2), Some(2), Some(&[".11"]));
        check(1, same(1), Some(2), None);
        check(2, same(0), Some(2), Some(&["1.", "11"]));
    }

    #[test]
    fn a_row_sees_its_own_past_only() {
        let past = || Counts::Each(vec![2, 0, 1]);
        let rows = ["111.", "1111", "..1.", "..11", "1.1.", "1.11"];
        check(2, past(), None, Some(&rows));
        let rows = [".11.", "..11", "..1.", "..11", "1.1.", "..11"];
        check(2, past(), Some(2), Some(&rows));
        check(1, past(), None, Some(&["111", "..1", "1.1"]));
    }
}
