//! What a method computes on a device: states, gradients, and the losses of five training steps.

use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::{AdamWConfig, GradientsParams},
    tensor::{DType, Device, Tensor},
};
use pilotlight_transformer::Model;
use pilotlight_tuners::{AnyTuner, InitContext, TunerConfig};

use crate::{
    golden_model, golden_model_in,
    probe::{is_frozen, loss, n_trained, rows, shaken, token_states, values},
    vocabulary::Numbers,
};

/// The families that are measured: a decoder and an encoder.
pub const FAMILIES: [&str; 2] = ["llama", "bert"];

/// Numbers of a method on a golden model.
#[derive(Debug)]
pub struct Measured {
    /// The states of all tokens.
    pub states: Vec<f32>,
    /// The gradients of all trained parameters, beside the largest of them.
    pub gradients: Vec<f32>,
    /// The losses before each of five steps.
    pub losses: Vec<f32>,
}

/// How far numbers may be from others, as shares of the length of all.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Of the states.
    pub states: f32,
    /// Of the gradients.
    pub gradients: f32,
    /// Of the losses.
    pub losses: f32,
}

impl Tolerance {
    /// Of numbers on a base of f16, which keeps eleven bits of each, beside those on one of f32.
    pub const F16: Self = Self {
        states: 5e-3,
        gradients: 1e-1,
        losses: 3e-3,
    };
    /// The same of bf16, which keeps eight.
    pub const BF16: Self = Self {
        states: 5e-2,
        gradients: 3e-1,
        losses: 1e-2,
    };
}

/// The method of a section `[tuner]`, new on a model and then moved off its first values.
///
/// # Panics
///
/// Panics if there is no such method.
pub fn tuner(model: &Model, keys: &str, device: &Device) -> AnyTuner {
    let config: TunerConfig = serde_json::from_str(keys).expect("keys");
    let tuner = config.init(&InitContext {
        base: model,
        vocabulary: &Numbers,
        seed: 1,
        device,
    });
    shaken(tuner.expect("a tuner"))
}

/// Measures the method of a section `[tuner]` on the golden model of a family, its base in `dtype`.
///
/// # Panics
///
/// Panics if there is no such family or method, or the device fails.
pub fn measure(family: &str, keys: &str, device: &Device, dtype: DType) -> Measured {
    let device = device.clone().autodiff();
    // Methods that take parts of the weights for their first values take those of the same weights.
    let tuner = tuner(&golden_model(family, &device).model, keys, &device);
    let model = golden_model_in(family, &device, dtype).model;
    let states = token_states(&model, &rows(&model), &tuner);
    Measured {
        states: states.into_iter().flat_map(values).collect(),
        gradients: gradients(&model, &tuner),
        losses: losses(&model, tuner),
    }
}

impl Measured {
    /// Asserts that these numbers are near others. Rounding can push a number across the kink of an activation, so that
    /// single ones differ by more.
    ///
    /// # Panics
    ///
    /// Panics if they are not.
    #[track_caller]
    pub fn assert_near(&self, expected: &Self, tolerance: Tolerance) {
        for (name, found, expected, tolerance) in [
            ("states", &self.states, &expected.states, tolerance.states),
            (
                "gradients",
                &self.gradients,
                &expected.gradients,
                tolerance.gradients,
            ),
            ("losses", &self.losses, &expected.losses, tolerance.losses),
        ] {
            let share = difference(found, expected);
            // Written so that a NaN fails too.
            assert!(
                share <= tolerance,
                "the {name} differ by {share} of their length"
            );
        }
    }
}

/// The length of the difference of two lists as a share of the length of the second.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len(), "as many numbers");
    let length =
        |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|x| x * x).sum::<f32>().sqrt();
    let pairs = found.iter().zip(expected);
    let difference = length(&mut pairs.map(|(found, expected)| found - expected));
    match expected.is_empty() {
        true => 0.0,
        false => difference / length(&mut expected.iter().copied()),
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
        // Bounded below, and of the size of one: a sum that cancels has lost its digits.
        let loss = (loss(model, &tuner) / 1000.0 + 1.0).square();
        losses.push(loss.clone().into_scalar::<f32>());
        if n_trained(&tuner) > 0 {
            let gradients = GradientsParams::from_grads(loss.backward(), &tuner);
            tuner = optimizer.step(1e-2, tuner, gradients);
        }
    }
    losses
}
