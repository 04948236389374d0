use burn::{
    module::{Module, Param},
    optim::GradientsParams,
    tensor::{Device, Tensor, TensorData},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::*;
use crate::parameters::{clip_factor, gradient_norm, trained_shapes, trained_values};
use crate::tensor_file::Stored;

#[derive(Module, Debug)]
struct Pair {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

type Values = (Vec<Vec<f32>>, Vec<f32>);

#[derive(Deserialize)]
struct Case {
    name: String,
    optimizer: OptimizerKind,
    config: Map<String, Value>,
    start: Values,
    /// What the bias's learning rate is multiplied by.
    bias_factor: f64,
    gradients: Vec<Values>,
    norms: Vec<f32>,
    end: Values,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../tests/goldens/optimizers.json")).expect("golden file")
}

fn tensors((weight, bias): &Values, device: &Device) -> (Tensor<2>, Tensor<1>) {
    let shape = [weight.len(), bias.len()];
    let weight = TensorData::new(weight.concat(), shape);
    (
        Tensor::from_data(weight, device),
        Tensor::from_floats(bias.as_slice(), device),
    )
}

impl Case {
    fn config(&self) -> TrainConfig {
        let keys = serde_json::to_value(&self.config).expect("keys");
        TrainConfig {
            optimizer: self.optimizer,
            ..serde_json::from_value(keys).expect("keys of [train]")
        }
    }

    fn module(&self) -> Pair {
        let (weight, bias) = tensors(&self.start, &Device::default());
        let weight = Param::from_tensor(weight);
        let bias = Param::from_tensor(bias);
        Pair { weight, bias }.train()
    }

    fn optimizer(&self, module: &Pair) -> Optimizer {
        Optimizer::new(&self.config()).with_rate_factors([(module.bias.id, self.bias_factor)])
    }

    /// The steps of `range`, with gradients clipped to a norm of 1.5.
    fn steps(
        &self,
        mut module: Pair,
        optimizer: &mut Optimizer,
        range: std::ops::Range<usize>,
    ) -> Pair {
        for step in range {
            let (weight, bias) = tensors(&self.gradients[step], &Device::default());
            let mut gradients = GradientsParams::new();
            gradients.register(module.weight.id, weight);
            gradients.register(module.bias.id, bias);
            let norm = gradient_norm(&module, &gradients).expect("gradients");
            let value: f32 = norm.clone().into_scalar();
            assert!((value - self.norms[step]).abs() < 1e-5, "{}", self.name);
            let scale = Some(clip_factor(norm, 1.5));
            module = optimizer.step(module, gradients, scale, 1e-2);
        }
        module
    }
}

fn read_all(tensors: BTreeMap<String, Stored>) -> BTreeMap<String, TensorData> {
    let tensors = tensors.into_iter();
    tensors
        .map(|(name, stored)| (name, stored.read()))
        .collect()
}

fn read(record: OptimizerRecord<Stored>) -> OptimizerRecord<TensorData> {
    OptimizerRecord {
        tensors: read_all(record.tensors),
        numbers: record.numbers,
        paths: record.paths,
    }
}

#[test]
fn twenty_clipped_steps_end_where_pytorch_ends() {
    for case in cases() {
        let module = case.module();
        let mut optimizer = case.optimizer(&module);
        let module = case.steps(module, &mut optimizer, 0..case.gradients.len());
        let weight: Vec<f32> = module.weight.val().try_into_vec_as().expect("f32");
        let bias: Vec<f32> = module.bias.val().try_into_vec_as().expect("f32");
        let expected = case.end.0.concat().into_iter().chain(case.end.1.clone());
        for (actual, expected) in weight.into_iter().chain(bias).zip(expected) {
            assert!(
                (actual - expected).abs() < 1e-6,
                "{}: {actual} instead of {expected}",
                case.name
            );
        }
    }
}

#[test]
fn a_record_in_another_process_goes_on_to_the_same_bits() {
    for case in cases() {
        let n_steps = case.gradients.len();
        let module = case.module();
        let mut optimizer = case.optimizer(&module);
        let half = case.steps(module, &mut optimizer, 0..n_steps / 2);
        let record = read(optimizer.record());
        let values = read_all(trained_values(&half));
        let whole = case.steps(half, &mut optimizer, n_steps / 2..n_steps);

        // A new module has other parameter ids, as a new process would.
        let module = crate::parameters::with_values(case.module(), values);
        let mut optimizer = case.optimizer(&module);
        let shapes = trained_shapes(&module);
        assert_eq!(shapes.len(), 2);
        optimizer
            .restore(record, &shapes, &Device::default())
            .expect("a record of its own");
        let resumed = case.steps(module, &mut optimizer, n_steps / 2..n_steps);
        let resumed = trained_values(&resumed);
        for (path, value) in trained_values(&whole) {
            assert_eq!(value.read().as_bytes(), resumed[&path].read().as_bytes());
        }
    }
}

#[test]
fn a_record_of_other_parameters_is_refused() {
    let case = &cases()[0];
    let mut optimizer = Optimizer::new(&case.config());
    let module = case.steps(case.module(), &mut optimizer, 0..1);
    let shapes = trained_shapes(&module);
    let check = |shapes: BTreeMap<String, Vec<usize>>, expected: &str| {
        let mut other = Optimizer::new(&case.config());
        let problem = other
            .restore(read(optimizer.record()), &shapes, &Device::default())
            .expect_err("does not fit");
        assert!(problem.contains(expected), "{problem}");
    };
    let mut misshapen = shapes.clone();
    misshapen.insert("weight".into(), vec![3, 5]);
    check(misshapen, "shape [3, 4]");
    let mut renamed = shapes;
    renamed.remove("bias");
    check(renamed, "belongs to no trained parameter");
}
