//! Every device gives the numbers of the CPU: states, gradients, and the losses of five training steps.
//!
//! `cargo test --release --package pilotlight-tests --features wgpu --test devices` runs it on the devices of that
//! backend; a software driver such as Mesa's lavapipe will do. Fusion and autotune are left out of this build, because
//! they spend minutes on tiny models.

#![cfg(any(feature = "cuda", feature = "wgpu"))]
#![expect(clippy::print_stdout, reason = "names the case in which a test failed")]

use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::{AdamWConfig, GradientsParams},
    tensor::{DType, Device, DeviceType, Tensor},
};
use pilotlight_tests::{
    assert_close, golden_model_in,
    laws::laws,
    probe::{is_frozen, loss, n_trained, rows, shaken, token_states, values},
    vocabulary::Numbers,
};
use pilotlight_transformer::Model;
use pilotlight_tuners::{AnyTuner, InitContext, TunerConfig};

const FAMILIES: [&str; 2] = ["llama", "bert"];

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

/// What is compared.
struct Measured {
    states: Vec<f32>,
    gradients: Vec<f32>,
    losses: Vec<f32>,
}

fn measure(family: &str, keys: &str, device: &Device, dtype: DType) -> Measured {
    let device = device.clone().autodiff();
    let model = golden_model_in(family, &device, dtype).model;
    let config: TunerConfig = serde_json::from_str(keys).expect("keys");
    let tuner = config.init(&InitContext {
        base: &model,
        vocabulary: &Numbers,
        seed: 1,
        device: &device,
    });
    let tuner = shaken(tuner.expect("a tuner"));
    let states = token_states(&model, &rows(&model), &tuner);
    Measured {
        states: states.into_iter().flat_map(values).collect(),
        gradients: gradients(&model, &tuner),
        losses: losses(&model, tuner),
    }
}

fn gradients(model: &Model, tuner: &AnyTuner) -> Vec<f32> {
    struct Collect(GradientsParams, Vec<f32>);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if is_frozen(param) {
                return;
            }
            let gradient = self.0.get::<D>(param.id).expect("a gradient").into_data();
            self.1.extend(
                gradient
                    .convert_dtype(DType::F32)
                    .try_into_vec::<f32>()
                    .expect("f32"),
            );
        }
    }
    if n_trained(tuner) == 0 {
        return Vec::new();
    }
    let gradients = GradientsParams::from_grads(loss(model, tuner).backward(), tuner);
    let mut collect = Collect(gradients, Vec::new());
    tuner.visit(&mut collect);
    // The length of a gradient depends on the method; what counts is the difference beside its largest number.
    let largest = collect
        .1
        .iter()
        .fold(1e-12_f32, |largest, x| largest.max(x.abs()));
    collect.1.iter().map(|x| x / largest).collect()
}

fn losses(model: &Model, mut tuner: AnyTuner) -> Vec<f32> {
    let mut optimizer = AdamWConfig::new().with_epsilon(1e-8).init();
    let mut losses = Vec::new();
    for _ in 0..5 {
        // Bounded below, and of the size of one.
        let loss = (loss(model, &tuner) / 100.0).square();
        losses.push(loss.clone().into_scalar::<f32>());
        if n_trained(&tuner) > 0 {
            let gradients = GradientsParams::from_grads(loss.backward(), &tuner);
            tuner = optimizer.step(1e-2, tuner, gradients);
        }
    }
    losses
}

#[track_caller]
fn check(dtype: DType, compare: impl Fn(&[f32], &[f32])) {
    for device in devices() {
        if !device.supports_dtype(dtype) {
            println!("{device:?} does not compute in {dtype:?}");
            continue;
        }
        for family in FAMILIES {
            for law in laws(family != "bert") {
                println!("{device:?}, {dtype:?}, {family}: {}", law.keys);
                let expected = measure(family, law.keys, &Device::flex(), DType::F32);
                let found = measure(family, law.keys, &device, dtype);
                compare(&found.states, &expected.states);
                if !expected.gradients.is_empty() {
                    compare(&found.gradients, &expected.gradients);
                }
                compare(&found.losses, &expected.losses);
            }
        }
    }
}

/// Asserts that two lists differ by at most a share of the length of one. Rounding can push a number across the kink of
/// an activation, so that single ones differ by more.
#[track_caller]
fn assert_near(found: &[f32], expected: &[f32], share: f32) {
    let length =
        |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|x| x * x).sum::<f32>().sqrt();
    let pairs = found.iter().zip(expected);
    let difference = length(&mut pairs.map(|(found, expected)| found - expected));
    let whole = length(&mut expected.iter().copied());
    // Written so that a NaN fails too.
    assert!(
        difference <= share * whole,
        "they differ by {} of their length",
        difference / whole
    );
}

#[test]
fn numbers_in_f32_are_those_of_the_cpu() {
    check(DType::F32, |found, expected| {
        assert_close(found, expected, 1e-4);
    });
}

/// The base in half precision beside one in single precision on the CPU: eleven bits of it are kept.
#[test]
fn numbers_in_f16_are_near_those_of_the_cpu() {
    check(DType::F16, |found, expected| {
        assert_near(found, expected, 1e-1);
    });
}

/// As in half precision, with eight bits.
#[test]
fn numbers_in_bf16_are_near_those_of_the_cpu() {
    check(DType::BF16, |found, expected| {
        assert_near(found, expected, 4e-1);
    });
}
