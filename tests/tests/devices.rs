//! Every device gives the numbers of the CPU: states, gradients, and the losses of five training steps.
//!
//! `cargo test --release --package pilotlight-tests --features wgpu --test devices` runs it on the devices of that
//! backend; a software driver such as Mesa's lavapipe will do. Fusion and autotune are left out of this build, because
//! they spend minutes on tiny models.

#![cfg(any(feature = "cuda", feature = "wgpu"))]
#![expect(clippy::print_stdout, reason = "names the case in which a test failed")]

use burn::tensor::{DType, Device, DeviceType};
use pilotlight_tests::{
    assert_close,
    laws::laws,
    measured::{FAMILIES, Measured, Tolerance, measure},
};

/// The devices of the backends that were compiled in.
fn devices() -> Vec<Device> {
    let mut devices = Vec::new();
    #[cfg(feature = "wgpu")]
    devices.extend(Device::enumerate(DeviceType::Wgpu));
    #[cfg(feature = "cuda")]
    devices.extend(Device::enumerate(DeviceType::Cuda));
    assert!(
        !devices.is_empty(),
        "no device works here; wgpu needs a Vulkan driver, cuda an NVIDIA GPU"
    );
    devices
}

#[track_caller]
fn check(dtype: DType, compare: impl Fn(&Measured, &Measured)) {
    for device in devices() {
        if !device.supports_dtype(dtype) {
            println!("{device:?} does not compute in {dtype:?}");
            continue;
        }
        for family in FAMILIES {
            for law in laws(family != "bert") {
                println!("{device:?}, {dtype:?}, {family}: {}", law.keys);
                let expected = measure(family, law.keys, &Device::flex(), DType::F32);
                compare(&measure(family, law.keys, &device, dtype), &expected);
            }
        }
    }
}

#[test]
fn numbers_in_f32_are_those_of_the_cpu() {
    check(DType::F32, |found, expected| {
        assert_close(&found.states, &expected.states, 1e-4);
        if !expected.gradients.is_empty() {
            assert_close(&found.gradients, &expected.gradients, 1e-4);
        }
        assert_close(&found.losses, &expected.losses, 1e-4);
    });
}

/// The base in half precision beside one in single precision on the CPU: eleven bits of it are kept.
#[test]
fn numbers_in_f16_are_near_those_of_the_cpu() {
    check(DType::F16, |found, expected| {
        found.assert_near(expected, Tolerance::F16);
    });
}

/// As in half precision, with eight bits.
#[test]
fn numbers_in_bf16_are_near_those_of_the_cpu() {
    check(DType::BF16, |found, expected| {
        found.assert_near(expected, Tolerance::BF16);
    });
}
