use burn::tensor::{Device, TensorData};

use super::*;
use crate::{
    error::Problems,
    method::{Method, Tensors},
    test_support::{assert_close, context, llama, values},
};

/// Adapters of width 1 that read the first number of a vector and add to the last one.
fn tuner(kind: BottleneckKind, activation: Activation, scale: Option<f64>) -> Bottleneck {
    let config = BottleneckConfig {
        kind,
        bottleneck_dim: Some(1),
        activation,
        scale,
        ..BottleneckConfig::default()
    };
    let mut tensors = Vec::new();
    for layer in 0..2 {
        for place in ["attention", "feed_forward"] {
            if place == "attention" && kind != BottleneckKind::Houlsby {
                continue;
            }
            let name = |half: &str| format!("layers.{layer}.{place}.{half}");
            let mut first = [0.0f32; 8];
            first[0] = 1.0 + layer as f32;
            let last: [[f32; 1]; 8] = std::array::from_fn(|row| [if row == 7 { 2.0 } else { 0.0 }]);
            tensors.push((name("down.weight"), TensorData::from([first])));
            tensors.push((name("down.bias"), TensorData::from([0.5f32])));
            tensors.push((name("up.weight"), TensorData::from(last)));
            tensors.push((name("up.bias"), TensorData::from([0.0f32; 8])));
        }
    }
    let mut tensors = Tensors::new(tensors.into_iter().collect());
    config
        .restore(&mut tensors, &llama(), &Device::default())
        .expect("a tuner")
}

/// The last number of the output where the input is -1 and the output 3 everywhere.
fn last(tuner: &Bottleneck, layer: usize, sublayer: Sublayer) -> f32 {
    let device = Device::default();
    let input = Tensor::full([1, 1, 8], -1.0, &device);
    let output = Tensor::full([1, 1, 8], 3.0, &device);
    let values = values(tuner.sublayer_output(layer, sublayer, &input, output));
    assert_eq!(values[..7], [3.0; 7]);
    values[7]
}

#[test]
fn the_kind_says_where_adapters_are_and_what_they_read() {
    use BottleneckKind::*;
    let relu = |kind, scale| tuner(kind, Activation::Relu, scale);
    // 3 + 2 relu(3 + 0.5)
    assert_eq!(last(&relu(Houlsby, None), 0, Sublayer::Attention), 10.0);
    assert_eq!(last(&relu(Houlsby, None), 0, Sublayer::FeedForward), 10.0);
    assert_eq!(last(&relu(Pfeiffer, None), 0, Sublayer::Attention), 3.0);
    // 3 + 2 relu(2 * 3 + 0.5)
    assert_eq!(last(&relu(Pfeiffer, None), 1, Sublayer::FeedForward), 16.0);
    assert_eq!(
        last(&relu(Pfeiffer, Some(0.5)), 1, Sublayer::FeedForward),
        9.5
    );
    // 3 + 4 * 2 tanh(-1 + 0.5)
    let parallel = tuner(Parallel, Activation::Tanh, None);
    let found = last(&parallel, 0, Sublayer::FeedForward);
    assert_close(&[found], &[3.0 + 8.0 * (-0.5f32).tanh()], 1e-5);
    assert_eq!(last(&parallel, 0, Sublayer::Attention), 3.0);
}

#[test]
fn activations_are_those_of_their_names() {
    let at = |activation| {
        let tuner = tuner(BottleneckKind::Parallel, activation, Some(1.0));
        (last(&tuner, 0, Sublayer::FeedForward) - 3.0) / 2.0
    };
    assert_close(
        &[
            at(Activation::Relu),
            at(Activation::Gelu),
            at(Activation::Silu),
        ],
        &[0.0, -0.154_268_77, -0.188_770_33],
        1e-5,
    );
}

#[test]
fn the_width_is_given_or_a_part_of_the_model_s() {
    let (spec, device) = (llama(), Device::default());
    let width = |config: BottleneckConfig| {
        let tuner = config.init(&context(&spec, &device, 1)).expect("a tuner");
        tuner.feed_forward[1].up.weight.dims()
    };
    let factor = |factor| BottleneckConfig {
        reduction_factor: Some(factor),
        ..BottleneckConfig::default()
    };
    assert_eq!(width(BottleneckConfig::default()), [64, 8]);
    assert_eq!(width(factor(2)), [4, 8]);
    assert_eq!(width(factor(3)), [2, 8]);
    assert_eq!(width(factor(8)), [1, 8]);
}

#[test]
fn adapters_near_the_identity_have_small_weights_without_outliers() {
    let (spec, device) = (llama(), Device::default());
    let config = BottleneckConfig {
        init: BottleneckInit::NearIdentity,
        ..BottleneckConfig::default()
    };
    let tuner = config.init(&context(&spec, &device, 1)).expect("a tuner");
    let Adapter { down, up } = &tuner.feed_forward[0];
    for layer in [down, up] {
        let weights = values(layer.weight.val());
        let variance = weights.iter().map(|x| x * x).sum::<f32>() / weights.len() as f32;
        // A normal distribution cut at two standard deviations keeps 0.88 of its own.
        let std = variance.sqrt();
        assert!((std - 0.0088).abs() < 0.0008, "{std}");
        assert!(weights.iter().all(|x| x.abs() <= 0.02));
        let bias = layer.bias.as_ref().expect("a bias");
        assert!(values(bias.val()).iter().all(|x| *x == 0.0));
    }
}

#[track_caller]
fn check_problems(config: BottleneckConfig, expected: &[&str]) {
    let mut problems = Problems::default();
    config.problems(&llama(), &mut problems);
    let keys = problems.listed().iter();
    assert_eq!(
        keys.map(|problem| problem.key.as_str()).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn values_out_of_bounds_are_problems() {
    check_problems(
        BottleneckConfig {
            bottleneck_dim: Some(0),
            reduction_factor: Some(0),
            scale: Some(-1.0),
            init: BottleneckInit::NearIdentity,
            std: Some(0.0),
            ..BottleneckConfig::default()
        },
        &["bottleneck_dim", "reduction_factor", "std", "scale"],
    );
    check_problems(
        BottleneckConfig {
            reduction_factor: Some(9),
            ..BottleneckConfig::default()
        },
        &["reduction_factor"],
    );
}

#[test]
fn options_without_effect_are_problems() {
    check_problems(
        BottleneckConfig {
            bottleneck_dim: Some(4),
            reduction_factor: Some(2),
            std: Some(0.1),
            ..BottleneckConfig::default()
        },
        &["reduction_factor", "std"],
    );
}
