use burn::tensor::Device;
use pilotlight_core::{Base, Shape, TokenRow, Tuner};

use super::*;
use crate::{
    error::Problems,
    method::{InitContext, Method, Tensors},
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
        std: Some(0.0),
        projection_dim: Some(0),
        ..PrefixConfig::default()
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

#[test]
fn options_without_effect_are_problems() {
    let check = |config: PrefixConfig, expected: &[(&str, &str)]| {
        let mut problems = Problems::default();
        config.problems(&llama(), &mut problems);
        let found = problems.listed();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, (key, message)) in found.iter().zip(expected) {
            assert_eq!(found.key, *key);
            assert!(found.message.contains(message), "{found:?}");
        }
    };
    let text = |text: Option<&str>| PrefixConfig {
        init: PrefixInit::Text,
        text: text.map(str::to_owned),
        ..config(None)
    };
    check(text(None), &[("text", "is missing")]);
    check(text(Some("")), &[("text", "is empty")]);
    check(
        PrefixConfig {
            std: Some(0.1),
            projection_dim: Some(4),
            ..text(Some("20"))
        },
        &[("std", "no effect"), ("projection_dim", "cannot stand")],
    );
    check(
        PrefixConfig {
            init: PrefixInit::Zero,
            ..text(Some("20"))
        },
        &[("text", "only init `text` reads it")],
    );
}

#[test]
fn zero_is_about_values_and_keys_differ() {
    let (spec, device) = (llama(), Device::default());
    for projection_dim in [None, Some(5)] {
        let config = PrefixConfig {
            init: PrefixInit::Zero,
            ..config(projection_dim)
        };
        let prefix = config.init(&context(&spec, &device, 1)).expect("a prefix");
        for layer in 0..2 {
            let KeyValue { key, value } = prefix.prefix(layer, 1).expect("a prefix").key_value;
            assert_eq!(values(value), [0.0; 12]);
            let keys = values(key);
            assert!(keys.iter().all(|x| *x != 0.0));
            assert!((0..2).all(|i| keys[i] != keys[i + 2]), "{keys:?}");
        }
    }
}

/// A model whose keys and values count on, layer by layer.
#[derive(Debug)]
struct Counting(ModelSpec);

impl Base for Counting {
    fn spec(&self) -> &ModelSpec {
        &self.0
    }

    fn word_embeddings(&self) -> Tensor<2> {
        crate::test_support::word_embeddings(&Device::default())
    }

    fn keys_and_values(&self, row: &TokenRow) -> Option<Vec<KeyValue>> {
        let n = row.ids.len();
        let tensor = |start: usize| {
            // Head, token, place in the head.
            let numbers =
                (0..4 * n).map(|i| (start + 10 * (i / (2 * n))) as f32 + row.ids[i / 2 % n] as f32);
            let data = TensorData::new(numbers.collect::<Vec<f32>>(), [1, 2, n, 2]);
            Tensor::from_data(data, &Device::default())
        };
        let layers = [0, 2000].map(|start| KeyValue::new(tensor(start), tensor(start + 1000)));
        Some(layers.into())
    }
}

#[test]
fn a_text_gives_its_own_keys_and_values() {
    let (spec, device) = (llama(), Device::default());
    let init = |text: &str, base: &dyn Base| {
        let config = PrefixConfig {
            init: PrefixInit::Text,
            text: Some(text.into()),
            ..config(None)
        };
        config.init(&InitContext {
            base,
            ..context(&spec, &device, 1)
        })
    };
    let base = Counting(llama());
    let prefix = init("20 25 23 39", &base).expect("a prefix");
    let found = prefix.prefix(1, 1).expect("a prefix").key_value;
    let expected = base.keys_and_values(&TokenRow::new(vec![20, 25, 23]));
    let expected = expected.expect("layers").remove(1);
    assert_eq!(values(found.key), values(expected.key));
    assert_eq!(values(found.value), values(expected.value));

    let refused = |text: &str, base: &dyn Base, expected: &str| {
        let error = init(text, base).expect_err("an error").to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused("20 25", &base, "set `prefix_length = 2`");
    refused("20 25 400", &base, "needs token 400");
    let shape = Shape {
        spec: llama(),
        word_embeddings: base.word_embeddings(),
    };
    refused("20 25 23", &shape, "only decoders have");
}
