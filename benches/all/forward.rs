//! A forward pass without gradients, by method and device.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use pilotlight_benches::{N_BATCH, N_TOKENS, devices, model, settings};
use pilotlight_compare::bench::{BENCH_METHODS, completions, tuned};

pub(crate) fn forward(criterion: &mut Criterion) {
    for (name, device) in devices() {
        let mut group = criterion.benchmark_group(format!("forward/{name}"));
        group.throughput(Throughput::Elements((N_BATCH * N_TOKENS) as u64));
        for method in BENCH_METHODS.iter().filter(|method| method.is_usual) {
            let settings = settings(method);
            let tuned = tuned(&settings, &model(), &device).expect("the method fits the model");
            let texts = completions(&settings, tuned.base.spec().n_vocab)
                .train
                .examples;
            let rows: Vec<_> = texts.into_iter().map(|example| example.input).collect();
            let rows_of_states: Vec<usize> = (0..N_BATCH).collect();
            group.bench_function(method.name, |bencher| {
                bencher.iter(|| {
                    let hidden = tuned.base.forward(&rows, &tuned.tuner);
                    let last: Vec<_> = hidden.rows.iter().map(|row| row.len - 1).collect();
                    let places: Vec<_> = rows_of_states.iter().copied().zip(last).collect();
                    // Reading the values waits until they are there.
                    black_box(
                        tuned
                            .base
                            .logits_at(&hidden, &places, &tuned.tuner)
                            .into_data(),
                    )
                });
            });
        }
        group.finish();
    }
}
