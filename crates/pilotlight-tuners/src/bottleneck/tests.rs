use burn::tensor::{Device, TensorData};

use super::*;
use crate::{
    error::Problems,
    method::{Method, Tensors},
    test_support::{assert_close, llama, values},
};

/// Adapters of width 1 that read the first number of a vector and add to the last one.
fn tuner(kind: BottleneckKind, activation: Activation, scale: Option<f64>) -> Bottleneck {
    let config = BottleneckConfig {
        kind,
        bottleneck_dim: 1,
        activation,
        scale,
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
fn values_out_of_bounds_are_problems() {
    let config = BottleneckConfig {
        bottleneck_dim: 0,
        scale: Some(-1.0),
        ..BottleneckConfig::default()
    };
    let mut problems = Problems::default();
    config.problems(&llama(), &mut problems);
    let keys: Vec<&str> = problems
        .listed()
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(keys, ["bottleneck_dim", "scale"]);
}
