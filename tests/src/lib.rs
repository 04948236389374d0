//! End-to-end and parity tests, and what they share.

pub mod laws;
pub mod measured;
pub mod parity;
pub mod probe;
pub mod vocabulary;

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};
use pilotlight_core::TokenRow;
use pilotlight_transformer::{LoadOptions, Model, Pretrained, load_folder};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

/// A path below `tests/goldens`.
pub fn golden(path: &str) -> PathBuf {
    // Cargo sets the variable for the tests it runs too, and whoever runs them on another machine can.
    let package = std::env::var("CARGO_MANIFEST_DIR");
    Path::new(package.as_deref().unwrap_or(env!("CARGO_MANIFEST_DIR")))
        .join("goldens")
        .join(path)
}

/// A model of `tests/goldens/peft`, in f32.
///
/// # Panics
///
/// Panics if it cannot be loaded.
pub fn golden_model(family: &str, device: &Device) -> Pretrained {
    golden_model_in(family, device, DType::F32)
}

/// A model of `tests/goldens/peft`, its numbers converted to an element type.
///
/// # Panics
///
/// Panics if it cannot be loaded.
pub fn golden_model_in(family: &str, device: &Device, dtype: DType) -> Pretrained {
    let options = LoadOptions {
        device: device.clone(),
        dtype,
    };
    load_folder(&golden(&format!("peft/{family}/model")), &options).expect("the golden model loads")
}

/// An example of `tests/goldens/peft`.
#[derive(Debug, Clone, Deserialize)]
pub struct GoldenExample {
    /// The input.
    pub text_ids: Vec<u32>,
    /// What follows it (decoders).
    #[serde(default)]
    pub target_ids: Vec<u32>,
    /// Its class (encoders).
    #[serde(default)]
    pub label: usize,
}

impl GoldenExample {
    /// Input and target as one row.
    pub fn row(&self) -> TokenRow {
        let mut row = TokenRow::new([self.text_ids.as_slice(), &self.target_ids].concat());
        row.anchors.answer = Some(self.text_ids.len());
        row
    }
}

/// The examples of a family.
///
/// # Panics
///
/// Panics if they cannot be read.
pub fn golden_examples(family: &str) -> Vec<GoldenExample> {
    let text = std::fs::read_to_string(golden(&format!("peft/{family}/data.jsonl")));
    let text = text.expect("the golden data");
    let line = |line: &str| serde_json::from_str(line).expect("a golden example");
    text.lines().map(line).collect()
}

/// The values of an f32 tensor in a safetensors file.
///
/// # Panics
///
/// Panics if there is none.
pub fn golden_tensor(path: &Path, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("a golden file");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    f32_values(&file, name)
}

/// The values of an f32 tensor.
///
/// # Panics
///
/// Panics if there is none.
pub fn f32_values(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let tensor = file.tensor(name).expect("the tensor");
    assert_eq!(tensor.dtype(), Dtype::F32);
    let chunks = tensor.data().chunks_exact(4);
    chunks
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect()
}

/// The logits at every token of every row, row by row.
///
/// # Panics
///
/// Panics if the model has no language-model head.
pub fn token_logits(
    model: &Model,
    rows: &[TokenRow],
    tuner: &dyn pilotlight_core::Tuner,
) -> Vec<Vec<f32>> {
    let hidden = model.forward(rows, tuner);
    (0..rows.len())
        .map(|index| {
            let positions = hidden.rows[index].token_positions.iter();
            let positions: Vec<_> = positions.map(|&position| (index, position)).collect();
            let logits = model.logits_at(&hidden, &positions, tuner);
            logits
                .into_data_dtype(DType::F32)
                .try_into_vec()
                .expect("f32")
        })
        .collect()
}

/// Asserts that two lists of numbers differ by at most `tolerance` anywhere.
///
/// # Panics
///
/// Panics if they do not.
#[track_caller]
pub fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "as many numbers");
    let pairs = found.iter().zip(expected).enumerate();
    let worst = pairs
        .map(|(index, (found, expected))| ((found - expected).abs(), index))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let (difference, index) = worst.expect("numbers to compare");
    // Written so that a NaN fails too.
    assert!(
        difference <= tolerance,
        "number {index} is {}, expected {}",
        found[index],
        expected[index]
    );
}

/// The example of this document compiles and does what it says.
#[cfg(doctest)]
#[doc = include_str!("../../docs/adding-a-tuner.md")]
pub struct AddingATuner;
