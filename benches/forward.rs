//! A forward pass without gradients, by method.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pilotlight_benches::{N_BATCH, N_TOKENS, rows, tuned};
use serde_json::json;

fn forward(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("forward");
    group.throughput(Throughput::Elements((N_BATCH * N_TOKENS) as u64));
    let methods = [
        ("none", json!({ "method": "none" })),
        (
            "soft-prompt",
            json!({ "method": "soft-prompt", "prompt_length": 20, "init": "random" }),
        ),
        ("lora", json!({ "method": "lora", "rank": 8 })),
    ];
    for (name, method) in methods {
        let tuned = tuned(&method, false);
        let rows = rows();
        let last: Vec<_> = (0..N_BATCH).map(|row| (row, N_TOKENS - 1)).collect();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let hidden = tuned.base.forward(&rows, &tuned.tuner);
                // Reading the values waits until they are there.
                black_box(
                    tuned
                        .base
                        .logits_at(&hidden, &last, &tuned.tuner)
                        .into_data(),
                )
            });
        });
    }
    group.finish();
}

criterion_group!(benches, forward);
criterion_main!(benches);
