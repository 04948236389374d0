use serde::Deserialize;

use super::*;

/// What scikit-learn, sacrebleu and rouge-score say; made by `tests/goldens/make_metrics.py`.
const GOLDENS: &str = include_str!("../../tests/goldens/metrics.json");

#[derive(Deserialize)]
struct Goldens {
    classes: Vec<Classes>,
    texts: Vec<Texts>,
    perplexity: Vec<[f64; 2]>,
}

#[derive(Deserialize)]
struct Classes {
    n_classes: usize,
    gold: Vec<usize>,
    predicted: Vec<usize>,
    confusion: Vec<Vec<usize>>,
    accuracy: f64,
    macro_f1: f64,
    mcc: f64,
}

#[derive(Deserialize)]
struct Texts {
    texts: Vec<String>,
    references: Vec<String>,
    bleu: f64,
    matches: [usize; 4],
    totals: [usize; 4],
    lengths: [usize; 2],
    rouge_l: Vec<f64>,
}

fn goldens() -> Goldens {
    serde_json::from_str(GOLDENS).expect("the goldens are JSON")
}

#[track_caller]
fn check(found: f64, expected: f64) {
    let bound = 1e-12 * expected.abs().max(1.0);
    assert!(
        (found - expected).abs() <= bound,
        "{found} is not {expected}"
    );
}

#[test]
fn classes_are_scored_as_scikit_learn_does() {
    for golden in goldens().classes {
        let pairs = golden.gold.into_iter().zip(golden.predicted);
        let found = ConfusionMatrix::new(golden.n_classes, pairs);
        assert_eq!(found.counts, golden.confusion);
        check(found.accuracy(), golden.accuracy);
        check(found.macro_f1(), golden.macro_f1);
        check(found.mcc(), golden.mcc);
    }
    let nothing = ConfusionMatrix::new(2, []);
    assert_eq!(
        (nothing.accuracy(), nothing.macro_f1(), nothing.mcc()),
        (0.0, 0.0, 0.0)
    );
    assert_eq!(nothing.f1(), [None, None]);
}

#[test]
fn texts_are_scored_as_sacrebleu_and_rouge_score_do() {
    for golden in goldens().texts {
        let mut corpus = BleuCounts::default();
        let pairs = golden.texts.iter().zip(&golden.references);
        for ((text, reference), expected) in pairs.zip(golden.rouge_l) {
            corpus += BleuCounts::new(text, reference);
            check(rouge_l(text, reference), expected);
        }
        assert_eq!(corpus.matches, golden.matches, "{:?}", golden.texts);
        assert_eq!(corpus.totals, golden.totals, "{:?}", golden.texts);
        assert_eq!([corpus.n_tokens, corpus.n_reference], golden.lengths);
        check(corpus.score(), golden.bleu);
    }
    assert_eq!(BleuCounts::default().score(), 0.0);
}

#[test]
fn perplexity_is_that_of_numpy() {
    for [loss, expected] in goldens().perplexity {
        check(perplexity(loss) / expected, 1.0);
    }
}
