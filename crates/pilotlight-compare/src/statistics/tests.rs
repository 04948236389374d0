use serde::Deserialize;

mod pairs;

use super::{descriptive::sorted, *};

/// What numpy, scipy, scikit-learn and statsmodels say; made by `tests/goldens/make_statistics.py`.
const GOLDENS: &str = include_str!("../../tests/goldens/statistics.json");

#[derive(Deserialize)]
struct Goldens {
    majority: Vec<Majority>,
    intervals: Vec<Bootstrapped>,
    described: Vec<Described>,
    mcnemar: Vec<McNemar>,
    summaries: Vec<Summarized>,
    pairs: Vec<Paired>,
    holm: Vec<Holm>,
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

#[derive(Deserialize)]
struct Summarized {
    values: Vec<Vec<f64>>,
    mean: f64,
    deviation: f64,
    interval: [f64; 2],
}

#[derive(Deserialize)]
struct Paired {
    first: Vec<Vec<f64>>,
    second: Vec<Vec<f64>>,
    mean: f64,
    interval: [f64; 2],
    p_value: f64,
}

#[derive(Deserialize)]
struct Holm {
    p_values: Vec<f64>,
    corrected: Vec<f64>,
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

fn bootstrap(seed: u64) -> Bootstrap {
    Bootstrap {
        resamples: 10_000,
        confidence: 0.95,
        seed,
    }
}

/// Runs of seeds 1, 2 and so on, on examples 0, 1 and so on.
fn runs(values: &[Vec<f64>]) -> Vec<SeedOutcomes> {
    let run = |(seed, values): (u64, &Vec<f64>)| SeedOutcomes {
        seed: Some(seed),
        examples: (0..values.len()).collect(),
        values: values.clone(),
    };
    (1..).zip(values).map(run).collect()
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
        let bootstrap = Bootstrap {
            confidence: golden.confidence,
            ..bootstrap(5)
        };
        let interval = bootstrap_accuracy(&correct, &bootstrap).expect("examples");
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
fn intervals_over_seeds_and_examples_are_those_of_numpy_up_to_the_draw() {
    for golden in goldens().summaries {
        let found = summarize(&runs(&golden.values), &bootstrap(2)).expect("runs");
        check(Some(found.mean.value), golden.mean);
        check(found.deviation, golden.deviation);
        assert_eq!(found.n_seeds, golden.values.len());
        near(found.mean, golden.interval);
    }
}

/// Whether the ends are those of 40,000 other resamples.
#[track_caller]
fn near(interval: Interval, ends: [f64; 2]) {
    let width = ends[1] - ends[0];
    for (found, expected) in [interval.low, interval.high].iter().zip(ends) {
        let bound = 0.04 * width;
        assert!(
            (found - expected).abs() < bound,
            "{found} is not {expected}"
        );
    }
}

#[test]
fn seeds_with_examples_of_their_own_are_drawn_with_them() {
    let mut runs = runs(&[vec![1.0; 40], vec![0.0; 40]]);
    let shared = summarize(&runs, &bootstrap(1)).expect("runs");
    runs[1].examples = (40..90).collect();
    runs[1].values = vec![0.0; 50];
    let own = summarize(&runs, &bootstrap(1)).expect("runs");
    assert_eq!(examples(&runs), Examples::Own(vec![40, 50]));
    // Both seeds are the first in a quarter of the resamples, the second in another.
    for found in [shared, own] {
        assert_eq!((found.mean.low, found.mean.high), (0.0, 1.0));
        assert_eq!(found.mean.value, 0.5);
    }
}

#[test]
fn a_seed_decides_the_resamples() {
    let correct = [true, false, true, true, false, true, true];
    let interval = |seed| {
        let few = Bootstrap {
            resamples: 50,
            ..bootstrap(seed)
        };
        bootstrap_accuracy(&correct, &few)
    };
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
fn of_nothing_there_is_nothing_to_say() {
    assert_eq!(accuracy(&[]), None);
    assert_eq!(mean(&[]), None);
    assert_eq!(standard_deviation(&[1.0]), None);
    assert_eq!(median(&[]), None);
    assert_eq!(majority_accuracy(&[], &[1]), None);
    assert_eq!(bootstrap_accuracy(&[], &bootstrap(1)), None);
    assert_eq!(summarize(&[], &bootstrap(1)), None);
    assert!(compare_all(&[], &bootstrap(1)).is_empty());
}
