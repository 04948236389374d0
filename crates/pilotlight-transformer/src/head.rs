//! The classification head on top of a model.

use std::sync::Arc;

use burn::{
    module::Module,
    nn::{Linear, LinearConfig},
    tensor::{DType, Device, Tensor, TensorData},
};

use crate::{
    checkpoint::Checkpoint,
    error::{List, LoadError},
    parameters::{LoadReport, ParameterTable},
    random::Normal,
};

/// How a family names and shapes its classification head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeadConfig {
    /// The module in Hugging Face's model: `score`, `classifier`.
    pub(crate) name: &'static str,
    /// Whether it has a bias.
    pub(crate) bias: bool,
    /// The module of a dense layer with tanh in front of it, where a family has one.
    pub(crate) dense: Option<&'static str>,
}

/// The element type of a head. It is small and mostly trained, so that it keeps all digits whatever the model has.
const HEAD_TYPE: DType = DType::F32;

/// Scores of classes: `W x + b`, behind `tanh(V x + c)` where the family has that layer. It computes in f32.
#[derive(Module, Debug)]
pub struct ClassificationHead {
    dense: Option<Linear>,
    linear: Linear,
    #[module(skip)]
    parameters: Arc<ParameterTable>,
}

impl HeadConfig {
    /// A head whose parameters are not computed before they are asked for.
    pub(crate) fn init(
        &self,
        d_model: usize,
        n_labels: usize,
        device: &Device,
    ) -> ClassificationHead {
        let mut parameters = ParameterTable::new("");
        if let Some(dense) = self.dense {
            parameters.add_linear(dense, "dense", true);
        }
        parameters.add_linear(self.name, "linear", self.bias);
        let dense = LinearConfig::new(d_model, d_model);
        let linear = LinearConfig::new(d_model, n_labels).with_bias(self.bias);
        ClassificationHead {
            dense: self.dense.map(|_| dense.init(device)),
            linear: linear.init(device),
            parameters: Arc::new(parameters),
        }
    }

    /// A head with fresh weights, from the same seed always the same.
    pub(crate) fn fresh(
        &self,
        d_model: usize,
        n_labels: usize,
        seed: u64,
        device: &Device,
    ) -> ClassificationHead {
        let head = self.init(d_model, n_labels, device);
        let parameters = head.parameters.clone();
        let mut normal = Normal::new(seed);
        let head = parameters.fill(head, device, HEAD_TYPE, &mut |parameter, shape| {
            normal.values(parameter.init, 0.02, shape.num_elements())
        });
        head.set_require_grad(true)
    }

    /// Number of classes of the head that a checkpoint holds, if it holds one.
    pub(crate) fn n_labels(&self, checkpoint: &Checkpoint<'_>) -> Option<usize> {
        let shape = checkpoint.shape(&format!("{}.weight", self.name))?;
        shape.first().copied().filter(|&n_labels| n_labels > 0)
    }

    /// The head of a checkpoint, frozen.
    pub(crate) fn load(
        &self,
        d_model: usize,
        n_labels: usize,
        checkpoint: &Checkpoint<'_>,
        device: &Device,
        report: &mut LoadReport,
    ) -> ClassificationHead {
        let head = self.init(d_model, n_labels, device);
        let parameters = head.parameters.clone();
        parameters.load(head, checkpoint, device, HEAD_TYPE, report)
    }
}

impl ClassificationHead {
    /// # Shapes
    ///
    /// - pooled: `[n_batch, d_model]`
    /// - result: `[n_batch, n_labels]`, f32
    pub fn forward(&self, pooled: Tensor<2>) -> Tensor<2> {
        let pooled = pooled.cast(HEAD_TYPE);
        let pooled = match &self.dense {
            Some(dense) => dense.forward(pooled).tanh(),
            None => pooled,
        };
        self.linear.forward(pooled)
    }

    /// Number of classes.
    pub fn n_labels(&self) -> usize {
        self.linear.weight.dims()[1]
    }

    /// All parameters under their Hugging Face names and in Hugging Face's layout.
    pub fn export(&self) -> Vec<(String, TensorData)> {
        self.parameters.export(self, &|_| true)
    }

    /// Replaces all parameters: the inverse of [`export`](Self::export). Trained ones stay trained.
    ///
    /// # Errors
    ///
    /// Lists what is missing, unknown or of another shape.
    pub fn import(self, tensors: Vec<(String, TensorData)>) -> Result<Self, LoadError> {
        let parameters = self.parameters.clone();
        let mut problems: Vec<String> = parameters
            .iter()
            .filter(|parameter| !tensors.iter().any(|(name, _)| *name == parameter.name))
            .map(|parameter| format!("missing: {}", parameter.name))
            .collect();
        let (head, more) = parameters.import(self, tensors);
        problems.extend(more);
        if problems.is_empty() {
            Ok(head)
        } else {
            Err(LoadError::Import(List(problems)))
        }
    }
}
