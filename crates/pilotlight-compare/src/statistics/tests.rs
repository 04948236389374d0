use serde::Deserialize;

use super::*;

/// What numpy, scipy and scikit-learn say; made by `tests/goldens/make_statistics.py`.
const GOLDENS: &str = include_str!("../../tests/goldens/statistics.json");

#[derive(Deserialize)]
struct Goldens {
    majority: Vec<Majority>,
    intervals: Vec<Bootstrapped>,
    described: Vec<Described>,
    mcnemar: Vec<McNemar>,
}

#[derive(Deserialize)]
struct Majority {
    train: Vec<usize>,
    test: Vec<usize>,
    accuracy: f64,
}

#[derive(Deserialize)]
struct Bootstrapped {
    n: usize,
    hits: usize,
    confidence: f64,
    exact: [f64; 2],
    scipy: [f64; 2],
}

#[derive(Deserialize)]
struct Described {
    values: Vec<f64>,
    mean: f64,
    standard_deviation: f64,
    median: f64,
    quantiles: Vec<[f64; 2]>,
}

#[derive(Deserialize)]
struct McNemar {
    first_only: usize,
    second_only: usize,
    p_value: f64,
}

fn goldens() -> Goldens {
    serde_json::from_str(GOLDENS).expect("the goldens are JSON")
}

#[track_caller]
fn check(found: Option<f64>, expected: f64) {
    let found = found.expect("a value");
    let bound = 1e-12 * expected.abs().max(1e-300);
    assert!(
        (found - expected).abs() <= bound.max(1e-15),
        "{found} is not {expected}"
    );
}

#[test]
fn the_majority_is_that_of_the_training_examples() {
    for golden in goldens().majority {
        check(
            majority_accuracy(&golden.train, &golden.test),
            golden.accuracy,
        );
    }
}

#[test]
fn bootstrap_intervals_are_those_of_scipy_up_to_the_draw() {
    for golden in goldens().intervals {
        let correct: Vec<bool> = (0..golden.n).map(|index| index < golden.hits).collect();
        let interval =
            bootstrap_accuracy(&correct, 10_000, golden.confidence, 5).expect("examples");
        check(Some(interval.value), golden.hits as f64 / golden.n as f64);
        // With 10,000 resamples an end lies within one example of the limit.
        let step = 1.0 / golden.n as f64 + 1e-9;
        let ends = [interval.low, interval.high];
        for (end, (exact, scipy)) in ends.iter().zip(golden.exact.iter().zip(golden.scipy)) {
            assert!((end - exact).abs() <= step, "{end} is not {exact}");
            assert!((end - scipy).abs() <= step, "{end} is not {scipy}");
        }
    }
}

#[test]
fn a_seed_decides_the_resamples() {
    let correct = [true, false, true, true, false, true, true];
    let interval = |seed| bootstrap_accuracy(&correct, 50, 0.9, seed);
    assert_eq!(interval(1), interval(1));
    assert_ne!(interval(1), interval(2));
}

#[test]
fn means_deviations_and_quantiles_are_those_of_numpy() {
    for golden in goldens().described {
        check(mean(&golden.values), golden.mean);
        check(
            standard_deviation(&golden.values),
            golden.standard_deviation,
        );
        check(median(&golden.values), golden.median);
        let ascending = sorted(&golden.values);
        for [share, value] in golden.quantiles {
            check(quantile(&ascending, share), value);
        }
    }
}

#[test]
fn the_sign_test_is_exact() {
    for golden in goldens().mcnemar {
        let found = sign_test(golden.first_only, golden.second_only);
        let error = (found - golden.p_value).abs();
        assert!(
            error <= 1e-9 * golden.p_value,
            "{found} is not {}",
            golden.p_value
        );
    }
}

#[test]
fn a_paired_comparison_counts_where_methods_differ() {
    let first = [true, true, false, true, false];
    let second = [true, false, false, false, true];
    let found = paired(&first, &second, 100, 0.95, 1).expect("the same examples");
    assert_eq!((found.first_only, found.second_only), (2, 1));
    assert!((found.difference.value - 0.2).abs() < 1e-12);
    assert!(found.difference.low <= 0.2 && found.difference.high >= 0.2);
    assert_eq!(paired(&first, &second[1..], 100, 0.95, 1), None);
}

#[test]
fn of_nothing_there_is_nothing_to_say() {
    assert_eq!(accuracy(&[]), None);
    assert_eq!(mean(&[]), None);
    assert_eq!(standard_deviation(&[1.0]), None);
    assert_eq!(median(&[]), None);
    assert_eq!(majority_accuracy(&[], &[1]), None);
    assert_eq!(bootstrap_accuracy(&[], 10, 0.95, 1), None);
}
