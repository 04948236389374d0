//! What a method computes on a device: states, gradients, and the losses of five training steps.

use std::fmt;

use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::{AdamWConfig, GradientsParams},
    tensor::{DType, Device, Tensor},
};
use pilotlight_transformer::Model;
use pilotlight_tuners::{AnyTuner, InitContext, TunerConfig};

use crate::{
    golden_model, golden_model_in,
    laws::laws,
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

/// How far numbers are from others, or may be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Distance {
    /// Of the states.
    pub states: f32,
    /// Of the gradients.
    pub gradients: f32,
    /// Of the losses.
    pub losses: f32,
}

impl Distance {
    /// How far numbers on a base of this type may be from those on one of f32 on the CPU. In f32 it is the largest
    /// difference of any two. f16 keeps eleven bits of each number and bf16 eight, and rounding can push one across the
    /// kink of an activation, so that single ones differ by more: there it is a share of the length of all.
    pub fn most(dtype: DType) -> Self {
        let (states, gradients, losses) = match dtype {
            DType::F16 => (5e-3, 1e-1, 3e-3),
            DType::BF16 => (5e-2, 3e-1, 1e-2),
            _ => (1e-4, 1e-4, 1e-4),
        };
        Self {
            states,
            gradients,
            losses,
        }
    }

    /// How far `found` is from `expected`, as a type of the base is judged.
    fn between(found: &Measured, expected: &Measured, dtype: DType) -> Self {
        let distance = match dtype {
            DType::F32 => largest_difference,
            _ => relative_length,
        };
        Self {
            states: distance(&found.states, &expected.states),
            gradients: distance(&found.gradients, &expected.gradients),
            losses: distance(&found.losses, &expected.losses),
        }
    }

    /// Each number by itself, by a choice between two.
    fn with(self, other: Self, choose: fn(f32, f32) -> f32) -> Self {
        Self {
            states: choose(self.states, other.states),
            gradients: choose(self.gradients, other.gradients),
            losses: choose(self.losses, other.losses),
        }
    }

    fn is_within(self, most: Self) -> bool {
        // Written so that a NaN is not.
        self.states <= most.states && self.gradients <= most.gradients && self.losses <= most.losses
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            states,
            gradients,
            losses,
        } = self;
        write!(
            f,
            "states {states:.0e}, gradients {gradients:.0e}, losses {losses:.0e}"
        )
    }
}

/// Measures every method on every family, its base in `dtype` on a device, beside one in f32 on the CPU, and says how far
/// the numbers were apart at most.
///
/// # Panics
///
/// Panics if some are farther apart than [`Distance::most`], and says which.
pub fn compare(device: &Device, dtype: DType) -> String {
    let most = Distance::most(dtype);
    let (mut n_cases, mut largest, mut too_far) = (0, Distance::default(), Vec::new());
    for family in FAMILIES {
        for law in laws(family != "bert") {
            let found = measure(family, law.keys, device, dtype);
            let expected = measure(family, law.keys, &Device::flex(), DType::F32);
            let distance = Distance::between(&found, &expected, dtype);
            largest = largest.with(distance, larger);
            if !distance.is_within(most) {
                too_far.push(format!("{family}, {}: {distance}", law.keys));
            }
            n_cases += 1;
        }
    }
    let summary = format!("{n_cases} methods and models, at most {largest} apart ({most} allowed)");
    assert!(
        too_far.is_empty(),
        "{} of {summary}:\n{}",
        too_far.len(),
        too_far.join("\n")
    );
    summary
}

/// The larger number; NaN is larger than any.
fn larger(first: f32, second: f32) -> f32 {
    match second.total_cmp(&first).is_gt() {
        true => second,
        false => first,
    }
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

/// The largest difference of two numbers.
fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len(), "as many numbers");
    let pairs = found.iter().zip(expected);
    pairs
        .map(|(found, expected)| (found - expected).abs())
        .fold(0.0, larger)
}

/// The length of the difference of two lists as a share of the length of the second.
fn relative_length(found: &[f32], expected: &[f32]) -> f32 {
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
