//! Burn's optimizers, with a state that is kept by the paths of the parameters.
//!
//! Burn's own `ModuleOptimizer` keeps it by parameter ids, which are drawn anew in every process. Defaults and
//! arithmetic are PyTorch's (`torch.optim.AdamW`, `torch.optim.SGD`) and, for Adafactor, those of transformers with
//! `relative_step=False, scale_parameter=False`.

use std::collections::BTreeMap;

use burn::{
    module::{Module, ModuleMapper, Param},
    optim::{
        AdafactorConfig, AdamWConfig, DynOptimizer, DynState, GradientsParams, SgdConfig,
        StateSink, StateSource, decay::WeightDecayConfig, momentum::MomentumConfig,
    },
    tensor::{DType, Tensor, TensorData},
};
use serde_json::Value;

use crate::{
    config::{OptimizerKind, TrainConfig},
    parameters::like,
};

/// An optimizer and what it remembers of each parameter.
pub struct Optimizer {
    rule: Box<dyn DynOptimizer>,
    states: BTreeMap<String, DynState>,
}

/// What an optimizer remembers, as tensors and numbers by `path.field`.
#[derive(Debug, Default, Clone)]
pub(crate) struct OptimizerRecord {
    pub(crate) tensors: BTreeMap<String, TensorData>,
    pub(crate) numbers: BTreeMap<String, Value>,
    /// The parameters it remembers anything of.
    pub(crate) paths: Vec<String>,
}

impl std::fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let paths: Vec<_> = self.states.keys().collect();
        f.debug_struct("Optimizer")
            .field("states", &paths)
            .finish_non_exhaustive()
    }
}

impl Optimizer {
    /// The optimizer that the configuration names.
    pub fn new(config: &TrainConfig) -> Self {
        let rule: Box<dyn DynOptimizer> = match config.optimizer {
            OptimizerKind::AdamW => Box::new(
                AdamWConfig::new()
                    .with_beta_1(config.betas[0])
                    .with_beta_2(config.betas[1])
                    .with_epsilon(config.epsilon)
                    .with_weight_decay(config.weight_decay)
                    .build(),
            ),
            OptimizerKind::Adafactor => Box::new(
                AdafactorConfig::new()
                    .with_relative_step(false)
                    .with_scale_parameter(false)
                    .with_weight_decay(config.weight_decay)
                    .build(),
            ),
            OptimizerKind::Sgd => {
                let decay = WeightDecayConfig {
                    penalty: config.weight_decay,
                };
                let momentum = MomentumConfig {
                    momentum: config.momentum,
                    dampening: 0.0,
                    nesterov: false,
                };
                Box::new(
                    SgdConfig::new()
                        .with_weight_decay((config.weight_decay > 0.0).then_some(decay))
                        .with_momentum((config.momentum > 0.0).then_some(momentum))
                        .build(),
                )
            }
        };
        Self {
            rule,
            states: BTreeMap::new(),
        }
    }

    /// Updates every parameter that has a gradient; the gradients are multiplied by `scale` `[1]` first.
    pub fn step<M: Module>(
        &mut self,
        module: M,
        gradients: GradientsParams,
        scale: Option<Tensor<1>>,
        learning_rate: f64,
    ) -> M {
        module.map(&mut Step {
            path: Vec::new(),
            optimizer: self,
            gradients,
            scale,
            learning_rate,
        })
    }

    /// What the optimizer remembers.
    pub(crate) fn record(&self) -> OptimizerRecord {
        let mut sink = StateSink::default();
        for (path, state) in &self.states {
            self.rule.state_flatten(path, state, &mut sink);
        }
        let numbers = sink.scalars.into_iter().map(|(name, number)| {
            (
                name,
                serde_json::to_value(number).expect("a number is JSON"),
            )
        });
        OptimizerRecord {
            numbers: numbers.collect(),
            paths: self.states.keys().cloned().collect(),
            tensors: sink.tensors.into_iter().collect(),
        }
    }

    /// Remembers for the trained parameters of `module`, with their `shapes`, what the record says.
    ///
    /// Returns what is wrong with the record.
    pub(crate) fn restore(
        &mut self,
        record: OptimizerRecord,
        shapes: &BTreeMap<String, Vec<usize>>,
        device: &burn::tensor::Device,
    ) -> Result<(), String> {
        let mut numbers = BTreeMap::new();
        for (name, number) in record.numbers {
            let number = serde_json::from_value(number)
                .map_err(|error| format!("`{name}` is no number: {error}"))?;
            numbers.insert(name, number);
        }
        let mut source = StateSource::new(numbers);
        for (name, data) in record.tensors {
            let of_parameter = name.rsplit_once('.').and_then(|(prefix, _)| {
                let fits = |path: &str| {
                    prefix == path
                        || prefix
                            .strip_prefix(path)
                            .is_some_and(|rest| rest.starts_with('.'))
                };
                shapes.iter().find(|(path, _)| fits(path))
            });
            // A moment has its parameter's shape, or is reduced along some of its dimensions.
            let fits = |shape: &[usize]| {
                shape.len() == data.rank()
                    && shape
                        .iter()
                        .zip(data.shape().iter())
                        .all(|(own, found)| found == own || *found == 1)
            };
            match of_parameter {
                Some((_, shape)) if fits(shape) => source.insert_tensor(name, data),
                Some((path, shape)) => {
                    return Err(format!(
                        "`{name}` has shape {:?} beside the parameter `{path}` of shape {shape:?}",
                        data.shape().to_vec()
                    ));
                }
                None => return Err(format!("`{name}` belongs to no trained parameter")),
            }
        }
        for path in record.paths {
            let state = shapes.get(&path).and_then(|shape| {
                let rank = shape.len();
                self.rule.state_unflatten(rank, &path, &mut source, device)
            });
            let state = state.ok_or_else(|| format!("the state of `{path}` is incomplete"))?;
            self.states.insert(path, state);
        }
        Ok(())
    }
}

struct Step<'a> {
    path: Vec<String>,
    optimizer: &'a mut Optimizer,
    gradients: GradientsParams,
    scale: Option<Tensor<1>>,
    learning_rate: f64,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(mut gradient) = self.gradients.remove::<D>(param.id) else {
            return param;
        };
        if let Some(scale) = &self.scale {
            let scale = scale.clone().cast(gradient.dtype()).reshape([1; D]);
            gradient = gradient.mul(scale);
        }
        let path = self.path.join(".");
        param.map(|old| {
            let state = self.optimizer.states.remove(&path);
            let dtype = old.dtype();
            let value = old.clone().inner();
            // Squares and epsilons vanish in half precision: the step is done, and remembered, in f32.
            let (value, gradient) = match dtype {
                DType::F16 | DType::BF16 => (value.cast(DType::F32), gradient.cast(DType::F32)),
                _ => (value, gradient),
            };
            let (updated, state) = self.optimizer.rule.step_dyn(
                D,
                self.learning_rate,
                value.into_bridge(),
                gradient.into_bridge(),
                state,
            );
            if let Some(state) = state {
                self.optimizer.states.insert(path, state);
            }
            like(Tensor::<D>::from_bridge(updated).cast(dtype), &old)
        })
    }
}

#[cfg(test)]
mod tests;
