//! What the benchmarks measure on: the shape `tiny` of `pilot bench`, on the devices that are asked for.
//!
//! `cargo bench -p pilotlight-benches` runs them on the CPU. `PILOT_BENCH_DEVICES=cpu,wgpu` names other devices, as
//! `pilot devices` does; their backends are features of this crate.

use burn::tensor::Device;
use pilotlight_compare::{
    Precision,
    bench::{BenchMethod, BenchModel, NAMED_SHAPES, Settings},
};

/// Texts of a batch.
pub const N_BATCH: usize = 8;

/// Tokens of a text.
pub const N_TOKENS: usize = 64;

/// Vectors of a prompt or a prefix.
const N_VECTORS: usize = 20;

/// The devices of `PILOT_BENCH_DEVICES` with their names; without it the CPU.
///
/// # Panics
///
/// Panics if one is not there, or its backend not in this build.
pub fn devices() -> Vec<(String, Device)> {
    let names = std::env::var("PILOT_BENCH_DEVICES").unwrap_or_else(|_| "cpu".into());
    let names = names
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names.map(|name| (name.to_owned(), device(name))).collect()
}

fn device(name: &str) -> Device {
    let (backend, index) = name.split_once(':').unwrap_or((name, "0"));
    let index: usize = index.parse().expect("a device is `cpu`, `wgpu`, `cuda:1`");
    let mut devices: Vec<Device> = match backend {
        "cpu" => vec![Device::flex()],
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::enumerate(burn::tensor::DeviceType::Wgpu)
            .into_iter()
            .collect(),
        #[cfg(feature = "cuda")]
        "cuda" => Device::enumerate(burn::tensor::DeviceType::Cuda)
            .into_iter()
            .collect(),
        other => panic!(
            "PILOT_BENCH_DEVICES: `{other}` is no backend of this build; `wgpu` and `cuda` are features"
        ),
    };
    assert!(
        index < devices.len(),
        "PILOT_BENCH_DEVICES: there is no device {name}"
    );
    devices.swap_remove(index)
}

/// The model, made of random weights.
pub fn model() -> BenchModel {
    BenchModel::random(&NAMED_SHAPES[0])
}

/// A step of a method on [`model`].
///
/// # Panics
///
/// Panics if the shape cannot be read, which it can.
pub fn settings(method: &BenchMethod) -> Settings {
    let tuner = method.tuner(N_VECTORS);
    let (shape, _) = model().shape().expect("its configuration is complete");
    Settings {
        device: String::new(),
        method: method.name.to_owned(),
        prompt_length: tuner.reserve(),
        tuner,
        trains_base: method.trains_base,
        model: NAMED_SHAPES[0].name.to_owned(),
        shape,
        batch: N_BATCH,
        tokens: N_TOKENS,
        dtype: Precision::F32,
    }
}
