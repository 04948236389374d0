//! What PEFT computes and learns with an adapter, Pilotlight computes and learns too.
//!
//! `goldens/make_peft_goldens.py` makes the golden files; bottleneck adapters, which PEFT lacks, are written out there.

use std::path::{Path, PathBuf};

use burn::{
    module::Module,
    optim::{AdamWConfig, GradientsParams},
    tensor::{Device, Int, Tensor, activation::log_softmax},
};
use pilotlight_core::{ModelSpec, TokenRow};
use pilotlight_tests::{
    GoldenExample, assert_close, f32_values, golden, golden_examples, golden_model, golden_tensor,
    token_logits,
};
use pilotlight_transformer::{ClassificationHead, Hidden, Model, Pretrained};
use pilotlight_tuners::{AnyTuner, BaseInfo, TaskType, load_adapter, save_adapter};
use safetensors::SafeTensors;
use serde::Deserialize;

const FAMILIES: [&str; 4] = ["llama", "qwen2", "gpt2", "bert"];
const METHODS: [&str; 7] = [
    "prompt",
    "prefix",
    "lora",
    "rslora-all-linear",
    "houlsby",
    "pfeiffer",
    "parallel",
];

fn adapter(family: &str, method: &str, name: &str) -> PathBuf {
    golden(&format!("peft/{family}/{method}/{name}"))
}

fn each_case(check: impl Fn(&str, &str)) {
    for family in FAMILIES {
        for method in METHODS {
            check(family, method);
        }
    }
}

/// What an adapter's folder holds.
#[derive(Module, Debug)]
struct Trained {
    tuner: AnyTuner,
    head: Option<ClassificationHead>,
}

fn load(folder: &Path, family: &str, device: &Device) -> (Model, Trained) {
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
fn check_logits(folder: &Path, family: &str, method: &str) {
    let (model, trained) = load(folder, family, &Device::flex());
    let examples = golden_examples(family);
    let rows: Vec<TokenRow> = examples[..4].iter().map(GoldenExample::row).collect();
    let found: Vec<Vec<f32>> = match &trained.head {
        Some(head) => {
            let hidden = model.forward(&rows, &trained.tuner);
            let logits = class_logits(&hidden, &model, head).into_data();
            let logits: Vec<f32> = logits.try_into_vec().expect("f32");
            logits.chunks(3).map(<[f32]>::to_vec).collect()
        }
        None => token_logits(&model, &rows, &trained.tuner),
    };
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
        let start = adapter(family, method, "start");
        let (model, trained) = load(&start, family, &Device::flex());
        let base = BaseInfo {
            name_or_path: "tiny".into(),
            spec: model.spec().clone(),
            task_type: match trained.head {
                Some(_) => TaskType::SeqCls,
                None => TaskType::CausalLm,
            },
        };
        let head = trained.head.map(|head| head.export());
        let folder = tempfile::tempdir().expect("a folder");
        save_adapter(folder.path(), &trained.tuner, head.as_deref(), &base).expect("it is saved");
        if folder.path().join("adapter_config.json").exists() {
            // What PEFT reads, without our own description.
            std::fs::remove_file(folder.path().join("pilotlight.json")).expect("it was there");
        }
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

#[test]
fn twenty_steps_of_training_follow_peft() {
    each_case(|family, method| {
        let device = Device::flex().autodiff();
        let (model, mut trained) = load(&adapter(family, method, "start"), family, &device);
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
            let loss = loss(&model, &trained, &batch);
            let gradients = GradientsParams::from_grads(loss.backward(), &trained);
            let found: f32 = loss.into_scalar();
            assert!(
                (found - expected).abs() <= 1e-3 * expected,
                "{family}, {method}: the loss of step {step} is {found}, expected {expected}"
            );
            trained = optimizer.step(training.learning_rate, trained, gradients);
        }
        check_end(&adapter(family, method, "end"), &trained, model.spec());
    });
}

/// Compares the trained numbers with those that PEFT ended with.
fn check_end(folder: &Path, trained: &Trained, spec: &ModelSpec) {
    let base = BaseInfo {
        name_or_path: "tiny".into(),
        spec: spec.clone(),
        task_type: TaskType::SeqCls,
    };
    let ours = tempfile::tempdir().expect("a folder");
    let head = trained.head.as_ref().map(ClassificationHead::export);
    save_adapter(ours.path(), &trained.tuner, head.as_deref(), &base).expect("it is saved");
    let [ours, theirs] = [ours.path(), folder].map(|folder| {
        let names = ["adapter_model.safetensors", "adapter.safetensors"];
        let paths = names.map(|name| folder.join(name));
        let path = paths.iter().find(|path| path.exists());
        std::fs::read(path.expect("the file is there")).expect("the tensors")
    });
    let [ours, theirs] =
        [&ours, &theirs].map(|bytes| SafeTensors::deserialize(bytes).expect("a file"));
    let mut names = [ours.names(), theirs.names()];
    names.iter_mut().for_each(|names| names.sort_unstable());
    assert_eq!(names[0], names[1]);
    for name in &names[0] {
        let [ours, theirs] = [&ours, &theirs].map(|file| f32_values(file, name));
        assert_close(&ours, &theirs, 2e-3);
    }
}
