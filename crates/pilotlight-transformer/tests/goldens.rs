//! The models of every family against what transformers computes with them.

use std::path::PathBuf;

use burn::tensor::{DType, Device, Tensor, TensorData};
use pilotlight_core::{BatchPrefix, Identity, KeyValue, TokenRow, Tuner};
use pilotlight_transformer::{
    GenerateOptions, LoadOptions, Model, Pretrained, generate, generate_all, load_folder,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Vec<u32>>,
    #[serde(default)]
    logits: Vec<Vec<Vec<f32>>>,
    #[serde(default)]
    greedy: Vec<u32>,
    #[serde(default)]
    scores: Vec<Vec<f32>>,
    prefix: Option<GoldenPrefix>,
}

#[derive(Deserialize)]
struct GoldenPrefix {
    values: Vec<f32>,
    logits: Vec<Vec<f32>>,
}

fn folder(case: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/goldens")
        .join(case)
}

fn load(case: &str) -> (Pretrained, Golden) {
    let options = LoadOptions::new(&Device::default());
    let pretrained = load_folder(&folder(case), &options).unwrap_or_else(|error| panic!("{error}"));
    let golden = std::fs::read(folder(case).join("golden.json")).expect("a golden file");
    (
        pretrained,
        serde_json::from_slice(&golden).expect("a golden"),
    )
}

fn token_rows(rows: &[Vec<u32>]) -> Vec<TokenRow> {
    rows.iter().cloned().map(TokenRow::new).collect()
}

/// The logits at all positions of all rows that hold a token.
fn logits(model: &Model, rows: &[TokenRow], tuner: &dyn Tuner) -> Vec<Vec<Vec<f32>>> {
    let hidden = model.forward(rows, tuner);
    let of_row = |row: usize| {
        let positions = hidden.rows[row].token_positions.iter();
        let positions: Vec<_> = positions.map(|&position| (row, position)).collect();
        values(model.logits_at(&hidden, &positions, tuner))
    };
    (0..rows.len()).map(of_row).collect()
}

fn values(tensor: Tensor<2>) -> Vec<Vec<f32>> {
    let [_, width] = tensor.dims();
    let values: Vec<f32> = tensor.try_into_vec_as().expect("f32");
    values.chunks(width).map(<[f32]>::to_vec).collect()
}

#[track_caller]
fn assert_close(actual: &[Vec<f32>], expected: &[Vec<f32>], tolerance: f32) {
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        assert_eq!(actual.len(), expected.len());
        for (actual, expected) in actual.iter().zip(expected) {
            let difference = (actual - expected).abs();
            assert!(difference <= tolerance, "{actual} is not {expected}");
        }
    }
}

#[track_caller]
fn check(case: &str) {
    let (Pretrained { model, .. }, golden) = load(case);
    let rows = token_rows(&golden.rows);
    let together = logits(&model, &rows, &Identity);
    for (actual, expected) in together.iter().zip(&golden.logits) {
        assert_close(actual, expected, 1e-4);
    }
    for (row, together) in rows.iter().zip(&together) {
        let alone = logits(&model, std::slice::from_ref(row), &Identity);
        assert_close(&alone[0], together, 1e-5);
    }
    let options = GenerateOptions {
        max_tokens: golden.greedy.len(),
        ..GenerateOptions::default()
    };
    let mut seen = Vec::new();
    let written = generate(&model, &Identity, &rows[0], &options, &mut |token| {
        seen.push(token)
    });
    assert_eq!(written, golden.greedy);
    assert_eq!(seen, golden.greedy);
    // Beside rows of other lengths.
    let together = generate_all(&model, &Identity, &rows, &options);
    assert_eq!(together[0], golden.greedy);
}

#[test]
fn llama() {
    check("llama");
}

#[test]
fn llama_with_a_tied_head_left_padded_there() {
    check("llama_tied");
}

#[test]
fn llama_with_biases() {
    check("llama_bias");
}

#[test]
fn llama_with_scaled_rotary_positions() {
    check("llama3_rope");
}

#[test]
fn llama_from_a_bf16_file() {
    check("llama_bf16");
}

#[test]
fn llama_from_shards() {
    check("llama_sharded");
}

#[test]
fn mistral_with_a_window() {
    check("mistral");
}

#[test]
fn qwen2() {
    check("qwen2");
}

#[test]
fn qwen2_with_a_window_in_one_layer() {
    check("qwen2_window");
}

#[test]
fn qwen3() {
    check("qwen3");
}

#[test]
fn gpt2() {
    check("gpt2");
}

#[track_caller]
fn check_classifier(case: &str) {
    let (pretrained, golden) = load(case);
    let Pretrained {
        model,
        head,
        labels,
        ..
    } = pretrained;
    let head = head.expect("a classification head");
    assert_eq!(labels, ["bad", "so so", "good"]);
    let rows = token_rows(&golden.rows);
    let hidden = model.forward(&rows, &Identity);
    let last: Vec<_> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| (i, row.ids.len() - 1))
        .collect();
    assert_close(
        &values(head.forward(hidden.select(&last))),
        &golden.scores,
        1e-4,
    );
}

#[test]
fn llama_classifier() {
    check_classifier("llama_classifier");
}

#[test]
fn gpt2_classifier() {
    check_classifier("gpt2_classifier");
}

/// Learned keys and values of two layers, `[layer, key or value, n_kv_heads, n_prefix, d_head]`.
#[derive(Debug)]
struct Prefix(Tensor<5>);

impl Tuner for Prefix {
    fn prefix(&self, layer: usize, n_batch: usize) -> Option<BatchPrefix> {
        let slot = |slot: usize| {
            let [_, _, n_kv_heads, n_prefix, d_head] = self.0.dims();
            let values = self.0.clone().slice([layer..layer + 1, slot..slot + 1]);
            values
                .reshape([1, n_kv_heads, n_prefix, d_head])
                .repeat_dim(0, n_batch)
        };
        Some(KeyValue::new(slot(0), slot(1)).into())
    }
}

#[test]
fn prefixes_are_not_rotated_and_shift_the_positions() {
    let (Pretrained { model, .. }, golden) = load("llama");
    let expected = golden.prefix.expect("a case with a prefix");
    let data = TensorData::new(expected.values, [2, 2, 2, 3, 4]);
    let tuner = Prefix(Tensor::from_data(data, &Device::default()));
    // Beside a shorter row, which must not matter.
    let rows = token_rows(&golden.rows[..2]);
    let actual = logits(&model, &rows, &tuner);
    assert_close(&actual[0], &expected.logits, 1e-4);
}

#[test]
fn a_half_precision_model_is_close() {
    let (_, golden) = load("llama_bf16");
    for dtype in [DType::F16, DType::BF16] {
        let options = LoadOptions {
            dtype,
            ..LoadOptions::new(&Device::default())
        };
        let Pretrained { model, .. } =
            load_folder(&folder("llama_bf16"), &options).expect("a model");
        assert_eq!(model.word_embeddings().dtype(), dtype);
        let hidden = model.forward(&token_rows(&golden.rows[..1]), &Identity);
        let logits = model
            .logits_at(&hidden, &[(0, 6)], &Identity)
            .cast(DType::F32);
        assert_close(&values(logits), &golden.logits[0][6..], 0.3);
    }
}
