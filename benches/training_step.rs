//! An optimizer step as the trainer does it, by method: forward, backward, update.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pilotlight_benches::{N_BATCH, N_TOKENS, completions, tuned};
use pilotlight_train::{Job, RunFolder, TrainConfig, Unobserved, train};
use serde_json::{Value, json};

fn training_step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("training-step");
    group.throughput(Throughput::Elements((N_BATCH * N_TOKENS) as u64));
    group.sample_size(10);
    let none = json!({ "method": "none" });
    let methods = [
        ("full", none, true),
        (
            "soft-prompt",
            json!({ "method": "soft-prompt", "prompt_length": 20, "init": "random" }),
            false,
        ),
        ("lora", json!({ "method": "lora", "rank": 8 }), false),
    ];
    for (name, method, full) in methods {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|n_steps| steps(&method, full, n_steps));
        });
    }
    group.finish();
}

/// The time that so many steps took, without loading and checkpoints.
fn steps(method: &Value, full: bool, n_steps: u64) -> Duration {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let run = RunFolder::create(folder.path().join("run")).expect("a new folder");
    let config = TrainConfig {
        steps: Some(usize::try_from(n_steps).unwrap_or(usize::MAX)),
        batch_size: N_BATCH,
        ..TrainConfig::default()
    };
    let job = Job {
        data: &completions(),
        config: &config,
        seed: 1,
        run: &run,
        resume: false,
        observer: &mut Unobserved,
    };
    let outcome = train(tuned(method, full), job).expect("the method fits the task");
    Duration::from_secs_f64(outcome.seconds.training)
}

criterion_group!(benches, training_step);
criterion_main!(benches);
