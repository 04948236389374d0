//! Training on a base in half precision.

use std::path::{Path, PathBuf};

use burn::tensor::DType;
use pilotlight_train::{OptimizerKind, TrainConfig, Tuned, Unobserved, evaluate};
use safetensors::{Dtype, SafeTensors};

use crate::{
    common::{
        Recorder, adapters, completions, lora, prefix, run, soft_prompt, texts, train_losses,
        tuned_in, untuned,
    },
    training::plain,
};

#[test]
fn half_precision_bases_are_trained_on() {
    let case = |dtype, tuner: serde_json::Value, trained: bool| {
        let tuned = tuned_in(dtype, tuner);
        let base = tuned.base.set_trained(&|_| trained);
        let tuned = Tuned::new(base, tuned.tuner, None, None);
        let data = completions();
        let before = evaluate(&tuned, &data, &data.train, 32, &mut Unobserved).expect("evaluated");
        let folder = tempfile::tempdir().expect("a folder");
        let (config, mut recorder) = (plain(30, 8, 1), Recorder::default());
        let outcome = run(tuned, &data, &config, folder.path(), false, &mut recorder);
        let outcome = outcome.expect("a run");
        let after = evaluate(&outcome.tuned, &data, &data.train, 32, &mut Unobserved);
        let after = after.expect("evaluated");
        assert!(
            after.loss < before.loss - 0.05,
            "{} after {}",
            after.loss,
            before.loss
        );
        let warnings = recorder.warnings();
        if trained {
            let expected = format!("the base is trained in {dtype:?}");
            assert!(warnings.iter().any(|text| text.starts_with(&expected)));
        } else {
            assert!(warnings.is_empty(), "{warnings:?}");
            // Parameters and Adam's moments.
            assert!(all_in_f32(&folder.path().join("checkpoints")) > 0);
        }
    };
    for dtype in [DType::BF16, DType::F16] {
        case(dtype, soft_prompt(), false);
        case(dtype, lora(0.0), false);
        case(dtype, untuned(), true);
    }
}

/// The loss of every step on a base of f16 (eleven bits) and bf16 (eight) beside that on one of f32.
#[test]
fn losses_on_half_precision_are_those_of_f32() {
    let config = TrainConfig {
        // Unlike Adam it does not turn the rounding of a gradient near zero into a whole step.
        optimizer: OptimizerKind::Sgd,
        ..plain(10, 8, 1)
    };
    for tuner in [soft_prompt(), prefix(), lora(0.0), adapters()] {
        for data in [completions(), texts()] {
            let folder = tempfile::tempdir().expect("a folder");
            let losses = |dtype| {
                let tuned = tuned_in(dtype, tuner.clone());
                let mut recorder = Recorder::default();
                let outcome = run(tuned, &data, &config, folder.path(), false, &mut recorder);
                train_losses(&outcome.expect("a run"))
            };
            let expected = losses(DType::F32);
            for (dtype, tolerance) in [(DType::F16, 1e-3), (DType::BF16, 1e-2)] {
                let found = losses(dtype);
                for (found, expected) in found.iter().zip(&expected) {
                    let share = (found - expected).abs() / expected;
                    assert!(share <= tolerance, "{tuner}, {dtype:?}: off by {share}");
                }
            }
        }
    }
}

/// The number of float tensors in the files below a folder, all of which must be f32.
fn all_in_f32(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let of_entry = |path: PathBuf| {
        if path.is_dir() {
            return all_in_f32(&path);
        }
        if path
            .extension()
            .is_none_or(|extension| extension != "safetensors")
        {
            return 0;
        }
        let bytes = std::fs::read(&path).expect("a file");
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        for (name, tensor) in file.iter() {
            assert_eq!(tensor.dtype(), Dtype::F32, "{name} in {}", path.display());
        }
        file.len()
    };
    entries
        .map(|entry| of_entry(entry.expect("an entry").path()))
        .sum()
}
