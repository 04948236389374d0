//! Twenty steps of the trainer have the losses of twenty steps of PEFT, and end at the same parameters.
//!
//! `goldens/make_peft_goldens.py` makes the golden files.

use burn::{module::Module, tensor::Device};
use pilotlight_core::TokenRow;
use pilotlight_data::{Example, Pooling, Split, Target, TaskData, TaskKind};
use pilotlight_tests::{assert_close, golden, golden_examples, golden_model};
use pilotlight_train::{
    Job, RunFolder, Schedule, TrainConfig, Tuned, Unobserved, load_tuned, train,
};
use pilotlight_tuners::{BaseInfo, TaskType, save_adapter};
use serde::Deserialize;

#[derive(Deserialize)]
struct Training {
    learning_rate: f64,
    weight_decay: f32,
    betas: [f32; 2],
    epsilon: f32,
    batch_size: usize,
    steps: usize,
    losses: Vec<f32>,
}

fn data(family: &str) -> TaskData {
    let is_encoder = family == "bert";
    let examples = golden_examples(family).into_iter().enumerate();
    let examples = examples.map(|(index, example)| Example {
        input: TokenRow::new(example.text_ids),
        target: match is_encoder {
            true => Target::Class(example.label),
            false => Target::Completion(example.target_ids),
        },
        origin: index + 1,
    });
    TaskData {
        kind: match is_encoder {
            true => TaskKind::Classification,
            false => TaskKind::Completion,
        },
        labels: match is_encoder {
            true => ["0", "1", "2"].map(str::to_owned).into(),
            false => Vec::new(),
        },
        verbalizer: None,
        train: Split {
            examples: examples.collect(),
            ..Split::default()
        },
        validation: Split::default(),
        test: Split::default(),
    }
}

fn load(family: &str, folder: &std::path::Path) -> Tuned {
    let base = golden_model(family, &Device::flex()).model;
    let tuned = load_tuned(folder, base).expect("the adapter loads");
    // PEFT's prompts stand in front of the classification token, and its pooler reads the first of them.
    let pooling = (family == "bert").then_some(Pooling::First);
    Tuned::new(tuned.base, tuned.tuner, tuned.head, pooling)
}

fn check(family: &str, method: &str) {
    let start = golden(&format!("peft/{family}/{method}/start"));
    check_from(family, method, &start);
}

/// Trains the adapter of a folder.
fn check_from(family: &str, method: &str, start: &std::path::Path) {
    let folder = golden(&format!("peft/{family}/{method}"));
    let text = std::fs::read_to_string(folder.join("training.json")).expect("the golden training");
    let training: Training = serde_json::from_str(&text).expect("the golden training");
    let config = TrainConfig {
        steps: Some(training.steps),
        batch_size: training.batch_size,
        learning_rate: training.learning_rate,
        weight_decay: training.weight_decay,
        betas: training.betas,
        epsilon: training.epsilon,
        schedule: Schedule::Constant,
        shuffle: false,
        ..TrainConfig::default()
    };
    let run = tempfile::tempdir().expect("a folder");
    let run = RunFolder::create(run.path()).expect("a new folder");
    let job = Job {
        data: &data(family),
        config: &config,
        seed: 1,
        run: &run,
        resume: false,
        observer: &mut Unobserved,
    };
    let mut tuned = load(family, start);
    if method == "lora-bias-all" {
        tuned.base = tuned.base.set_trained(&|name| name.ends_with(".bias"));
    }
    let outcome = train(tuned, job).expect("a run");
    let losses: Vec<f32> = outcome.history.iter().map(|it| it.loss as f32).collect();
    assert_close(&losses, &training.losses, 1e-4);
    let end = load(family, &folder.join("end"));
    let inputs: Vec<TokenRow> = data(family)
        .train
        .examples
        .into_iter()
        .map(|it| it.input)
        .collect();
    let states = |tuned: &Tuned| -> Vec<f32> {
        let hidden = tuned.base.forward(&inputs, &tuned.tuner);
        let last: Vec<_> = hidden
            .rows
            .iter()
            .map(|row| row.len - 1)
            .enumerate()
            .collect();
        hidden.select(&last).try_into_vec_as().expect("f32")
    };
    assert_close(&states(&outcome.tuned.valid()), &states(&end), 1e-3);
}

#[test]
fn losses_are_those_of_peft() {
    for family in ["llama", "qwen2", "gpt2", "bert"] {
        for method in [
            "prompt",
            "lora",
            "rslora-all-linear",
            "dora",
            "lora-embeddings-head",
            "ia3",
        ] {
            check(family, method);
        }
    }
    // A Llama has no biases.
    for family in ["qwen2", "gpt2", "bert"] {
        for method in ["lora-bias", "lora-bias-all"] {
            check(family, method);
        }
    }
}

#[test]
fn b_learns_at_the_rate_that_peft_gives_it() {
    for family in ["llama", "qwen2", "gpt2"] {
        // PEFT's files do not say that an adapter is trained so; ours do.
        let tuned = load(family, &golden(&format!("peft/{family}/lora-plus/start")));
        let base = BaseInfo {
            name_or_path: "tiny".into(),
            spec: tuned.base.spec().clone(),
            task_type: TaskType::CausalLm,
        };
        let folder = tempfile::tempdir().expect("a folder");
        save_adapter(folder.path(), &tuned.tuner, None, &base).expect("it is saved");
        let path = folder.path().join("pilotlight.json");
        let text = std::fs::read_to_string(&path).expect("the description");
        let mut own: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        own["tuner"]["plus_ratio"] = 16.into();
        std::fs::write(&path, own.to_string()).expect("written");
        check_from(family, "lora-plus", folder.path());
    }
}
