//! Tests of differences.

use rand::RngExt;

use super::*;

#[test]
fn mcnemar_is_exact() {
    for golden in goldens().mcnemar {
        let found = mcnemar(golden.first_only, golden.second_only);
        let error = (found - golden.p_value).abs();
        assert!(
            error <= 1e-9 * golden.p_value,
            "{found} is not {}",
            golden.p_value
        );
    }
    assert_eq!(mcnemar(0, 0), 1.0);
}

#[test]
fn corrections_are_those_of_statsmodels() {
    for golden in goldens().holm {
        let found = holm(&golden.p_values);
        assert_eq!(found.len(), golden.corrected.len());
        for (found, expected) in found.into_iter().zip(golden.corrected) {
            check(Some(found), expected);
        }
    }
    assert!(holm(&[]).is_empty());
}

#[test]
fn differences_over_seeds_are_tested_as_scipy_and_statsmodels_do() {
    for golden in goldens().pairs {
        let (first, second) = (runs(&golden.first), runs(&golden.second));
        let found = compare_all(&[&first, &second], &bootstrap(3));
        let [found] = found.as_slice() else {
            panic!("one pair");
        };
        let bound = 1e-9 * golden.p_value;
        assert!(
            (found.p_value - golden.p_value).abs() <= bound,
            "{} is not {}",
            found.p_value,
            golden.p_value
        );
        assert_eq!(found.corrected_p_value, found.p_value);
        assert_eq!(found.is_tie, golden.p_value >= 0.05);
        assert!((found.difference.value - golden.mean).abs() < 1e-12);
        near(found.difference, golden.interval);
        let expected = match golden.first.len() {
            1 => PairTest::PairedT,
            _ => PairTest::Crossed,
        };
        assert_eq!(found.test, expected);
    }
}

#[test]
fn one_seed_of_right_and_wrong_has_the_exact_test() {
    let values = |right: std::ops::Range<usize>| {
        let value = |example| f64::from(u8::from(right.contains(&example)));
        runs(&[(0..40).map(value).collect()])
    };
    let found = compare_all(&[&values(0..32), &values(10..33)], &bootstrap(1)).swap_remove(0);
    assert_eq!(found.test, PairTest::McNemar);
    assert_eq!((found.first_better, found.second_better), (10, 1));
    assert_eq!(found.p_value, mcnemar(10, 1));
    assert!(!found.is_tie && found.difference.low > 0.0);
}

/// Methods of equal worth, but for the first, whose answers are right where `best` says so.
fn methods(best: f64) -> Vec<Vec<SeedOutcomes>> {
    let mut random = bootstrap(9).random();
    let mut method = |share: f64| {
        let mut run = || {
            let right = |_| f64::from(u8::from(random.random::<f64>() < share));
            (0..100).map(right).collect()
        };
        runs(&[run(), run(), run(), run(), run()])
    };
    vec![method(best), method(0.6), method(0.6), method(0.6)]
}

#[test]
fn all_pairs_are_compared_and_wins_within_noise_are_ties() {
    let methods = methods(0.9);
    let methods: Vec<&[SeedOutcomes]> = methods.iter().map(Vec::as_slice).collect();
    let found = compare_all(&methods, &bootstrap(1));
    let pairs: Vec<_> = found.iter().map(|it| (it.first, it.second)).collect();
    assert_eq!(pairs, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]);
    for comparison in &found {
        assert_eq!(comparison.is_tie, comparison.first > 0, "{comparison:?}");
        assert!(comparison.corrected_p_value >= comparison.p_value);
        assert_eq!((comparison.n_seeds, comparison.n_examples), (5, 100));
        assert_eq!(comparison.n_pairs, 6);
    }
    // The smallest is corrected for all pairs.
    let smallest = found.iter().map(|it| it.p_value).fold(1.0, f64::min);
    let corrected = found.iter().map(|it| it.corrected_p_value);
    assert!((corrected.fold(1.0, f64::min) - 6.0 * smallest).abs() < 1e-15);
}

#[test]
fn methods_meet_on_the_examples_and_seeds_that_they_share() {
    let mut first = runs(&[vec![1.0, 0.0, 1.0, 1.0], vec![1.0, 1.0, 1.0, 0.0]]);
    let mut second = runs(&[vec![0.0, 0.0, 1.0], vec![0.0, 0.0, 0.0]]);
    // In another order, without the first example.
    for run in &mut second {
        run.examples = vec![3, 2, 1];
    }
    second[1].seed = Some(7);
    let found = compare_all(&[&first, &second], &bootstrap(1)).swap_remove(0);
    assert_eq!((found.n_seeds, found.n_examples), (1, 3));
    // 0, 1, 1 against 1, 0, 0.
    assert_eq!((found.first_better, found.second_better), (2, 1));

    // What no seed changes stands beside every seed.
    let mut untrained = runs(&[vec![0.0, 0.0, 1.0, 0.0]]);
    untrained[0].seed = None;
    let found = compare_all(&[&first, &untrained], &bootstrap(1)).swap_remove(0);
    assert_eq!((found.n_seeds, found.test), (2, PairTest::Crossed));

    first.iter_mut().for_each(|run| run.seed = Some(8));
    assert!(compare_all(&[&first, &second], &bootstrap(1)).is_empty());
    untrained[0].examples = vec![10, 11, 12, 13];
    assert!(compare_all(&[&first, &untrained], &bootstrap(1)).is_empty());
}

#[test]
fn what_never_varies_is_decided_by_the_number_of_examples() {
    let [ones, zeros] = [1.0, 0.0].map(|value| runs(&vec![vec![value; 30]; 3]));
    let found = compare_all(&[&ones, &zeros], &bootstrap(1)).swap_remove(0);
    assert_eq!(found.p_value, mcnemar(30, 0));
    let found = compare_all(&[&ones, &ones], &bootstrap(1)).swap_remove(0);
    assert_eq!((found.p_value, found.is_tie), (1.0, true));
}

/// Of methods that are alike, whose seeds however matter, few are told apart; a test of the examples alone finds
/// "significant" differences in a third of all comparisons.
#[test]
fn seeds_that_matter_are_not_taken_for_a_difference() {
    let mut random = bootstrap(4).random();
    let mut normal = || {
        // Irwin and Hall: nearly normal, with variance 1.
        (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
    };
    let (mut by_seeds, mut by_examples) = (0, 0);
    for _ in 0..300 {
        let hard: Vec<f64> = (0..200).map(|_| normal()).collect();
        let mut method = || {
            let mut run = || {
                let luck = 0.2 * normal();
                let right = |hard: &f64| f64::from(u8::from(hard + luck + 0.5 * normal() > 0.0));
                hard.iter().map(right).collect::<Vec<f64>>()
            };
            runs(&[run(), run(), run(), run(), run()])
        };
        let (first, second) = (method(), method());
        let few = Bootstrap {
            resamples: 1,
            ..bootstrap(1)
        };
        let found = compare_all(&[&first, &second], &few).swap_remove(0);
        by_seeds += usize::from(found.p_value < 0.05);
        by_examples += usize::from(mcnemar(found.first_better, found.second_better) < 0.05);
    }
    assert!(by_seeds <= 27, "{by_seeds} of 300");
    assert!(by_examples >= 75, "{by_examples} of 300");
}
