//! Several adapters on one base, against each of them alone.

use pilotlight_core::TokenRow;
use pilotlight_data::{Pooling, TaskData, Verbalizer};
use pilotlight_train::{
    Adapters, Answers, Combination, EnsemblePrediction, Prediction, Question, TrainConfig, Tuned,
    Unobserved, average_logprobs, choice_logprobs, class_logprobs, evaluate, evaluate_ensemble,
    label_logprobs, save_tuned,
};
use pilotlight_tuners::{BaseInfo, TaskType};
use serde_json::{Value, json};

use crate::common::{labels, lora, row, run_once, soft_prompt, tuned, untuned};

const WORDS: [&[&[u32]]; 2] = [&[&[5], &[9, 10]], &[&[6, 7]]];

/// A tuner that some steps have moved away from the identity.
fn trained(tuner: Value) -> Tuned {
    let config = TrainConfig {
        steps: Some(6),
        batch_size: 4,
        learning_rate: 5e-2,
        ..TrainConfig::default()
    };
    run_once(tuned(tuner), &labels(WORDS), &config).tuned
}

fn behind() -> Value {
    json!({ "method": "soft-prompt", "prompt_length": 2, "init": "random", "placement": "after" })
}

fn prefix() -> Value {
    json!({ "method": "prefix", "prefix_length": 4 })
}

fn verbalizer() -> Verbalizer {
    labels(WORDS).verbalizer.expect("words")
}

/// Adapters of different methods and lengths.
fn several() -> Adapters {
    let mut adapters = Adapters::new(tuned(untuned()));
    for tuner in [soft_prompt(), behind(), lora(0.0), prefix(), lora(0.0)] {
        adapters.add(trained(tuner), true);
    }
    adapters
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() < 1e-5,
            "{found} instead of {expected}"
        );
    }
}

#[test]
fn rows_of_a_batch_have_what_their_adapters_have_alone() {
    let adapters = several();
    let verbalizer = verbalizer();
    let choices = [vec![5], vec![6, 7, 8], vec![30]];
    let inputs: Vec<TokenRow> = (0..14).map(row).collect();
    // Round and round, every other question with choices of its own, the base alone among them.
    let adapter = |index: usize| (index % 6).checked_sub(1);
    let questions: Vec<Question<'_>> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| Question {
            adapter: adapter(index),
            input,
            answers: match index % 4 {
                0 | 1 => Answers::Labels(&verbalizer),
                _ => Answers::Choices(&choices),
            },
        })
        .collect();
    for batch_size in [1, 5, 64] {
        let mut n_done = 0;
        let found = adapters
            .ask(&questions, batch_size, &mut |done| n_done = done)
            .expect("answers");
        assert!(n_done >= inputs.len());
        for ((index, question), found) in questions.iter().enumerate().zip(found) {
            let alone = adapters.get(question.adapter);
            let expected = match index % 4 {
                0 | 1 => {
                    let input = std::slice::from_ref(question.input);
                    let all = class_logprobs(alone, input, Some(&verbalizer), 1);
                    all.expect("scores").remove(0)
                }
                _ => choice_logprobs(alone, question.input, &choices).expect("scores"),
            };
            assert_close(&label_logprobs(&found), &expected);
        }
    }
    let of = |adapter| {
        let question = Question {
            adapter,
            input: &inputs[0],
            answers: Answers::Labels(&verbalizer),
        };
        adapters
            .ask(&[question], 1, &mut |_| ())
            .expect("answers")
            .remove(0)
    };
    let bare = of(None);
    for adapter in 0..adapters.len() {
        assert_ne!(
            of(Some(adapter)),
            bare,
            "the adapter {adapter} does nothing"
        );
    }
}

#[test]
fn heads_and_trained_bases_keep_to_their_rows() {
    let data = TaskData {
        verbalizer: None,
        ..labels([&[&[5]], &[&[6]]])
    };
    let config = TrainConfig {
        steps: Some(4),
        learning_rate: 1e-2,
        ..TrainConfig::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let save = |name: &str, tuned: &Tuned| {
        let base = BaseInfo {
            name_or_path: "tiny".into(),
            spec: tuned.base.spec().clone(),
            task_type: TaskType::SeqCls,
        };
        let norm = |name: &str| name == "model.norm.weight";
        let path = folder.path().join(name);
        save_tuned(&path, tuned, &base, &|parameter| {
            name == "norm" && norm(parameter)
        })
        .expect("saved");
        path
    };
    let classifier = |tuner, seed, pooling, trained: bool| {
        let Tuned { base, tuner, .. } = tuned(tuner);
        let head = base.fresh_head(2, seed);
        let base = base.set_trained(&|name| trained && name == "model.norm.weight");
        let untrained = Tuned::new(base, tuner, Some(head), Some(pooling));
        run_once(untrained, &data, &config).tuned
    };
    let mut adapters = Adapters::new(tuned(untuned()));
    let members = [
        ("first", classifier(soft_prompt(), 1, Pooling::Last, false)),
        ("second", classifier(lora(0.0), 2, Pooling::Mean, false)),
        ("norm", classifier(untuned(), 3, Pooling::Last, true)),
    ];
    for (name, tuned) in &members {
        adapters.load(&save(name, tuned)).expect("loaded");
    }
    let inputs: Vec<TokenRow> = (0..9).map(row).collect();
    let verbalizer = verbalizer();
    let mut questions: Vec<Question<'_>> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| Question {
            adapter: Some(index % 3),
            input,
            answers: Answers::Classes,
        })
        .collect();
    // Words in the same batch.
    questions.push(Question {
        adapter: Some(0),
        input: &inputs[0],
        answers: Answers::Labels(&verbalizer),
    });
    let found = adapters.ask(&questions, 16, &mut |_| ()).expect("answers");
    for (question, found) in questions.iter().zip(&found) {
        let tuned = &members[question.adapter.expect("one")].1;
        let verbalizer = match question.answers {
            Answers::Classes => None,
            _ => Some(&verbalizer),
        };
        let input = std::slice::from_ref(question.input);
        let expected = class_logprobs(tuned, input, verbalizer, 1).expect("scores");
        assert_close(&label_logprobs(found), &expected[0]);
    }
    let bare = Question {
        adapter: None,
        ..questions[0]
    };
    let error = adapters.ask(&[bare], 1, &mut |_| ());
    assert!(error.expect_err("no head").to_string().contains("head"));
}

#[test]
fn ensembles_average_and_vote() {
    let logs = |probabilities: [f64; 3]| {
        let logs = probabilities
            .iter()
            .map(|probability| vec![probability.ln()]);
        logs.collect::<Vec<_>>()
    };
    // Two weak votes for the second class, one strong one for the first.
    let members = [
        logs([0.90, 0.05, 0.05]),
        logs([0.30, 0.36, 0.34]),
        logs([0.32, 0.35, 0.33]),
    ];
    let average = average_logprobs(&members);
    let expected = [1.52_f64 / 3.0, 0.76 / 3.0, 0.72 / 3.0].map(f64::ln);
    assert_close(&label_logprobs(&average), &expected);
    let predict = |combination| EnsemblePrediction::new(&members, combination);
    assert_eq!(predict(Combination::Average).prediction.class, 0);
    assert_eq!(predict(Combination::Vote).prediction.class, 1);
    assert_eq!(predict(Combination::Vote).votes, [1, 2, 0]);
    // As many votes for each: the most probable on average.
    let tied = EnsemblePrediction::new(&members[..2], Combination::Vote);
    assert_eq!((tied.prediction.class, tied.votes), (0, vec![1, 1, 0]));
    // Words of a label add up behind the average.
    let words = [
        vec![vec![0.1_f64.ln(), 0.2_f64.ln()]],
        vec![vec![0.3_f64.ln(), 0.2_f64.ln()]],
    ];
    assert_close(&label_logprobs(&average_logprobs(&words)), &[0.4_f64.ln()]);
}

#[test]
fn an_ensemble_is_evaluated_like_its_members() {
    let data = labels(WORDS);
    let adapters = several();
    let alone: Vec<Vec<Vec<f64>>> = (0..adapters.len())
        .map(|member| {
            let result = evaluate(
                adapters.get(Some(member)),
                &data,
                &data.test,
                4,
                &mut Unobserved,
            );
            let predictions = result.expect("evaluated").predictions.into_iter();
            predictions.map(|it| it.log_probabilities).collect()
        })
        .collect();
    let evaluate_all = |adapters: &Adapters, combination| {
        evaluate_ensemble(adapters, combination, &data, &data.test, 7, &mut Unobserved)
            .expect("evaluated")
    };
    let averaged = evaluate_all(&adapters, Combination::Average);
    let voted = evaluate_all(&adapters, Combination::Vote);
    for (example, (averaged, voted)) in averaged
        .predictions
        .iter()
        .zip(&voted.predictions)
        .enumerate()
    {
        let mean = |class: usize| {
            let members = alone.iter().map(|member| member[example][class].exp());
            (members.sum::<f64>() / alone.len() as f64).ln()
        };
        assert_close(&averaged.log_probabilities, &[mean(0), mean(1)]);
        assert_close(&voted.log_probabilities, &[mean(0), mean(1)]);
        let votes = alone.iter().filter(|member| {
            let of_member = Prediction::new(member[example].clone());
            of_member.class == 1
        });
        // Five members: no ties.
        assert_eq!(voted.class, usize::from(votes.count() > 2));
    }
    let mut single = Adapters::new(tuned(untuned()));
    single.add(adapters.get(Some(1)).clone(), true);
    let found = evaluate_all(&single, Combination::Vote);
    let expected = evaluate(single.get(Some(0)), &data, &data.test, 4, &mut Unobserved);
    let expected = expected.expect("evaluated");
    assert_close(&[found.loss], &[expected.loss]);
    assert_eq!(
        (found.accuracy, found.n_tokens),
        (expected.accuracy, expected.n_tokens)
    );
}
