//! Every device gives the numbers of the CPU: states, gradients, and the losses of five training steps.
//!
//! `cargo test --release --package pilotlight-tests --features wgpu --test devices` runs it on the devices of that
//! backend; a software driver such as Mesa's lavapipe will do. `PILOT_TEST_DEVICES=wgpu:1,cuda` chooses some, by the names
//! that `pilot devices` has for them. Fusion and autotune are left out of this build, because they spend minutes on tiny
//! models; what `cargo xtask gpu-pack` builds has them.

#![cfg(any(feature = "cuda", feature = "wgpu"))]
#![expect(clippy::print_stdout, reason = "tells how near a device came")]

use std::sync::{Mutex, PoisonError};

use burn::tensor::{DType, Device, DeviceType};
use pilotlight_tests::measured::compare;

/// A device with its name.
type Named = (String, Device);

/// The devices of the backends that were compiled in, or those of `PILOT_TEST_DEVICES`.
fn devices() -> Vec<Named> {
    let mut devices = Vec::new();
    #[cfg(feature = "wgpu")]
    devices.extend(named("wgpu", DeviceType::Wgpu));
    #[cfg(feature = "cuda")]
    devices.extend(named("cuda", DeviceType::Cuda));
    let Ok(wanted) = std::env::var("PILOT_TEST_DEVICES") else {
        assert!(
            !devices.is_empty(),
            "no device works here; wgpu needs a Vulkan driver, cuda an NVIDIA GPU"
        );
        return devices;
    };
    let find = |wanted: &str| {
        let found = devices.iter().find(|(name, _)| name == wanted.trim());
        let found = found.cloned();
        found.unwrap_or_else(|| panic!("PILOT_TEST_DEVICES: there is no {wanted} here"))
    };
    wanted.split(',').map(find).collect()
}

/// The devices of a backend, named as `pilot devices` names them.
fn named(backend: &str, kind: DeviceType) -> impl Iterator<Item = Named> {
    let devices = Device::enumerate(kind).into_iter().enumerate();
    devices.map(move |(index, device)| match index {
        0 => (backend.to_owned(), device),
        index => (format!("{backend}:{index}"), device),
    })
}

#[track_caller]
fn check(dtype: DType) {
    // One test at a time: a driver in software takes all cores for itself.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, device) in devices() {
        match device.supports_dtype(dtype) {
            true => println!("{name} in {dtype:?}: {}", compare(&device, dtype)),
            false => println!("{name} does not compute in {dtype:?}"),
        }
    }
}

#[test]
fn numbers_in_f32_are_those_of_the_cpu() {
    check(DType::F32);
}

#[test]
fn numbers_in_f16_are_near_those_of_the_cpu() {
    check(DType::F16);
}

#[test]
fn numbers_in_bf16_are_near_those_of_the_cpu() {
    check(DType::BF16);
}
