//! Probabilities of answers and of classes, against the model's own logits.

use burn::tensor::activation::log_softmax;
use pilotlight_core::TokenRow;
use pilotlight_data::{Pooling, TaskData};
use pilotlight_train::{
    TrainConfig, Tuned, Unobserved, choice_logprobs, class_logprobs, evaluate, load_tuned,
    save_tuned,
};
use pilotlight_tuners::{BaseInfo, TaskType};

use crate::common::{
    self, completions, labels, row, run_once, soft_prompt, texts, train_losses, tuned, untuned,
};

/// The log-probability of an answer token by token, each in a forward of its own.
fn one_by_one(tuned: &Tuned, prompt: &TokenRow, answer: &[u32]) -> f64 {
    let mut row = prompt.clone();
    row.anchors.answer = Some(row.ids.len());
    let mut sum = 0.0;
    for &token in answer {
        let hidden = tuned.base.forward(std::slice::from_ref(&row), &tuned.tuner);
        let last = [(0, hidden.rows[0].len - 1)];
        let logprobs = log_softmax(tuned.base.logits_at(&hidden, &last, &tuned.tuner), 1);
        let values: Vec<f32> = logprobs.try_into_vec_as().expect("f32");
        sum += f64::from(values[token as usize]);
        row.ids.push(token);
    }
    sum
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() < 1e-4,
        "{found} instead of {expected}"
    );
}

#[test]
fn choices_have_the_probabilities_of_their_tokens() {
    let choices = [vec![5], vec![6, 7, 8], vec![6, 9], vec![6, 7], vec![30]];
    let behind = serde_json::json!({
        "method": "soft-prompt", "prompt_length": 2, "init": "random", "placement": "after"
    });
    for tuner in [untuned(), soft_prompt(), behind] {
        let tuned = tuned(tuner);
        let found = choice_logprobs(&tuned, &row(4), &choices).expect("scores");
        for (choice, found) in choices.iter().zip(found) {
            assert_close(found, one_by_one(&tuned, &row(4), choice));
        }
    }
    let tuned = tuned(untuned());
    assert!(
        choice_logprobs(&tuned, &row(4), &[])
            .expect("none")
            .is_empty()
    );
    let nothing = TokenRow::default();
    assert!(choice_logprobs(&tuned, &nothing, &choices).is_err());
    let prompted = common::tuned(soft_prompt());
    let found = choice_logprobs(&prompted, &nothing, &choices).expect("the vectors stand in front");
    for (choice, found) in choices.iter().zip(found) {
        assert_close(found, one_by_one(&prompted, &nothing, choice));
    }
    assert!(choice_logprobs(&tuned, &row(4), &[vec![]]).is_err());
    assert!(class_logprobs(&tuned, &[row(4)], None, 1).is_err());
}

#[test]
fn a_class_is_as_probable_as_its_words_together() {
    let tuned = tuned(soft_prompt());
    let words: [&[&[u32]]; 2] = [&[&[5], &[9, 10]], &[&[6, 7]]];
    let data = labels(words);
    let inputs: Vec<TokenRow> = (0..5).map(row).collect();
    let found = class_logprobs(&tuned, &inputs, data.verbalizer.as_ref(), 3).expect("scores");
    for (input, found) in inputs.iter().zip(found) {
        for (words, found) in words.iter().zip(found) {
            let of_words = words
                .iter()
                .map(|word| one_by_one(&tuned, input, word).exp());
            assert_close(found, of_words.sum::<f64>().ln());
        }
    }
}

fn with_head() -> (Tuned, TaskData) {
    let tuned = tuned(soft_prompt());
    let head = tuned.base.fresh_head(2, 1);
    let data = TaskData {
        verbalizer: None,
        ..labels([&[&[5]], &[&[6]]])
    };
    (Tuned::new(tuned.base, tuned.tuner, Some(head), None), data)
}

#[test]
fn a_result_does_not_depend_on_the_batch_size() {
    let words: [&[&[u32]]; 2] = [&[&[5], &[9, 10]], &[&[6, 7]]];
    let (classifier, classes) = with_head();
    let cases = [
        (tuned(soft_prompt()), completions()),
        (tuned(soft_prompt()), texts()),
        (tuned(soft_prompt()), labels(words)),
        (classifier, classes),
    ];
    for (tuned, data) in cases {
        let one = evaluate(&tuned, &data, &data.test, 1, &mut Unobserved).expect("evaluated");
        for batch_size in [3, 100] {
            let many = evaluate(&tuned, &data, &data.test, batch_size, &mut Unobserved)
                .expect("evaluated");
            assert_close(many.loss, one.loss);
            assert_eq!(many.n_tokens, one.n_tokens);
            assert_eq!(many.accuracy, one.accuracy);
            for (many, one) in many.predictions.iter().zip(&one.predictions) {
                for (many, one) in many.log_probabilities.iter().zip(&one.log_probabilities) {
                    assert_close(*many, *one);
                }
            }
        }
    }
}

#[test]
fn a_head_learns_and_comes_back_from_its_folder() {
    let (classifier, data) = with_head();
    assert_eq!(classifier.pooling(), Pooling::Last);
    let config = TrainConfig {
        steps: Some(40),
        batch_size: 8,
        learning_rate: 3e-2,
        ..TrainConfig::default()
    };
    let outcome = run_once(classifier, &data, &config);
    let losses = train_losses(&outcome);
    assert!(losses[39] < 0.6 * losses[0], "{losses:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let base = BaseInfo {
        name_or_path: "tiny".into(),
        spec: outcome.tuned.base.spec().clone(),
        task_type: TaskType::SeqCls,
    };
    let mean = Tuned::new(
        outcome.tuned.base,
        outcome.tuned.tuner,
        outcome.tuned.head,
        Some(Pooling::Mean),
    );
    save_tuned(folder.path(), &mean, &base, &|name| {
        name == "model.norm.weight"
    })
    .expect("saved");
    let loaded = load_tuned(folder.path(), tuned(untuned()).base).expect("loaded");
    assert_eq!(loaded.pooling(), Pooling::Mean);
    let inputs: Vec<TokenRow> = (0..5).map(row).collect();
    let found = class_logprobs(&loaded, &inputs, None, 2).expect("scores");
    let expected = class_logprobs(&mean, &inputs, None, 2).expect("scores");
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!(
            (found - expected).abs() < 1e-6,
            "{found} instead of {expected}"
        );
    }
}
