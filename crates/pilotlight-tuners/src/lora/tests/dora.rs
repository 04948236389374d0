use burn::{
    module::Param,
    nn::Linear,
    optim::GradientsParams,
    tensor::{Device, Distribution, Tensor, TensorData, module::linear},
};
use pilotlight_core::{Base, Shape};

use super::*;
use crate::{method::InitContext, test_support::word_embeddings};

/// A base with weights; those of all projections differ.
#[derive(Debug)]
pub(super) struct Weights {
    shape: Shape,
    head: Tensor<2>,
    device: Device,
}

pub(super) fn numbers(seed: usize, shape: [usize; 2]) -> TensorData {
    let values = (0..shape[0] * shape[1]).map(|index| {
        let index = index + 1000 * seed;
        (index * 7919 % 1013) as f32 / 506.0 - 1.0
    });
    TensorData::new(values.collect::<Vec<f32>>(), shape)
}

impl Weights {
    pub(super) fn of(spec: ModelSpec, device: &Device) -> Self {
        let head = Tensor::from_data(numbers(77, [spec.d_model, spec.n_vocab]), device);
        let word_embeddings = word_embeddings(device);
        Self {
            shape: Shape {
                spec,
                word_embeddings,
            },
            head,
            device: device.clone(),
        }
    }

    pub(super) fn context<'a>(&'a self, seed: u64) -> InitContext<'a> {
        InitContext {
            base: self,
            vocabulary: &crate::NoVocabulary,
            seed,
            device: &self.device,
        }
    }
}

impl Base for Weights {
    fn spec(&self) -> &ModelSpec {
        &self.shape.spec
    }

    fn word_embeddings(&self) -> Tensor<2> {
        self.shape.word_embeddings.clone()
    }

    fn projection(&self, site: Site) -> Option<Linear> {
        let spec = self.spec().projection(site.projection)?;
        let seed = 10 * site.layer + site.projection as usize;
        let weight = numbers(seed, [spec.d_input, spec.d_output]);
        let weight = Param::<Tensor<2>>::from_data(weight, &self.device);
        let bias = numbers(seed + 5, [1, spec.d_output]);
        let bias = Tensor::<2>::from_data(bias, &self.device).squeeze_dim::<1>(0);
        Some(Linear {
            weight: weight.set_require_grad(false),
            bias: Some(Param::from_tensor(bias).set_require_grad(false)),
        })
    }

    fn head(&self) -> Option<Tensor<2>> {
        Some(self.head.clone())
    }
}

fn dora() -> LoraConfig {
    LoraConfig {
        rank: 3,
        alpha: 2.1,
        dora: true,
        ..LoraConfig::default()
    }
}

/// A tuner at the value projection of layer 0, `[8, 4]`, with other numbers than its first ones.
fn trained(device: &Device) -> Lora {
    let site = site(0, Projection::Value);
    let (a, b) = (numbers(1, [8, 3]), numbers(2, [3, 4]));
    let magnitude = Magnitude::new([1.5f32, 0.7, 3.0, 2.0].into(), device);
    let update = LowRank::new(site, a, b, 0.7, device).with_magnitude(Some(magnitude));
    Lora::new(dora(), vec![update])
}

/// `m / n * (W + s A B)`, dense; n is held constant.
fn dense(lora: &Lora, base: &Linear) -> Tensor<2> {
    let [update] = lora.updates.as_slice() else {
        panic!("one update");
    };
    let product = update
        .a
        .val()
        .matmul(update.b.val())
        .mul_scalar(update.scale);
    let sum = base.weight.val() + product;
    let norm = sum.clone().square().sum_dim(0).sqrt().detach();
    let magnitude = update.magnitude.as_ref().expect("magnitudes");
    sum * (magnitude.values.val().unsqueeze() / norm)
}

#[test]
fn magnitudes_start_as_the_lengths_of_the_columns_and_change_nothing() {
    let device = Device::default().autodiff();
    let base = Weights::of(llama(), &device);
    let lora = dora().init(&base.context(1)).expect("a tuner");
    let input = Tensor::<3>::random([2, 5, 8], Distribution::Normal(0.0, 1.0), &device);
    for update in &lora.updates {
        let Target::Layer(site) = update.target else {
            panic!("a projection");
        };
        let linear = base.projection(site).expect("a projection");
        let lengths = linear.weight.val().square().sum_dim(0).sqrt();
        let magnitude = update.magnitude.as_ref().expect("magnitudes");
        assert_close(&values(magnitude.values.val()), &values(lengths), 1e-6);
        let output = linear.forward(input.clone());
        let hooked = lora.project_output(site, &linear, &input, output.clone());
        assert_eq!(values(hooked), values(output));
    }
}

#[test]
fn output_and_gradients_are_those_of_the_dense_formula() {
    let device = Device::default().autodiff();
    let base = Weights::of(llama(), &device);
    let site = site(0, Projection::Value);
    let projection = base.projection(site).expect("a projection");
    let lora = trained(&device);
    let input = Tensor::<3>::random([2, 5, 8], Distribution::Normal(0.0, 1.0), &device);

    let hooked = lora.project_output(site, &projection, &input, projection.forward(input.clone()));
    let bias = projection.bias.as_ref().map(Param::val);
    let expected = linear(input.clone(), dense(&lora, &projection), bias);
    assert_close(&values(hooked.clone()), &values(expected.clone()), 1e-5);

    let gradients = [hooked, expected].map(|output| {
        let loss = output.powf_scalar(2.0).mean();
        GradientsParams::from_grads(loss.backward(), &lora)
    });
    let update = &lora.updates[0];
    let magnitude = update.magnitude.as_ref().expect("magnitudes");
    for id in [update.a.id, update.b.id] {
        let [ours, dense] = [0, 1].map(|which| gradients[which].get::<2>(id).expect("one"));
        assert_close(&values(ours), &values(dense), 1e-5);
    }
    let id = magnitude.values.id;
    let [ours, dense] = [0, 1].map(|which| gradients[which].get::<1>(id).expect("one"));
    assert_close(&values(ours), &values(dense), 1e-5);
}

#[test]
fn merged_is_the_dense_formula() {
    let device = Device::default();
    let base = Weights::of(llama(), &device);
    let site = site(0, Projection::Value);
    let projection = base.projection(site).expect("a projection");
    let lora = trained(&device);
    let merged = lora.merged_output(site, &projection).expect("it merges");
    let expected = dense(&lora, &projection);
    assert_close(&values(merged.weight.val()), &values(expected), 1e-5);
    assert!(merged.bias.is_some(), "the bias stays");
}

#[test]
fn a_trained_base_is_never_remembered() {
    let device = Device::default().autodiff();
    let base = Weights::of(llama(), &device);
    let site = site(0, Projection::Value);
    let frozen = base.projection(site).expect("a projection");
    let lora = trained(&device);
    let input = Tensor::<3>::random([1, 5, 8], Distribution::Normal(0.0, 1.0), &device);
    let check = |lora: &Lora, base: &Linear| {
        let output = base.forward(input.clone());
        let hooked = lora.project_output(site, base, &input, output);
        let bias = base.bias.as_ref().map(Param::val);
        let expected = linear(input.clone(), dense(lora, base), bias);
        assert_close(&values(hooked), &values(expected), 1e-5);
    };
    // Twice, so that the second time it is remembered.
    check(&lora, &frozen);
    check(&lora, &frozen);
    let mut trained = frozen.clone();
    trained.weight = trained.weight.set_require_grad(true);
    check(&lora, &trained);
    // The same parameter with other numbers: that of a training step, then of the evaluation behind it.
    trained.weight = trained
        .weight
        .map(|weight| weight.mul_scalar(2.0).detach().require_grad());
    check(&lora, &trained);
    let device = device.inner();
    let valid = Linear {
        weight: trained.weight.valid(),
        bias: trained.bias.as_ref().map(Module::valid),
    };
    let input = input.inner().to_device(&device);
    let lora = lora.valid();
    let hooked = lora.project_output(site, &valid, &input, valid.forward(input.clone()));
    let bias = valid.bias.as_ref().map(Param::val);
    let expected = linear(input, dense(&lora, &valid), bias);
    assert_close(&values(hooked), &values(expected), 1e-5);
}

#[test]
fn dropout_is_seen_by_the_rescaled_part_alone() {
    let device = Device::default().autodiff();
    let site = site(0, Projection::Query);
    let zeros = || TensorData::zeros::<f32, _>([8, 8]);
    let magnitude = Magnitude::new([3.0f32; 8].into(), &device);
    let update = LowRank::new(site, zeros(), zeros(), 1.0, &device);
    let config = LoraConfig {
        dropout: 0.5,
        ..dora()
    };
    let lora = Lora::new(config, vec![update.with_magnitude(Some(magnitude))]);
    let eye = Param::from_tensor(Tensor::<2>::eye(8, &device)).set_require_grad(false);
    let base = Linear {
        weight: eye,
        bias: None,
    };
    let input = Tensor::<3>::ones([1, 50, 8], &device);
    let hooked = values(lora.project_output(site, &base, &input, input.clone()));
    // 1 + (3 - 1) * d, where d is 0 or 1 / (1 - 0.5).
    assert!(hooked.iter().all(|value| [1.0, 5.0].contains(value)));
    assert!(hooked.contains(&1.0) && hooked.contains(&5.0));
}

#[test]
fn a_column_of_zeros_stays_one() {
    let device = Device::default();
    let site = site(0, Projection::Query);
    let zeros = || TensorData::zeros::<f32, _>([8, 8]);
    let magnitude = Magnitude::new([0.0f32; 8].into(), &device);
    let update = LowRank::new(site, zeros(), zeros(), 1.0, &device);
    let lora = Lora::new(dora(), vec![update.with_magnitude(Some(magnitude))]);
    let base = Linear {
        weight: Param::from_tensor(Tensor::zeros([8, 8], &device)),
        bias: None,
    };
    let input = Tensor::<3>::ones([1, 2, 8], &device);
    let hooked = lora.project_output(site, &base, &input, base.forward(input.clone()));
    assert!(values(hooked).iter().all(|value| *value == 0.0));
}

#[test]
fn a_base_that_gives_no_weights_is_told() {
    let device = Device::default();
    let error = dora().init(&context(&llama(), &device, 1));
    let message = error.expect_err("no weights").to_string();
    assert!(
        message.contains("model.layers.0.self_attn.q_proj"),
        "{message}"
    );
    assert!(message.contains("hint: "), "{message}");
}
