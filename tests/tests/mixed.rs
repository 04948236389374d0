//! Rows of one batch that have adapters of their own: each has the result that it has alone.

#![expect(clippy::print_stdout, reason = "names the case in which a test failed")]

use burn::{module::Module, tensor::Device};
use pilotlight_core::{Identity, TokenRow, Tuner};
use pilotlight_tests::{
    assert_close, golden_examples, golden_model,
    probe::{shaken, token_states, values},
    token_logits,
};
use pilotlight_transformer::Model;
use pilotlight_tuners::{AnyTuner, InitContext, Mixed, NoVocabulary, TunerConfig};

/// Tasks of one base, as sections `[tuner]`.
const TASKS: [&str; 12] = [
    r#"{ "method": "soft-prompt", "prompt_length": 4, "init": "random" }"#,
    r#"{ "method": "soft-prompt", "prompt_length": 2, "init": "random", "placement": "after" }"#,
    r#"{ "method": "prefix", "prefix_length": 5, "std": 0.5 }"#,
    r#"{ "method": "prefix", "prefix_length": 2, "std": 0.5 }"#,
    r#"{ "method": "lora", "rank": 3, "targets": "all-linear" }"#,
    r#"{ "method": "lora", "rank": 2, "dora": true }"#,
    r#"{ "method": "lora", "rank": 2, "targets": ".*(embed_tokens|wte|word_embeddings)" }"#,
    r#"{ "method": "lora", "rank": 2, "targets": ".*(lm_head|query)" }"#,
    r#"{ "method": "ia3" }"#,
    r#"{ "method": "bottleneck", "kind": "houlsby", "bottleneck_dim": 5 }"#,
    r#"{ "method": "soft-prompt", "prompt_length": 3, "init": "random", "deep": true }"#,
    r#"{ "method": "compose", "parts": [
        { "method": "prefix", "prefix_length": 3 },
        { "method": "soft-prompt", "prompt_length": 2, "init": "random", "placement": "after" },
        { "method": "lora", "rank": 2 }] }"#,
];

fn tuners(model: &Model, device: &Device) -> Vec<AnyTuner> {
    let made = |(seed, keys): (u64, &str)| {
        let config: TunerConfig = serde_json::from_str(keys).expect("a config");
        let context = InitContext {
            base: model,
            vocabulary: &NoVocabulary,
            seed,
            device,
        };
        // Trained, as it were: some methods change nothing at first.
        shaken(config.init(&context).expect("a tuner")).valid()
    };
    (1..).zip(TASKS).map(made).collect()
}

/// The adapters of a batch, every one of them and none at all, in this order and in a scattered one.
fn batches(n_tasks: usize) -> [Vec<Option<usize>>; 2] {
    let in_order = std::iter::once(None).chain((0..n_tasks).map(Some));
    // Each twice, and then next to each other.
    let sorted: Vec<_> = in_order.flat_map(|task| [task, task]).collect();
    let n_rows = sorted.len();
    let scattered = (0..n_rows).map(|row| sorted[row * 7 % n_rows]).collect();
    [sorted, scattered]
}

fn each_case(check: impl Fn(&Model, &[TokenRow], &[&dyn Tuner], &[Option<usize>])) {
    for family in ["llama", "qwen2", "gpt2", "bert"] {
        // A model whose parameters carry gradients, since the tuners do.
        let device = Device::flex().autodiff();
        let model = golden_model(family, &device).model;
        let tuners = tuners(&model, &device);
        let tuners: Vec<&dyn Tuner> = tuners.iter().map(|tuner| tuner as &dyn Tuner).collect();
        let model = model.valid();
        for of_rows in batches(tuners.len()) {
            println!("{family}: {of_rows:?}");
            let rows = golden_examples(family);
            let rows = rows.iter().cycle().take(of_rows.len());
            let rows: Vec<TokenRow> = rows.map(|row| row.row()).collect();
            check(&model, &rows, &tuners, &of_rows);
        }
    }
}

fn alone<'a>(tuners: &[&'a dyn Tuner], task: Option<usize>) -> &'a dyn Tuner {
    task.map_or(&Identity, |task| tuners[task])
}

#[test]
fn each_row_has_the_states_that_it_has_alone() {
    each_case(|model, rows, tuners, of_rows| {
        let mixed = Mixed::new(tuners, of_rows.to_vec());
        let together = token_states(model, rows, &mixed);
        for ((row, task), found) in rows.iter().zip(of_rows).zip(together) {
            println!("  {task:?}");
            let row = std::slice::from_ref(row);
            let expected = token_states(model, row, alone(tuners, *task)).remove(0);
            assert_close(&values(found), &values(expected), 1e-5);
        }
    });
}

#[test]
fn each_row_has_the_scores_that_it_has_alone() {
    each_case(|model, rows, tuners, of_rows| {
        if !model.has_language_head() {
            return;
        }
        let mixed = Mixed::new(tuners, of_rows.to_vec());
        let together = token_logits(model, rows, &mixed);
        for ((row, task), found) in rows.iter().zip(of_rows).zip(together) {
            println!("  {task:?}");
            let row = std::slice::from_ref(row);
            let expected = token_logits(model, row, alone(tuners, *task)).remove(0);
            assert_close(&found, &expected, 1e-5);
        }
    });
}

#[test]
fn a_batch_of_one_adapter_is_handed_on_as_it_is() {
    each_case(|model, rows, tuners, _| {
        for (task, tuner) in tuners.iter().enumerate() {
            let mixed = Mixed::new(tuners, vec![Some(task); rows.len()]);
            let found = token_states(model, rows, &mixed);
            let expected = token_states(model, rows, *tuner);
            for (found, expected) in found.into_iter().zip(expected) {
                assert_eq!(values(found), values(expected));
            }
        }
    });
}
