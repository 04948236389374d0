//! Parameters that learn at rates of their own.

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};
use pilotlight_train::{OptimizerKind, TrainConfig, TrainError, Tuned, Unobserved};
use serde_json::{Value, json};

use crate::common::{completions, run, run_once, tuned};

fn lora_plus(ratio: f64) -> Value {
    json!({ "method": "lora", "rank": 2, "plus_ratio": ratio })
}

fn config() -> TrainConfig {
    TrainConfig {
        steps: Some(1),
        batch_size: 8,
        optimizer: OptimizerKind::Sgd,
        weight_decay: 0.0,
        learning_rate: 0.5,
        shuffle: false,
        ..TrainConfig::default()
    }
}

/// The values of all parameters of the tuner.
fn values(tuned: &Tuned) -> Vec<Vec<f32>> {
    struct Values(Vec<Vec<f32>>);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = param.val().try_into_vec_as::<f32>();
            self.0.push(values.expect("f32"));
        }
    }
    let mut values = Values(Vec::new());
    tuned.tuner.visit(&mut values);
    values.0
}

#[test]
fn lora_plus_steps_further_with_b_and_no_further_with_a() {
    let changes = |ratio: f64| -> Vec<Vec<f32>> {
        let untrained = tuned(lora_plus(ratio));
        let before = values(&untrained);
        let trained = run_once(untrained, &completions(), &config()).tuned;
        let pairs = values(&trained).into_iter().zip(before);
        pairs
            .map(|(after, before)| after.iter().zip(&before).map(|(a, b)| a - b).collect())
            .collect()
    };
    // The first step leaves A alone, as long as B is zero.
    let (plain, plus) = (changes(1.0), changes(4.0));
    let mut n_changed = 0;
    for (plain, plus) in plain.iter().zip(&plus) {
        n_changed += usize::from(plain.iter().any(|change| *change != 0.0));
        for (plain, plus) in plain.iter().zip(plus) {
            assert!((4.0 * plain - plus).abs() < 1e-6, "{plus} and {plain}");
        }
    }
    assert_eq!(2 * n_changed, plain.len(), "every other one is a B");
}

#[test]
fn a_run_goes_on_at_the_rates_that_it_had() {
    let folder = tempfile::tempdir().expect("a folder");
    let go = |ratio: f64, resume: bool| {
        let tuned = tuned(lora_plus(ratio));
        let config = config();
        run(
            tuned,
            &completions(),
            &config,
            folder.path(),
            resume,
            &mut Unobserved,
        )
    };
    go(4.0, false).expect("a run");
    match go(8.0, true).expect_err("another run") {
        error @ TrainError::OtherRun { .. } => {
            let error = error.to_string();
            assert!(error.contains("learning-rate factors"), "{error}");
            assert!(
                error.contains("\"4\"") && error.contains("\"8\""),
                "{error}"
            );
        }
        other => panic!("{other}"),
    }
    go(4.0, true).expect("the same run");
}
