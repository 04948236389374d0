//! Burn's optimizers, with a state that is kept by the paths of the parameters.
//!
//! Burn's own `ModuleOptimizer` keeps it by parameter ids, which are drawn anew in every process. Defaults and
//! arithmetic are PyTorch's (`torch.optim.AdamW`, `torch.optim.SGD`) and, for Adafactor, those of transformers with
//! `relative_step=False, scale_parameter=False`.

mod record;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use burn::{
    module::{Module, ModuleMapper, Param, ParamId},
    optim::{
        AdafactorConfig, AdamWConfig, DynOptimizer, DynState, GradientsParams, SgdConfig,
        decay::WeightDecayConfig, momentum::MomentumConfig,
    },
    tensor::{DType, Tensor},
};

pub(crate) use record::OptimizerRecord;

use crate::{
    config::{OptimizerKind, TrainConfig},
    parameters::AutodiffContext,
};

/// An optimizer and what it remembers of each parameter.
pub struct Optimizer {
    rule: Arc<dyn DynOptimizer>,
    states: BTreeMap<String, DynState>,
    /// Those that are not 1.
    rate_factors: HashMap<ParamId, f64>,
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
        let rule: Arc<dyn DynOptimizer> = match config.optimizer {
            OptimizerKind::AdamW => Arc::new(
                AdamWConfig::new()
                    .with_beta_1(config.betas[0])
                    .with_beta_2(config.betas[1])
                    .with_epsilon(config.epsilon)
                    .with_weight_decay(config.weight_decay)
                    .build(),
            ),
            OptimizerKind::Adafactor => Arc::new(
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
                Arc::new(
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
            rate_factors: HashMap::new(),
        }
    }

    /// Lets these parameters learn at a multiple of the learning rate, as parameter groups with rates of their own
    /// do in PyTorch: decoupled weight decay is multiplied too.
    pub fn with_rate_factors(mut self, factors: impl IntoIterator<Item = (ParamId, f64)>) -> Self {
        self.rate_factors.extend(factors);
        self
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
        let factor = self.optimizer.rate_factors.get(&param.id);
        let learning_rate = self.learning_rate * factor.copied().unwrap_or(1.0);
        param.map(|old| {
            let state = self.optimizer.states.remove(&path);
            let dtype = old.dtype();
            let context = AutodiffContext::of(&old);
            let value = old.inner();
            // Squares and epsilons vanish in half precision: the step is done, and remembered, in f32.
            let (value, gradient) = match dtype {
                DType::F16 | DType::BF16 => (value.cast(DType::F32), gradient.cast(DType::F32)),
                _ => (value, gradient),
            };
            let (updated, state) = self.optimizer.rule.step_dyn(
                D,
                learning_rate,
                value.into_bridge(),
                gradient.into_bridge(),
                state,
            );
            if let Some(state) = state {
                self.optimizer.states.insert(path, state);
            }
            context.restore(Tensor::<D>::from_bridge(updated).cast(dtype))
        })
    }
}

#[cfg(test)]
mod tests;
