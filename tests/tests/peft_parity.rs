//! What PEFT computes and learns with an adapter, Pilotlight computes and learns too.
//!
//! `goldens/make_peft_goldens.py` makes the golden files.

use std::path::{Path, PathBuf};

use burn::{
    optim::{AdamWConfig, GradientsParams},
    tensor::{Device, Tensor, activation::log_softmax},
};
use pilotlight_core::{TokenRow, Tuner};
use pilotlight_tests::{
    GoldenExample, assert_close, golden, golden_examples, golden_model, golden_tensor, token_logits,
};
use pilotlight_transformer::Model;
use pilotlight_tuners::{AnyTuner, BaseInfo, TaskType, load_adapter, save_adapter};
use serde::Deserialize;

const DECODERS: [&str; 3] = ["llama", "qwen2", "gpt2"];
const METHODS: [&str; 3] = ["prompt", "lora", "rslora-all-linear"];

fn adapter(family: &str, method: &str, name: &str) -> PathBuf {
    golden(&format!("peft/{family}/{method}/{name}"))
}

fn each_case(check: impl Fn(&str, &str)) {
    for family in DECODERS {
        for method in METHODS {
            check(family, method);
        }
    }
}

/// Compares with PEFT's logits, which it computed for each row alone, without padding.
fn check_logits(folder: &Path, family: &str, method: &str) {
    let device = Device::flex();
    let model = golden_model(family, &device).model;
    let tuner = load_adapter(folder, model.spec(), &device)
        .expect("the adapter loads")
        .tuner;
    let examples = golden_examples(family);
    let rows: Vec<TokenRow> = examples[..4].iter().map(GoldenExample::row).collect();
    let found = token_logits(&model, &rows, &tuner);
    for (index, found) in found.iter().enumerate() {
        let path = adapter(family, method, "expected.safetensors");
        let expected = golden_tensor(&path, &format!("row{index}"));
        assert_close(found, &expected, 1e-4);
    }
}

#[test]
fn logits_equal_those_of_peft_in_a_padded_batch() {
    each_case(|family, method| check_logits(&adapter(family, method, "start"), family, method));
}

#[test]
fn an_adapter_that_was_saved_again_gives_the_same_logits() {
    each_case(|family, method| {
        let device = Device::flex();
        let spec = golden_model(family, &device).model.spec().clone();
        let saved = load_adapter(&adapter(family, method, "start"), &spec, &device);
        let tuner = saved.expect("the adapter loads").tuner;
        let base = BaseInfo {
            name_or_path: "tiny".into(),
            spec,
            task_type: TaskType::CausalLm,
        };
        let folder = tempfile::tempdir().expect("a folder");
        save_adapter(folder.path(), &tuner, None, &base).expect("the adapter is saved");
        check_logits(folder.path(), family, method);
    });
}

#[derive(Deserialize)]
struct Training {
    learning_rate: f64,
    weight_decay: f32,
    betas: [f32; 2],
    epsilon: f32,
    batch_size: usize,
    losses: Vec<f32>,
}

/// The mean over the targets' tokens of their negative log-probability.
fn loss(model: &Model, tuner: &dyn Tuner, batch: &[GoldenExample]) -> Tensor<1> {
    let rows: Vec<TokenRow> = batch.iter().map(GoldenExample::row).collect();
    let hidden = model.forward(&rows, tuner);
    let mut positions = Vec::new();
    let mut targets: Vec<i64> = Vec::new();
    for (index, example) in batch.iter().enumerate() {
        for (offset, target) in example.target_ids.iter().enumerate() {
            let token = example.text_ids.len() + offset;
            let position = hidden.rows[index]
                .predictor(token)
                .expect("a position in front");
            positions.push((index, position));
            targets.push(i64::from(*target));
        }
    }
    let logits = model.logits(hidden.select(&positions));
    let targets = Tensor::<1, burn::tensor::Int>::from_data(targets.as_slice(), &logits.device());
    let chosen = log_softmax(logits, 1).gather(1, targets.unsqueeze_dim(1));
    chosen.mean().neg()
}

#[test]
fn twenty_steps_of_training_follow_peft() {
    each_case(|family, method| {
        let device = Device::flex().autodiff();
        let model = golden_model(family, &device).model;
        let folder = adapter(family, method, "start");
        let mut tuner: AnyTuner = load_adapter(&folder, model.spec(), &device)
            .expect("the adapter loads")
            .tuner;
        let text = std::fs::read_to_string(adapter(family, method, "training.json"));
        let training: Training =
            serde_json::from_str(&text.expect("the golden losses")).expect("their form");
        let examples = golden_examples(family);
        let mut optimizer = AdamWConfig::new()
            .with_beta_1(training.betas[0])
            .with_beta_2(training.betas[1])
            .with_epsilon(training.epsilon)
            .with_weight_decay(training.weight_decay)
            .init();
        for (step, expected) in training.losses.iter().enumerate() {
            let batch: Vec<GoldenExample> = (0..training.batch_size)
                .map(|index| {
                    examples[(step * training.batch_size + index) % examples.len()].clone()
                })
                .collect();
            let loss = loss(&model, &tuner, &batch);
            let gradients = GradientsParams::from_grads(loss.backward(), &tuner);
            let found: f32 = loss.into_scalar();
            assert!(
                (found - expected).abs() <= 1e-3 * expected,
                "{family}, {method}: the loss of step {step} is {found}, expected {expected}"
            );
            tuner = optimizer.step(training.learning_rate, tuner, gradients);
        }
    });
}
