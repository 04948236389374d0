//! The keys of `method = "prefix"`.

use burn::{
    module::Param,
    nn::Linear,
    tensor::{Device, Tensor, TensorData},
};
use pilotlight_core::ModelSpec;
use serde::{Deserialize, Serialize};

use super::{Prefix, PrefixNetwork};
use crate::{
    error::{Problems, TunerError},
    method::{InitContext, Method, Tensors},
    peft::PeftFields,
    random::{fan_in_uniform, normal},
};

/// The keys of `method = "prefix"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrefixConfig {
    /// Number of keys, and of values, in every layer.
    pub prefix_length: usize,
    /// Standard deviation of the first values; of the network's input where there is one.
    pub std: f64,
    /// Inner width of a network through which the prefix is trained; by default it is trained as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projection_dim: Option<usize>,
}

impl Default for PrefixConfig {
    fn default() -> Self {
        Self {
            prefix_length: 20,
            std: 0.02,
            projection_dim: None,
        }
    }
}

/// `n_kv_heads * d_head`.
fn kv_dim(spec: &ModelSpec) -> usize {
    spec.n_kv_heads * spec.d_head
}

impl Method for PrefixConfig {
    type Tuner = Prefix;
    const NAME: &'static str = "prefix";
    const HEAD_PREFIX: &'static str = "base_model.";
    const PEFT_TYPES: &'static [&'static str] = &["PREFIX_TUNING"];

    fn reserve(&self) -> usize {
        self.prefix_length
    }

    fn problems(&self, spec: &ModelSpec, problems: &mut Problems) {
        if self.prefix_length == 0 {
            problems.push("prefix_length", "must be at least 1");
        } else if self.prefix_length >= spec.n_positions {
            problems.push(
                "prefix_length",
                format!(
                    "is {}, which leaves no room for a text: the model takes {} positions",
                    self.prefix_length, spec.n_positions
                ),
            );
        }
        // Equal vectors would get equal gradients for ever.
        if !(self.std > 0.0 && self.std.is_finite()) {
            problems.push("std", format!("is {}, which is not above 0", self.std));
        }
        if self.projection_dim == Some(0) {
            problems.push("projection_dim", "must be at least 1");
        }
    }

    fn init(&self, context: &InitContext<'_>) -> Result<Prefix, TunerError> {
        let spec = context.spec();
        let mut random = context.random(Self::NAME);
        let width = spec.n_layers * 2 * kv_dim(spec);
        let network = self.projection_dim.map(|projection_dim| {
            let mut layer = |d_input, d_output| {
                let weight = fan_in_uniform(&mut random, d_input, d_output);
                let bias = Tensor::zeros([d_output], context.device);
                Linear {
                    weight: Param::from_data(weight, context.device),
                    bias: Some(Param::from_tensor(bias)),
                }
            };
            PrefixNetwork {
                narrow: layer(kv_dim(spec), projection_dim),
                wide: layer(projection_dim, width),
            }
        });
        let width = match network {
            Some(_) => kv_dim(spec),
            None => width,
        };
        let vectors: Vec<f32> = normal(&mut random, self.prefix_length * width)
            .into_iter()
            .map(|x| (x * self.std) as f32)
            .collect();
        let vectors = TensorData::new(vectors, [self.prefix_length, width]);
        Ok(Prefix::new(
            self.clone(),
            vectors,
            network,
            spec,
            context.device,
        ))
    }

    fn saved(&self) -> Self {
        Self {
            projection_dim: None,
            ..self.clone()
        }
    }

    fn of(tuner: &Prefix) -> &Self {
        &tuner.config
    }

    fn tensors(tuner: &Prefix, _spec: &ModelSpec) -> Vec<(String, TensorData)> {
        vec![("prompt_embeddings".into(), tuner.all_layers().into_data())]
    }

    fn restore(&self, tensors: &mut Tensors, spec: &ModelSpec, device: &Device) -> Option<Prefix> {
        let shape = [self.prefix_length, spec.n_layers * 2 * kv_dim(spec)];
        let vectors = tensors.take("prompt_embeddings", shape)?;
        Some(Prefix::new(self.saved(), vectors, None, spec, device))
    }

    fn to_peft(&self, spec: &ModelSpec) -> Option<PeftFields> {
        let fields = PeftFields::default()
            .with("num_virtual_tokens", self.prefix_length)
            .with("token_dim", kv_dim(spec))
            .with("num_transformer_submodules", 1)
            .with("num_attention_heads", spec.n_kv_heads)
            .with("num_layers", spec.n_layers)
            .with("encoder_hidden_size", kv_dim(spec))
            .with("prefix_projection", false);
        Some(fields)
    }

    fn from_peft(fields: &mut PeftFields) -> Option<Self> {
        // PEFT saves the output of its network, so `prefix_projection` changes nothing here.
        fields.refuse("num_transformer_submodules", &[1.into()]);
        Some(Self {
            prefix_length: fields.count("num_virtual_tokens")?,
            ..Self::default()
        })
    }
}
