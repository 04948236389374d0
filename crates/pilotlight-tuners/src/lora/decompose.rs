//! Decompositions of matrices, in double precision on the CPU: the same bits on every backend.

use burn::tensor::TensorData;
use nalgebra::{DMatrix, SymmetricEigen};

/// The values of an f32 tensor `[n_rows, n_columns]`.
pub(super) fn matrix(data: TensorData) -> DMatrix<f64> {
    let [n_rows, n_columns] = data.shape().dims();
    let values: Vec<f32> = data.try_into_vec().expect("taken as f32");
    let values = values.into_iter().map(f64::from);
    DMatrix::from_row_iterator(n_rows, n_columns, values)
}

/// The matrix as an f32 tensor `[n_rows, n_columns]`.
pub(super) fn data(matrix: &DMatrix<f64>) -> TensorData {
    let (n_rows, n_columns) = matrix.shape();
    // Its columns follow each other in memory, and so do the rows of its transpose.
    let turned = matrix.transpose();
    let values: Vec<f32> = turned.iter().map(|value| *value as f32).collect();
    TensorData::new(values, [n_rows, n_columns])
}

/// The factors `U sqrt(S)` `[n_rows, rank]` and `sqrt(S) V^T` `[rank, n_columns]` of the largest singular values S;
/// `None` if the numbers of the matrix are not finite.
///
/// The singular values are the roots of the eigenvalues of `W W^T` or `W^T W`, whichever is smaller. Squaring costs
/// digits of the small ones alone.
pub(super) fn principal(matrix: &DMatrix<f64>, rank: usize) -> Option<[DMatrix<f64>; 2]> {
    if !matrix.iter().all(|value| value.is_finite()) {
        return None;
    }
    if matrix.nrows() > matrix.ncols() {
        let [a, b] = principal(&matrix.transpose(), rank)?;
        return Some([b.transpose(), a.transpose()]);
    }
    let eigen = SymmetricEigen::new(matrix * matrix.transpose());
    let mut order: Vec<usize> = (0..matrix.nrows()).collect();
    order.sort_by(|one, other| eigen.eigenvalues[*other].total_cmp(&eigen.eigenvalues[*one]));
    let largest = eigen.eigenvalues[order[0]];
    let mut left = DMatrix::zeros(matrix.nrows(), rank);
    let mut inverse_roots = Vec::with_capacity(rank);
    for (index, from) in order.into_iter().take(rank).enumerate() {
        let eigenvalue = eigen.eigenvalues[from];
        // Below is nothing but rounding.
        let root = match eigenvalue > largest * 1e-14 {
            true => eigenvalue.sqrt().sqrt(),
            false => 0.0,
        };
        left.set_column(index, &(eigen.eigenvectors.column(from) * root));
        inverse_roots.push(match root > 0.0 {
            true => root.powi(2).recip(),
            false => 0.0,
        });
    }
    let mut right = left.transpose() * matrix;
    for (index, inverse) in inverse_roots.into_iter().enumerate() {
        right.row_mut(index).scale_mut(inverse);
    }
    Some([left, right])
}

/// The first `rank` columns of Q and rows of R of a matrix `Q R`.
pub(super) fn orthogonal_triangular(matrix: &DMatrix<f64>, rank: usize) -> [DMatrix<f64>; 2] {
    // The first columns of Q depend on the first columns of the matrix alone.
    let q = matrix.columns(0, rank).into_owned().qr().q();
    let r = q.transpose() * matrix;
    [q, r]
}
