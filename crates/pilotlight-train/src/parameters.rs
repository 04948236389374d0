//! The trained parameters of a module, by their paths.
//!
//! A path names a parameter by its fields from the module's root, so that it is the same in every process; the
//! ids that Burn gives to parameters are not.

use std::collections::{BTreeMap, BTreeSet};

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::{DType, GradientCheckpointingStrategy, Tensor, TensorData},
};
use sha2::{Digest, Sha256};

use crate::tensor_file::Stored;

/// The shapes of all parameters that require a gradient.
pub(crate) fn trained_shapes(module: &impl Module) -> BTreeMap<String, Vec<usize>> {
    struct Shapes(BTreeMap<String, Vec<usize>>);
    impl Visit for Shapes {
        fn float<const D: usize>(&mut self, path: &str, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                self.0.insert(path.to_owned(), param.dims().to_vec());
            }
        }
    }
    visit(module, Shapes(BTreeMap::new())).0
}

/// The number of values that tensors of these shapes have.
pub(crate) fn n_values(shapes: &BTreeMap<String, Vec<usize>>) -> usize {
    let sizes = shapes.values().map(|shape| shape.iter().product::<usize>());
    sizes.sum()
}

/// All parameters that require a gradient, to be written.
pub(crate) fn trained_values(module: &impl Module) -> BTreeMap<String, Stored> {
    struct Values(BTreeMap<String, Stored>);
    impl Visit for Values {
        fn float<const D: usize>(&mut self, path: &str, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                let value = param.val().inner();
                let (dtype, shape) = (value.dtype(), value.dims().to_vec());
                let stored = Stored::lazy(dtype, shape, move || value.to_data());
                self.0.insert(path.to_owned(), stored);
            }
        }
    }
    visit(module, Values(BTreeMap::new())).0
}

/// What a step has for a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gradient {
    /// Nothing: the loss does not depend on it.
    Missing,
    /// Zeros everywhere.
    Zero,
    /// A gradient.
    Some,
}

/// What there is for each of the parameters at `wanted` paths.
pub(crate) fn gradients_at(
    module: &impl Module,
    gradients: &GradientsParams,
    wanted: &BTreeSet<String>,
) -> BTreeMap<String, Gradient> {
    struct Found<'a>(
        &'a GradientsParams,
        &'a BTreeSet<String>,
        BTreeMap<String, Gradient>,
    );
    impl Visit for Found<'_> {
        fn float<const D: usize>(&mut self, path: &str, param: &Param<Tensor<D>>) {
            if !self.1.contains(path) {
                return;
            }
            let found = match self.0.get::<D>(param.id) {
                None => Gradient::Missing,
                Some(gradient) if is_zero(&gradient) => Gradient::Zero,
                Some(_) => Gradient::Some,
            };
            self.2.insert(path.to_owned(), found);
        }
    }
    visit(module, Found(gradients, wanted, BTreeMap::new())).2
}

fn is_zero<const D: usize>(gradient: &Tensor<D>) -> bool {
    let largest: f32 = gradient.clone().abs().max().into_scalar();
    largest == 0.0
}

/// The paths of all parameters, in the order of the module.
pub(crate) fn paths(module: &impl Module) -> Vec<String> {
    struct Paths(Vec<String>);
    impl Visit for Paths {
        fn float<const D: usize>(&mut self, path: &str, _param: &Param<Tensor<D>>) {
            self.0.push(path.to_owned());
        }
    }
    visit(module, Paths(Vec::new())).0
}

/// The norm over the gradients of all parameters together, `[1]`; `None` where there are none.
pub(crate) fn gradient_norm(
    module: &impl Module,
    gradients: &GradientsParams,
) -> Option<Tensor<1>> {
    struct Squares<'a>(&'a GradientsParams, Vec<Tensor<1>>);
    impl Visit for Squares<'_> {
        fn float<const D: usize>(&mut self, _path: &str, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                // Squares of half-precision numbers overflow soon.
                self.1.push(gradient.cast(DType::F32).square().sum());
            }
        }
    }
    let squares = visit(module, Squares(gradients, Vec::new())).1;
    (!squares.is_empty()).then(|| Tensor::cat(squares, 0).sum().sqrt())
}

/// What gradients of this norm `[1]` are multiplied by so that their norm is at most `largest`, as PyTorch's
/// `clip_grad_norm_` does it.
pub(crate) fn clip_factor(norm: Tensor<1>, largest: f64) -> Tensor<1> {
    let factor = norm.add_scalar(1e-6).recip().mul_scalar(largest);
    factor.clamp_max(1.0)
}

/// Puts values in place of the parameters at their paths; the caller has checked that paths and shapes are those of
/// [`trained_shapes`].
pub(crate) fn with_values<M: Module>(module: M, values: BTreeMap<String, TensorData>) -> M {
    struct Put {
        path: Vec<String>,
        values: BTreeMap<String, TensorData>,
    }
    impl ModuleMapper for Put {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            match self.values.remove(&self.path.join(".")) {
                Some(data) => param.map(|old| {
                    let dtype = data.dtype();
                    let device = old.device().inner();
                    let context = AutodiffContext::of(&old);
                    context.restore(Tensor::from_data(data, (&device, dtype)))
                }),
                None => param,
            }
        }
    }
    let path = Vec::new();
    module.map(&mut Put { path, values })
}

/// What autodiff knows of a tensor.
pub(crate) struct AutodiffContext {
    is_autodiff: bool,
    require_grad: bool,
    checkpointing: Option<GradientCheckpointingStrategy>,
}

impl AutodiffContext {
    pub(crate) fn of<const D: usize>(tensor: &Tensor<D>) -> Self {
        Self {
            is_autodiff: tensor.is_autodiff(),
            require_grad: tensor.is_require_grad(),
            checkpointing: tensor.gradient_checkpointing_strategy(),
        }
    }

    /// The same for `new`, which has no autodiff.
    pub(crate) fn restore<const D: usize>(self, new: Tensor<D>) -> Tensor<D> {
        if !self.is_autodiff {
            return new;
        }
        let mut new = Tensor::from_inner(new);
        if let Some(strategy) = self.checkpointing {
            new = new.with_gradient_checkpointing_strategy(strategy);
        }
        new.set_require_grad(self.require_grad)
    }
}

/// A hash that tells modules apart: over path, shape, whether it is trained, and the first values of each parameter.
/// It reads little, so that it costs nothing on a large model.
pub(crate) fn fingerprint(module: &impl Module) -> String {
    const VALUES: usize = 16;
    struct Sample(Sha256);
    impl Visit for Sample {
        fn float<const D: usize>(&mut self, path: &str, param: &Param<Tensor<D>>) {
            let value = param.val().inner();
            let n_values = value.shape().num_elements();
            self.0.update(path);
            self.0
                .update(format!("{:?} {}", value.dims(), param.is_require_grad()));
            if n_values > 0 {
                let row = value.dims()[D - 1];
                let first = value
                    .reshape([-1, row as i32])
                    .slice([0..1, 0..row.min(VALUES)]);
                self.0.update(first.into_data().as_bytes());
            }
        }
    }
    let digest = visit(module, Sample(Sha256::new())).0.finalize();
    hex(&digest)
}

pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Something that is done with each floating-point parameter and its path.
trait Visit {
    fn float<const D: usize>(&mut self, path: &str, param: &Param<Tensor<D>>);
}

fn visit<V: Visit>(module: &impl Module, visitor: V) -> V {
    struct Paths<V>(Vec<String>, V);
    impl<V: Visit> ModuleVisitor for Paths<V> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1.float(&self.0.join("."), param);
        }
    }
    let mut paths = Paths(Vec::new(), visitor);
    module.visit(&mut paths);
    paths.1
}
