//! The keys of `method = "bottleneck"`.

use burn::{
    module::Param,
    nn::Linear,
    tensor::{Device, TensorData},
};
use pilotlight_core::ModelSpec;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Adapter, Bottleneck};
use crate::{
    error::{Problems, TunerError},
    method::{InitContext, Method, Tensors, transposed},
    random::{fan_in_uniform, normal},
};

/// The keys of `method = "bottleneck"`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BottleneckConfig {
    /// Where the adapters are.
    pub kind: BottleneckKind,
    /// Inner width of an adapter, by default 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bottleneck_dim: Option<usize>,
    /// The same as a part of the model's width: `d_model / reduction_factor`, rounded down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reduction_factor: Option<usize>,
    /// What stands between its two layers.
    pub activation: Activation,
    /// The factor of its output: 4 for `parallel`, as He et al. found best, else 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// What they compute at first.
    pub init: BottleneckInit,
    /// `near-identity`: the standard deviation of the weights, 0.01 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std: Option<f64>,
}

/// What new adapters compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BottleneckInit {
    /// Nothing: the weights of the second layer are zero, those of the first one as PyTorch's.
    #[default]
    Identity,
    /// Next to nothing, as Houlsby et al. have it: all weights are normal, those beyond two standard deviations drawn
    /// again.
    NearIdentity,
}

/// Where the adapters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BottleneckKind {
    /// Behind attention and feed-forward.
    Houlsby,
    /// Behind the feed-forward.
    #[default]
    Pfeiffer,
    /// Beside the feed-forward.
    Parallel,
}

/// A nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `max(0, x)`.
    #[default]
    Relu,
    /// `x * Phi(x)`, exactly.
    Gelu,
    /// `x * sigmoid(x)`.
    Silu,
    /// The hyperbolic tangent.
    Tanh,
}

/// The inner width where none is given.
const BOTTLENECK_DIM: usize = 64;

impl BottleneckConfig {
    /// Inner width of an adapter.
    pub fn bottleneck_dim(&self, spec: &ModelSpec) -> usize {
        match self.reduction_factor {
            Some(factor) => spec.d_model.checked_div(factor).unwrap_or(0),
            None => self.bottleneck_dim.unwrap_or(BOTTLENECK_DIM),
        }
    }

    /// The standard deviation of `near-identity`.
    pub fn std(&self) -> f64 {
        self.std.unwrap_or(0.01)
    }

    /// The factor of an adapter's output.
    pub fn scale(&self) -> f64 {
        self.scale.unwrap_or(match self.kind {
            BottleneckKind::Parallel => 4.0,
            BottleneckKind::Houlsby | BottleneckKind::Pfeiffer => 1.0,
        })
    }

    /// Adapters behind the attention; behind or beside the feed-forward every layer has one.
    fn n_behind_attention(&self, spec: &ModelSpec) -> usize {
        match self.kind {
            BottleneckKind::Houlsby => spec.n_layers,
            BottleneckKind::Pfeiffer | BottleneckKind::Parallel => 0,
        }
    }

    /// A tuner whose adapters come from `adapter`, by the name of their place.
    fn build(
        &self,
        spec: &ModelSpec,
        adapter: &mut dyn FnMut(&str) -> Option<Adapter>,
    ) -> Option<Bottleneck> {
        let n_behind_attention = self.n_behind_attention(spec);
        // Goes on behind a missing one, so that one report names all of them.
        let mut all = |n_layers: usize, place: &str| {
            let adapters = (0..n_layers).map(|layer| adapter(&format!("layers.{layer}.{place}")));
            let adapters: Vec<Option<Adapter>> = adapters.collect();
            adapters.into_iter().collect::<Option<Vec<Adapter>>>()
        };
        let attention = all(n_behind_attention, "attention");
        let feed_forward = all(spec.n_layers, "feed_forward");
        Some(Bottleneck {
            attention: attention?,
            feed_forward: feed_forward?,
            config: self.clone(),
        })
    }
}

impl Method for BottleneckConfig {
    type Tuner = Bottleneck;
    const NAME: &'static str = "bottleneck";

    fn multiplications(&self, spec: &ModelSpec) -> usize {
        let n_adapters = self.n_behind_attention(spec) + spec.n_layers;
        n_adapters * 2 * spec.d_model * self.bottleneck_dim(spec)
    }

    fn problems(&self, spec: &ModelSpec, problems: &mut Problems) {
        if self.bottleneck_dim == Some(0) {
            problems.push("bottleneck_dim", "must be at least 1");
        }
        match self.reduction_factor {
            Some(0) => problems.push("reduction_factor", "must be at least 1"),
            Some(factor) if factor > spec.d_model => {
                let message = format!("is {factor}, but the model is only {} wide", spec.d_model);
                problems.push("reduction_factor", message);
            }
            Some(_) if self.bottleneck_dim.is_some() => problems.push(
                "reduction_factor",
                "says the same as `bottleneck_dim`\nhint: leave out one of the two",
            ),
            _ => {}
        }
        if self.std.is_some() && self.init != BottleneckInit::NearIdentity {
            problems.push(
                "std",
                "has no effect: only init `near-identity` reads it\nhint: leave it out, or set `init`",
            );
        }
        if !(self.std() > 0.0 && self.std().is_finite()) {
            problems.push("std", format!("is {}, which is not above 0", self.std()));
        }
        if !(self.scale() > 0.0 && self.scale().is_finite()) {
            let message = format!("is {}, which is not above 0", self.scale());
            problems.push("scale", message);
        }
    }

    fn init(&self, context: &InitContext<'_>) -> Result<Bottleneck, TunerError> {
        let mut random = context.random(Self::NAME);
        let d_model = context.spec().d_model;
        let bottleneck_dim = self.bottleneck_dim(context.spec());
        let zeros = |shape: &[usize]| TensorData::zeros::<f32, _>(shape.to_vec());
        let near_zero = |random: &mut ChaCha8Rng, shape: [usize; 2]| {
            let values = truncated_normal(random, shape[0] * shape[1]);
            let values = values.into_iter().map(|x| (x * self.std()) as f32);
            TensorData::new(values.collect::<Vec<f32>>(), shape)
        };
        let tuner = self.build(context.spec(), &mut |_| {
            let (down, up) = match self.init {
                BottleneckInit::Identity => (
                    fan_in_uniform(&mut random, d_model, bottleneck_dim),
                    zeros(&[bottleneck_dim, d_model]),
                ),
                BottleneckInit::NearIdentity => (
                    near_zero(&mut random, [d_model, bottleneck_dim]),
                    near_zero(&mut random, [bottleneck_dim, d_model]),
                ),
            };
            Some(Adapter {
                down: layer(down, zeros(&[bottleneck_dim]), context.device),
                up: layer(up, zeros(&[d_model]), context.device),
            })
        });
        Ok(tuner.expect("every adapter was made"))
    }

    fn of(tuner: &Bottleneck) -> &Self {
        &tuner.config
    }

    fn tensors(tuner: &Bottleneck, _spec: &ModelSpec) -> Vec<(String, TensorData)> {
        let mut tensors = Vec::new();
        for (place, adapters) in [
            ("attention", &tuner.attention),
            ("feed_forward", &tuner.feed_forward),
        ] {
            for (index, adapter) in adapters.iter().enumerate() {
                for (half, layer) in [("down", &adapter.down), ("up", &adapter.up)] {
                    let name = format!("layers.{index}.{place}.{half}");
                    let weight = layer.weight.val().transpose().into_data();
                    tensors.push((format!("{name}.weight"), weight));
                    if let Some(bias) = &layer.bias {
                        tensors.push((format!("{name}.bias"), bias.val().into_data()));
                    }
                }
            }
        }
        tensors
    }

    fn restore(
        &self,
        tensors: &mut Tensors,
        spec: &ModelSpec,
        device: &Device,
    ) -> Option<Bottleneck> {
        let (d_model, bottleneck_dim) = (spec.d_model, self.bottleneck_dim(spec));
        self.build(spec, &mut |place| {
            let mut half = |half: &str, d_input: usize, d_output: usize| {
                // PyTorch's layout, as in all of our files.
                let weight = tensors.take(&format!("{place}.{half}.weight"), [d_output, d_input]);
                let bias = tensors.take(&format!("{place}.{half}.bias"), [d_output]);
                Some(layer(transposed(weight?), bias?, device))
            };
            let down = half("down", d_model, bottleneck_dim);
            let up = half("up", bottleneck_dim, d_model);
            Some(Adapter {
                down: down?,
                up: up?,
            })
        })
    }
}

/// Standard normal numbers, those beyond 2 drawn again.
fn truncated_normal(random: &mut ChaCha8Rng, n: usize) -> Vec<f64> {
    let draws = std::iter::repeat_with(|| normal(random, n));
    let kept = draws.flatten().filter(|x| x.abs() <= 2.0);
    kept.take(n).collect()
}

fn layer(weight: TensorData, bias: TensorData, device: &Device) -> Linear {
    Linear {
        weight: Param::from_data(weight, device),
        bias: Some(Param::from_data(bias, device)),
    }
}
