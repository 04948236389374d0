use burn::tensor::Device;
use pilotlight_core::Tuner;

use super::*;
use crate::{
    error::Problems,
    method::{Method, Tensors},
    test_support::{assert_close, context, llama, values},
};

fn config(projection_dim: Option<usize>) -> PrefixConfig {
    PrefixConfig {
        prefix_length: 3,
        projection_dim,
        ..PrefixConfig::default()
    }
}

#[test]
fn keys_and_values_have_the_layout_of_peft() {
    let (spec, device) = (llama(), Device::default());
    // Row, layer, keys or values, head, place in the head: one digit each.
    let digits = |index: usize| {
        let (row, slot) = (index / 16, index % 16);
        (10_000 * row + 1000 * (slot / 8) + 100 * (slot / 4 % 2) + 10 * (slot / 2 % 2) + slot % 2)
            as f32
    };
    let data = TensorData::new((0..48).map(digits).collect::<Vec<f32>>(), [3, 16]);
    let prefix = Prefix::new(config(None), data, None, &spec, &device);
    let KeyValue { key, value } = prefix.prefix(1, 2).expect("a prefix").key_value;
    assert_eq!(key.dims(), [2, 2, 3, 2]);
    let one = |slot: f32| -> Vec<f32> {
        let heads = [0.0, 10.0].into_iter();
        let rows = heads.flat_map(|head| [0.0, 10_000.0, 20_000.0].map(|row| head + row));
        rows.flat_map(|row| [slot + row, slot + row + 1.0])
            .collect()
    };
    assert_eq!(values(key), one(1000.0).repeat(2));
    assert_eq!(values(value), one(1100.0).repeat(2));
}

#[test]
fn the_network_is_dropped_when_the_prefix_is_saved() {
    let (spec, device) = (llama(), Device::default());
    let prefix = config(Some(5))
        .init(&context(&spec, &device, 1))
        .expect("a tuner");
    assert_eq!(prefix.vectors.dims(), [3, 4]);
    let tensors = PrefixConfig::tensors(&prefix, &spec);
    let mut tensors = Tensors::new(tensors.into_iter().collect());
    let plain = config(None)
        .restore(&mut tensors, &spec, &device)
        .expect("a tuner");
    assert!(plain.network.is_none());
    for layer in 0..2 {
        let [plain, trained] = [&plain, &prefix].map(|prefix| {
            let KeyValue { key, value } = prefix.prefix(layer, 1).expect("a prefix").key_value;
            [values(key), values(value)].concat()
        });
        assert_close(&plain, &trained, 0.0);
        assert!(plain.iter().any(|x| *x != 0.0));
    }
}

#[test]
fn values_out_of_bounds_are_problems() {
    let config = PrefixConfig {
        prefix_length: 64,
        std: 0.0,
        projection_dim: Some(0),
    };
    let mut problems = Problems::default();
    config.problems(&llama(), &mut problems);
    let keys: Vec<&str> = problems
        .listed()
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(keys, ["prefix_length", "std", "projection_dim"]);
}
