//! An optimizer step as the trainer does it, by method and device: forward, backward, update.

use std::time::Duration;

use burn::tensor::Device;
use criterion::{Criterion, Throughput};
use pilotlight_benches::{N_BATCH, N_TOKENS, devices, model, settings};
use pilotlight_compare::bench::{BENCH_METHODS, BenchMethod, Step};

pub(crate) fn training_step(criterion: &mut Criterion) {
    for (name, device) in devices() {
        let mut group = criterion.benchmark_group(format!("training-step/{name}"));
        group.throughput(Throughput::Elements((N_BATCH * N_TOKENS) as u64));
        group.sample_size(10);
        for method in BENCH_METHODS.iter().filter(|method| method.is_usual) {
            group.bench_function(method.name, |bencher| {
                bencher.iter_custom(|n_steps| steps(method, &device, n_steps));
            });
        }
        group.finish();
    }
}

/// The time that so many steps took, without loading.
fn steps(method: &BenchMethod, device: &Device, n_steps: u64) -> Duration {
    let step = Step::load(&settings(method), &model(), device).expect("the method fits the model");
    let n_steps = usize::try_from(n_steps).unwrap_or(usize::MAX);
    let measured = step.measure(1, n_steps, 0.0).expect("the device works");
    Duration::from_secs_f64(measured.step_seconds.iter().sum())
}
