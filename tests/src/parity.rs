//! What PEFT computed and learned with an adapter, and the same here.

use std::path::{Path, PathBuf};

use burn::{
    module::Module,
    optim::{AdamWConfig, GradientsParams},
    tensor::{Device, Int, Tensor, activation::log_softmax},
};
use pilotlight_core::TokenRow;
use pilotlight_transformer::{ClassificationHead, Hidden, Model, Pretrained};
use pilotlight_tuners::{AnyTuner, BaseInfo, TaskType, load_adapter, save_adapter};
use safetensors::SafeTensors;
use serde::Deserialize;

use crate::{
    GoldenExample, assert_close, f32_values, golden, golden_examples, golden_model, golden_tensor,
    token_logits,
};

/// A file or folder of a family's method in `tests/goldens/peft`.
pub fn adapter(family: &str, method: &str, name: &str) -> PathBuf {
    golden(&format!("peft/{family}/{method}/{name}"))
}

/// What an adapter's folder holds.
#[derive(Module, Debug)]
pub struct Trained {
    /// The tuner.
    pub tuner: AnyTuner,
    /// The head of a classifier.
    pub head: Option<ClassificationHead>,
}

/// A golden model and an adapter for it.
///
/// # Panics
///
/// Panics if one of them cannot be loaded.
pub fn load(folder: &Path, family: &str, device: &Device) -> (Model, Trained) {
    let Pretrained { model, head, .. } = golden_model(family, device);
    let saved = load_adapter(folder, model.spec(), device).expect("the adapter loads");
    let head = head.map(|head| {
        head.set_require_grad(true)
            .import(saved.head)
            .expect("a head")
    });
    let trained = Trained {
        tuner: saved.tuner,
        head,
    };
    (model, trained)
}

/// The scores of the classes. As in PEFT, the pooler reads the first position, be it a vector of a prompt.
fn class_logits(hidden: &Hidden, model: &Model, head: &ClassificationHead) -> Tensor<2> {
    let first: Vec<_> = (0..hidden.rows.len()).map(|row| (row, 0)).collect();
    let pooled = model.pooled(hidden.select(&first)).expect("a pooler");
    head.forward(pooled)
}

/// Compares with PEFT's logits, which it computed for each row alone, without padding.
///
/// # Panics
///
/// Panics if they differ.
#[track_caller]
pub fn check_logits(model: &Model, trained: &Trained, family: &str, method: &str) {
    let examples = golden_examples(family);
    let rows: Vec<TokenRow> = examples[..4].iter().map(GoldenExample::row).collect();
    let found: Vec<Vec<f32>> = match &trained.head {
        Some(head) => {
            let hidden = model.forward(&rows, &trained.tuner);
            let logits = class_logits(&hidden, model, head).into_data();
            let logits: Vec<f32> = logits.try_into_vec().expect("f32");
            logits.chunks(3).map(<[f32]>::to_vec).collect()
        }
        None => token_logits(model, &rows, &trained.tuner),
    };
    for (index, found) in found.iter().enumerate() {
        let path = adapter(family, method, "expected.safetensors");
        let expected = golden_tensor(&path, &format!("row{index}"));
        assert_close(found, &expected, 1e-4);
    }
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

/// The mean negative log-probability of the targets' tokens, or of the classes.
fn loss(model: &Model, trained: &Trained, batch: &[GoldenExample]) -> Tensor<1> {
    let rows: Vec<TokenRow> = batch.iter().map(GoldenExample::row).collect();
    let hidden = model.forward(&rows, &trained.tuner);
    let (logits, targets): (_, Vec<i64>) = match &trained.head {
        Some(head) => {
            let targets = batch.iter().map(|example| example.label as i64);
            (class_logits(&hidden, model, head), targets.collect())
        }
        None => {
            let mut positions = Vec::new();
            let mut targets = Vec::new();
            for (index, example) in batch.iter().enumerate() {
                for (offset, target) in example.target_ids.iter().enumerate() {
                    let token = example.text_ids.len() + offset;
                    let position = hidden.rows[index].predictor(token);
                    positions.push((index, position.expect("a position in front")));
                    targets.push(i64::from(*target));
                }
            }
            (
                model.logits_at(&hidden, &positions, &trained.tuner),
                targets,
            )
        }
    };
    let targets = Tensor::<1, Int>::from_data(targets.as_slice(), &logits.device());
    let chosen = log_softmax(logits, 1).gather(1, targets.unsqueeze_dim(1));
    chosen.mean().neg()
}

/// Trains as PEFT did and compares the loss of each step; returns what was learned.
///
/// # Panics
///
/// Panics if a loss differs.
#[track_caller]
pub fn follow_peft(model: &Model, start: Trained, family: &str, method: &str) -> Trained {
    let text = std::fs::read_to_string(adapter(family, method, "training.json"));
    let training: Training =
        serde_json::from_str(&text.expect("the golden losses")).expect("their form");
    let examples = golden_examples(family);
    let mut trained = start;
    let mut optimizer = AdamWConfig::new()
        .with_beta_1(training.betas[0])
        .with_beta_2(training.betas[1])
        .with_epsilon(training.epsilon)
        .with_weight_decay(training.weight_decay)
        .init();
    for (step, expected) in training.losses.iter().enumerate() {
        let batch: Vec<GoldenExample> = (0..training.batch_size)
            .map(|index| examples[(step * training.batch_size + index) % examples.len()].clone())
            .collect();
        let loss = loss(model, &trained, &batch);
        let gradients = GradientsParams::from_grads(loss.backward(), &trained);
        let found: f32 = loss.into_scalar();
        assert!(
            (found - expected).abs() <= 1e-3 * expected,
            "{family}, {method}: the loss of step {step} is {found}, expected {expected}"
        );
        trained = optimizer.step(training.learning_rate, trained, gradients);
    }
    trained
}

/// Compares what is saved after training with what PEFT saved.
///
/// # Panics
///
/// Panics if it differs.
#[track_caller]
pub fn check_end(model: &Model, trained: &Trained, family: &str, method: &str) {
    let folder = adapter(family, method, "end");
    let base = BaseInfo {
        name_or_path: "tiny".into(),
        spec: model.spec().clone(),
        task_type: TaskType::SeqCls,
    };
    let ours = tempfile::tempdir().expect("a folder");
    let head = trained.head.as_ref().map(ClassificationHead::export);
    save_adapter(ours.path(), &trained.tuner, head.as_deref(), &base).expect("it is saved");
    let [ours, theirs] = [ours.path(), &folder].map(|folder| {
        let names = ["adapter_model.safetensors", "adapter.safetensors"];
        let paths = names.map(|name| folder.join(name));
        let path = paths.iter().find(|path| path.exists());
        std::fs::read(path.expect("the file is there")).expect("the tensors")
    });
    let [ours, theirs] =
        [&ours, &theirs].map(|bytes| SafeTensors::deserialize(bytes).expect("a file"));
    let mut names = [ours.names(), theirs.names()];
    for names in &mut names {
        // PEFT saves the frozen weights of words and head beside their updates.
        names.retain(|name| !name.ends_with(".base_layer.weight"));
        names.sort_unstable();
    }
    assert_eq!(names[0], names[1]);
    for name in &names[0] {
        let [ours, theirs] = [&ours, &theirs].map(|file| {
            let mut values = f32_values(file, name);
            if name.ends_with("c_attn.base_layer.bias") {
                // Attention does not see a bias of its keys: the gradient is rounding, and Adam's steps are chance.
                let n_keys = values.len() / 3;
                values.drain(n_keys..2 * n_keys);
            }
            values
        });
        assert_close(&ours, &theirs, 2e-3);
    }
}
