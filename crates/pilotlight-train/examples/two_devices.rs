//! The same soft prompt, trained on two devices of the caller's choice: the losses are the same.
use std::{error::Error, path::Path};

use burn::tensor::Device;
use pilotlight_core::TokenRow;
use pilotlight_data::{Example, Split, Target, TaskData, TaskKind};
use pilotlight_train::{Job, RunFolder, TrainConfig, Tuned, Unobserved, train};
use pilotlight_transformer::{LoadOptions, load_folder};
use pilotlight_tuners::{InitContext, NoVocabulary, TunerConfig};

/// The loss of each step of training a prompt on a device, of any backend that `burn` has.
fn losses(model: &Path, device: &Device) -> Result<Vec<f64>, Box<dyn Error>> {
    let base = load_folder(model, &LoadOptions::new(device))?.model; // frozen
    let prompt = r#"{ "method": "soft-prompt", "prompt_length": 4, "init": "random" }"#;
    let prompt: TunerConfig = serde_json::from_str(prompt)?;
    let tuner = prompt.init(&InitContext {
        base: &base,
        vocabulary: &NoVocabulary, // your tokenizer
        seed: 1,
        device,
    })?;
    let examples = (3..19).map(|id| Example {
        input: TokenRow::new(vec![id, id + 1, id + 2]), // your task: here every text is followed by token 20
        target: Target::Completion(vec![20]),
        origin: id as usize,
    });
    let data = TaskData {
        kind: TaskKind::Completion,
        labels: Vec::new(),
        verbalizer: None,
        train: Split {
            examples: examples.collect(),
            ..Split::default()
        },
        validation: Split::default(),
        test: Split::default(),
    };
    let folder = tempfile::tempdir()?; // gets metrics.jsonl and checkpoints
    let job = Job {
        data: &data,
        config: &TrainConfig {
            steps: Some(20),
            learning_rate: 0.1,
            ..TrainConfig::default()
        },
        seed: 1,
        run: &RunFolder::create(folder.path())?,
        resume: false,
        observer: &mut Unobserved,
    };
    let outcome = train(Tuned::new(base, tuner, None, None), job)?;
    Ok(outcome.history.iter().map(|step| step.loss).collect())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("no folder")?;
    let model = crates.join("pilotlight-transformer/tests/goldens/llama_tied");
    let [first, second] = [Device::default(), Device::flex()]; // the first of all backends, and the CPU
    let [first, second] = [losses(&model, &first)?, losses(&model, &second)?];
    assert!(first[19] < 0.8 * first[0], "it learns: {first:?}");
    for (first, second) in first.iter().zip(&second) {
        assert!((first - second).abs() < 1e-3, "{first} and {second}");
    }
    Ok(())
}
