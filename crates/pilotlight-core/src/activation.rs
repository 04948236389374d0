//! GELU with the same gradient on every backend.

use burn::tensor::{Tensor, activation};

/// `x Phi(x)`, Phi the distribution function of the normal distribution (Hendrycks and Gimpel 2016).
///
/// Burn 0.22 takes the gradient of the tanh approximation on backends without a kernel of their own, which is up to
/// 3e-4 off. With gradients this is therefore written out: `x (1 + erf(x / sqrt(2))) / 2`.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !x.is_autodiff() {
        return activation::gelu(x);
    }
    let both = x.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0;
    x.mul_scalar(0.5) * both
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn value_and_gradient_are_those_of_the_definition() {
        let device = Device::default().autodiff();
        let x = Tensor::<1>::from_floats([-2.0, -0.5, 0.0, 1.0, 3.0], &device).require_grad();
        let y = gelu(x.clone());
        let slope = x.grad(&y.clone().sum().backward()).expect("a gradient");
        // Phi(x) of tables, and Phi(x) + x phi(x).
        let expected = [-0.045500264, -0.15426877, 0.0, 0.8413447, 2.9959502];
        let expected_slope = [-0.085231801, 0.13250488, 0.5, 1.0833155, 1.0119455];
        let close = |found: Tensor<1>, expected: [f64; 5]| {
            let found: Vec<f32> = found.into_data().try_into_vec().expect("f32");
            for (found, expected) in found.into_iter().zip(expected) {
                assert!(
                    (f64::from(found) - expected).abs() < 1e-6,
                    "{found}, {expected}"
                );
            }
        };
        close(y.inner(), expected);
        close(slope, expected_slope);
    }
}
