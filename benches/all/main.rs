//! All benchmarks in one program, so that it can be carried to another machine.

mod forward;
mod training_step;

use criterion::{criterion_group, criterion_main};

criterion_group!(benches, forward::forward, training_step::training_step);
criterion_main!(benches);
