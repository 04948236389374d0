//! Transposing matrices in main memory.

use burn::tensor::TensorData;

/// Rows and columns that are moved together, so that both sides stay in the cache.
const BLOCK: usize = 32;

/// The transposed matrix, of whatever element type.
///
/// # Panics
///
/// Panics if the data is no matrix.
pub(crate) fn transposed(data: TensorData) -> TensorData {
    let dtype = data.dtype();
    let [n_rows, n_columns] = data.shape().dims();
    let bytes = data.as_bytes();
    let bytes = match dtype.size() {
        2 => transposed_elements::<2>(bytes, n_rows, n_columns),
        4 => transposed_elements::<4>(bytes, n_rows, n_columns),
        8 => transposed_elements::<8>(bytes, n_rows, n_columns),
        size => panic!("no float has {size} bytes"),
    };
    TensorData::from_bytes_vec(bytes, [n_columns, n_rows], dtype)
}

fn transposed_elements<const SIZE: usize>(
    bytes: &[u8],
    n_rows: usize,
    n_columns: usize,
) -> Vec<u8> {
    let mut result = vec![0; bytes.len()];
    let from = bytes.as_chunks::<SIZE>().0;
    let to = result.as_chunks_mut::<SIZE>().0;
    for first_row in (0..n_rows).step_by(BLOCK) {
        for first_column in (0..n_columns).step_by(BLOCK) {
            for column in first_column..n_columns.min(first_column + BLOCK) {
                for row in first_row..n_rows.min(first_row + BLOCK) {
                    to[column * n_rows + row] = from[row * n_columns + column];
                }
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use burn::tensor::DType;

    use super::*;

    #[test]
    fn rows_become_columns_whatever_the_size() {
        for (n_rows, n_columns) in [(1, 1), (2, 3), (70, 33), (32, 64)] {
            let values: Vec<f32> = (0..n_rows * n_columns).map(|value| value as f32).collect();
            let swapped: Vec<f32> = (0..n_columns)
                .flat_map(|column| (0..n_rows).map(move |row| row * n_columns + column))
                .map(|value| value as f32)
                .collect();
            for dtype in [DType::F32, DType::F16, DType::F64] {
                let data = TensorData::new(values.clone(), [n_rows, n_columns]);
                let expected = TensorData::new(swapped.clone(), [n_columns, n_rows]);
                assert_eq!(
                    transposed(data.convert_dtype(dtype)),
                    expected.convert_dtype(dtype)
                );
            }
        }
    }
}
