//! A step on several devices: each has the base and a part of every batch, and only what is trained travels.
//!
//! Before a step the trained parameters go out, after it their gradients come back and are summed on the first device,
//! where the optimizer is. The frozen base is copied once. As the loss of a batch is a sum over its rows, the parts give
//! the gradients of the whole batch but for the order of the sums.

use std::thread;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    optim::{GradientsAccumulator, GradientsParams},
    tensor::{Device, Tensor},
};

use crate::{
    item::Item,
    loss::{BatchLoss, backward},
    parameters::AutodiffContext,
    tuned::Tuned,
};

/// The model on further devices.
#[derive(Debug)]
pub(crate) struct Replicas(Vec<Tuned>);

impl Replicas {
    /// A copy of the model on each of the devices.
    pub(crate) fn new(tuned: &Tuned, devices: &[Device]) -> Self {
        let copies = devices.iter().map(|device| {
            let device = match tuned.device().is_autodiff() {
                true => device.clone().autodiff(),
                false => device.clone(),
            };
            tuned.clone().fork(&device)
        });
        Self(copies.collect())
    }

    /// Where the copies are.
    pub(crate) fn devices(&self) -> impl Iterator<Item = Device> {
        self.0.iter().map(Tuned::device)
    }

    /// Gives the copies the trained parameters of the model.
    pub(crate) fn refresh(&mut self, tuned: &Tuned) {
        for copy in &mut self.0 {
            let mut values = Values(GradientsParams::new());
            tuned.visit(&mut values);
            *copy = copy.clone().map(&mut values);
        }
    }

    /// The sum over `items` of `-log p`, times `weight`, and its gradients, with the rows shared out.
    pub(crate) fn backward(&mut self, tuned: &Tuned, items: &[&Item], weight: f64) -> BatchLoss {
        let n_rows = items.len().div_ceil(1 + self.0.len());
        let mut parts = items.chunks(n_rows.max(1));
        let own = parts.next().unwrap_or_default();
        let (first, others) = thread::scope(|scope| {
            let others = self.0.iter_mut().zip(parts);
            let others: Vec<_> = others
                .map(|(copy, part)| scope.spawn(move || backward(copy, part, weight)))
                .collect();
            let first = backward(tuned, own, weight);
            let others = others.into_iter().map(|other| {
                // What panicked there panics here.
                other
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            (first, others.collect::<Vec<BatchLoss>>())
        });
        if others.is_empty() {
            return first;
        }
        let device = tuned.device().inner();
        let mut sum = GradientsAccumulator::new();
        let mut losses = vec![first.loss];
        sum.accumulate(tuned, first.gradients);
        for other in others {
            sum.accumulate(tuned, other.gradients.to_device(&device, tuned));
            losses.push(other.loss.to_device(&device));
        }
        BatchLoss {
            loss: Tensor::cat(losses, 0).sum(),
            gradients: sum.grads(),
        }
    }
}

/// Values of trained parameters by their ids: collected from one module, put into another.
struct Values(GradientsParams);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.0.register(param.id, param.val().inner());
        }
    }
}

impl ModuleMapper for Values {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.remove::<D>(param.id) {
            Some(value) => param.map(|old| {
                let device = old.device().inner();
                AutodiffContext::of(&old).restore(value.to_device(&device))
            }),
            None => param,
        }
    }
}
