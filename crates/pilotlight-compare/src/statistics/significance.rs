//! Tests of a difference between two methods, and their correction for many pairs. Pure functions.

use statrs::function::beta::checked_beta_reg;

/// How likely a difference, or a larger one, would be if there were none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Verdict {
    pub(super) p_value: f64,
    pub(super) standard_error: f64,
    pub(super) degrees_of_freedom: f64,
}

/// Two-sided exact binomial test of `first` against `second` at even odds: McNemar's exact test of two classifiers,
/// with the examples that one alone got right.
pub fn mcnemar(first: usize, second: usize) -> f64 {
    let n = first + second;
    let few = first.min(second);
    if 2 * few >= n {
        return 1.0;
    }
    // log of C(n, k) / 2^n, from one k to the next, so that large n does not underflow before it must.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = log_term.exp();
    for k in 0..few {
        log_term += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
        tail += log_term.exp();
    }
    (2.0 * tail).min(1.0)
}

/// Tests if the mean of `differences[seed][example]` is zero, where seeds and examples are both drawn from more that
/// there are: a two-way layout with random seeds and random examples, as in reader studies of radiology (Dorfman,
/// Berbaum and Metz 1992; degrees of freedom by Hillis 2007).
///
/// With S seeds, N examples and the mean squares of seeds, examples and the rest
///
/// ```text
/// MS_S = N Σ_s (d_s. - d)² / (S - 1)          v = MS_R + max(MS_S - MS_R, 0) + max(MS_N - MS_R, 0)
/// MS_N = S Σ_i (d_.i - d)² / (N - 1)          t = d / sqrt(v / (S N))
/// MS_R = Σ_si (d_si - d_s. - d_.i + d)² / ((S - 1) (N - 1))
/// ν    = min((S - 1) (v / MS_S)², N - 1)
/// ```
///
/// With one seed `v = MS_N` and `ν = N - 1`: the paired t test over examples. `None` if nothing varies, or of fewer
/// than two examples.
pub(super) fn crossed(differences: &[Vec<f64>]) -> Option<Verdict> {
    let n_seeds = differences.len();
    let n_examples = differences.first()?.len();
    if n_examples < 2 {
        return None;
    }
    let (s, n) = (n_seeds as f64, n_examples as f64);
    let of_seeds: Vec<f64> = differences
        .iter()
        .map(|values| values.iter().sum::<f64>() / n)
        .collect();
    let of_examples: Vec<f64> = (0..n_examples)
        .map(|example| {
            differences
                .iter()
                .map(|values| values[example])
                .sum::<f64>()
                / s
        })
        .collect();
    let mean = of_seeds.iter().sum::<f64>() / s;
    let squares = |values: &[f64]| -> f64 { values.iter().map(|it| (it - mean).powi(2)).sum() };
    let by_example = s * squares(&of_examples) / (n - 1.0);
    let (variance, freedom) = match n_seeds {
        1 => (by_example, n - 1.0),
        _ => {
            let by_seed = n * squares(&of_seeds) / (s - 1.0);
            let rest: f64 = differences
                .iter()
                .zip(&of_seeds)
                .flat_map(|(values, of_seed)| {
                    values
                        .iter()
                        .zip(&of_examples)
                        .map(move |(value, of_example)| {
                            (value - of_seed - of_example + mean).powi(2)
                        })
                })
                .sum();
            let rest = rest / ((s - 1.0) * (n - 1.0));
            let variance = rest + (by_seed - rest).max(0.0) + (by_example - rest).max(0.0);
            let freedom = (s - 1.0) * (variance / by_seed).powi(2);
            // Without any variance between seeds it is infinite.
            (variance, if freedom < n - 1.0 { freedom } else { n - 1.0 })
        }
    };
    // What is left by rounding where all differences are the same.
    let standard_error = (variance / (s * n)).sqrt();
    if standard_error <= 1e-12 * mean.abs() || standard_error == 0.0 {
        return None;
    }
    Some(Verdict {
        p_value: student_t(mean / standard_error, freedom),
        standard_error,
        degrees_of_freedom: freedom,
    })
}

/// Two-sided tail of Student's t: `I_x(ν / 2, 1 / 2)` at `x = ν / (ν + t²)`.
fn student_t(t: f64, freedom: f64) -> f64 {
    let x = freedom / (freedom + t * t);
    checked_beta_reg(freedom / 2.0, 0.5, x).unwrap_or(1.0)
}

/// Holm's step-down correction (1979): p values that hold for all tests together, in the order of `p_values`.
///
/// The k-th smallest of m becomes the largest of `(m - j) p_j` over `j = 0..k`, at most 1. Rejecting those below `α`
/// rejects a true hypothesis, any of them, with a probability of at most `α`, however the tests depend on each other.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let n_tests = p_values.len();
    let mut order: Vec<usize> = (0..n_tests).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut corrected = vec![1.0; n_tests];
    let mut largest = 0.0_f64;
    for (rank, index) in order.into_iter().enumerate() {
        largest = largest.max((n_tests - rank) as f64 * p_values[index]);
        corrected[index] = largest.min(1.0);
    }
    corrected
}
