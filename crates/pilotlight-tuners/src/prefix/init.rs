//! The first values of a prefix. Everything is drawn on the CPU, so that every backend starts alike.

use burn::{
    module::Param,
    nn::Linear,
    tensor::{DType, Tensor, TensorData},
};
use pilotlight_core::{KeyValue, ModelSpec, TokenRow};
use rand_chacha::ChaCha8Rng;

use super::{Prefix, PrefixConfig, PrefixInit, PrefixNetwork, kv_dim};
use crate::{
    error::TunerError,
    method::{InitContext, Method},
    random::{fan_in_uniform, normal},
};

pub(super) fn prefix(
    config: &PrefixConfig,
    context: &InitContext<'_>,
) -> Result<Prefix, TunerError> {
    let spec = context.spec();
    let mut random = context.random(PrefixConfig::NAME);
    let network = config
        .projection_dim
        .map(|projection_dim| network(config.init, projection_dim, context, &mut random));
    let width = match network {
        Some(_) => kv_dim(spec),
        None => width(spec),
    };
    let mut drawn = || -> Vec<f32> {
        let values = normal(&mut random, config.prefix_length * width);
        values
            .into_iter()
            .map(|x| (x * config.std()) as f32)
            .collect()
    };
    let vectors = match (config.init, &network) {
        (PrefixInit::Random, _) | (PrefixInit::Zero, Some(_)) => drawn(),
        (PrefixInit::Zero, None) => {
            let mut keys = drawn();
            without_values(&mut keys, spec);
            keys
        }
        (PrefixInit::Text, _) => of_text(config, context)?,
    };
    let vectors = TensorData::new(vectors, [config.prefix_length, width]);
    Ok(Prefix::new(
        config.clone(),
        vectors,
        network,
        spec,
        context.device,
    ))
}

/// `n_layers * 2 * n_kv_heads * d_head`.
pub(super) fn width(spec: &ModelSpec) -> usize {
    spec.n_layers * 2 * kv_dim(spec)
}

/// A network whose layers start as PyTorch's, with biases of zero.
fn network(
    init: PrefixInit,
    projection_dim: usize,
    context: &InitContext<'_>,
    random: &mut ChaCha8Rng,
) -> PrefixNetwork {
    let spec = context.spec();
    let layer = |weight: TensorData| {
        let [_, d_output] = weight.shape().dims();
        let bias = Tensor::zeros([d_output], context.device);
        Linear {
            weight: Param::from_data(weight, context.device),
            bias: Some(Param::from_tensor(bias)),
        }
    };
    let narrow = layer(fan_in_uniform(random, kv_dim(spec), projection_dim));
    let wide = (0..spec.n_layers).map(|_| {
        let mut weight = fan_in_uniform(random, projection_dim, 2 * kv_dim(spec));
        if init == PrefixInit::Zero {
            let mut values: Vec<f32> = weight
                .try_into_vec()
                .expect("the numbers were drawn in f32");
            without_values(&mut values, spec);
            weight = TensorData::new(values, [projection_dim, 2 * kv_dim(spec)]);
        }
        layer(weight)
    });
    PrefixNetwork {
        wide: wide.collect(),
        narrow,
    }
}

/// Sets what becomes values to zero, and leaves what becomes keys.
fn without_values(slots: &mut [f32], spec: &ModelSpec) {
    for slots in slots.chunks_exact_mut(2 * kv_dim(spec)) {
        slots[kv_dim(spec)..].fill(0.0);
    }
}

/// The keys and values that the frozen model has of a text's first tokens.
fn of_text(config: &PrefixConfig, context: &InitContext<'_>) -> Result<Vec<f32>, TunerError> {
    let text = config.text.as_deref().unwrap_or_default();
    let mut ids = context.tokens("text", text)?;
    let (found, wanted) = (ids.len(), config.prefix_length);
    if found < wanted {
        return Err(TunerError::key(
            "prefix_length",
            format!(
                "is {wanted}, but `text` has {found} tokens\nhint: set `prefix_length = {found}`, or take a longer text"
            ),
        ));
    }
    ids.truncate(wanted);
    let layers = context.base.keys_and_values(&TokenRow::new(ids));
    let layers = layers.ok_or_else(|| {
        TunerError::key(
            "init",
            "is `text`, but this model has no keys and values of a text that could stand in front of another one: only \
             decoders have\nhint: use `random`",
        )
    })?;
    let columns = layers
        .into_iter()
        .flat_map(|KeyValue { key, value }| [key, value])
        .map(|tensor| {
            let [_, n_kv_heads, n_tokens, d_head] = tensor.dims();
            let tensor = tensor.swap_dims(1, 2);
            tensor.reshape([n_tokens, n_kv_heads * d_head])
        });
    let vectors: Tensor<2> = Tensor::cat(columns.collect(), 1);
    let data = vectors.into_data_dtype(DType::F32);
    Ok(data.try_into_vec().expect("the data were cast to f32"))
}
