//! The names of a model's parameters, in Hugging Face checkpoints and in Burn modules.
//!
//! A family writes one [`ParameterTable`]; loading, saving, exporting, importing and the choice of trained
//! parameters all go through it, so that a parameter has one name everywhere: the one in the checkpoint.

mod walks;

use std::collections::{BTreeSet, HashMap};

use burn::{
    module::Module,
    tensor::{DType, Device, Shape, TensorData},
};

use crate::checkpoint::Checkpoint;
use walks::{Exporter, Filler, Importer, Loader, Shapes, Trainable};

/// One parameter under both of its names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    /// The name in Hugging Face checkpoints.
    pub(crate) name: String,
    /// The path of the parameter in the Burn module, as `blocks.0.attention.output.weight`.
    pub(crate) path: String,
    /// How the checkpoint lays it out.
    pub(crate) layout: Layout,
    /// What it holds before any training.
    pub(crate) init: Init,
}

/// How a checkpoint lays out a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As the Burn module does.
    Same,
    /// The other way round: PyTorch's linear layers are `[d_output, d_input]`.
    Transposed,
}

/// The initial distribution of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Init {
    /// Normal with this multiple of the configuration's standard deviation.
    Normal(f64),
    /// All ones.
    Ones,
    /// All zeros.
    Zeros,
}

/// All parameters of a module.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParameterTable {
    parameters: Vec<Parameter>,
    by_path: HashMap<String, usize>,
    /// What all paths start with: the variant of the network.
    root: &'static str,
    /// A prefix of all names that checkpoints of the bare base model leave out, as `transformer.`.
    pub(crate) optional_prefix: &'static str,
    /// Endings of names, each with another one under which a checkpoint may hold the tensor.
    pub(crate) aliases: Vec<(&'static str, &'static str)>,
    /// Beginnings of tensor names that are not parameters of this model.
    pub(crate) ignored_prefixes: Vec<&'static str>,
    /// Endings of tensor names that are not parameters of this model.
    pub(crate) ignored_suffixes: Vec<&'static str>,
}

impl ParameterTable {
    /// An empty table; all paths that are added stand below `root`.
    pub(crate) fn new(root: &'static str) -> Self {
        Self {
            root,
            ..Self::default()
        }
    }

    /// Adds a parameter.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        path: impl Into<String>,
        layout: Layout,
        init: Init,
    ) {
        let parameter = Parameter {
            name: name.into(),
            path: format!("{}{}", self.root, path.into()),
            layout,
            init,
        };
        self.by_path
            .insert(parameter.path.clone(), self.parameters.len());
        self.parameters.push(parameter);
    }

    /// Adds the weight, and the bias if there is one, of a linear layer of PyTorch's layout.
    pub(crate) fn add_linear(&mut self, name: &str, path: &str, bias: bool) {
        self.add(
            format!("{name}.weight"),
            format!("{path}.weight"),
            Layout::Transposed,
            Init::Normal(1.0),
        );
        if bias {
            self.add_bias(name, path);
        }
    }

    /// Adds the bias of a linear layer.
    pub(crate) fn add_bias(&mut self, name: &str, path: &str) {
        self.add(
            format!("{name}.bias"),
            format!("{path}.bias"),
            Layout::Same,
            Init::Zeros,
        );
    }

    /// Adds an embedding table.
    pub(crate) fn add_embedding(&mut self, name: &str, path: &str) {
        self.add(
            format!("{name}.weight"),
            format!("{path}.weight"),
            Layout::Same,
            Init::Normal(1.0),
        );
    }

    /// Adds a root-mean-square norm that is a [`Norm`](crate::norm::Norm).
    pub(crate) fn add_rms_norm(&mut self, name: &str, path: &str) {
        self.add(
            format!("{name}.weight"),
            format!("{path}.Rms.gamma"),
            Layout::Same,
            Init::Ones,
        );
    }

    /// Adds a layer norm that is a [`Norm`](crate::norm::Norm).
    pub(crate) fn add_layer_norm(&mut self, name: &str, path: &str) {
        self.add(
            format!("{name}.weight"),
            format!("{path}.Layer.gamma"),
            Layout::Same,
            Init::Ones,
        );
        self.add(
            format!("{name}.bias"),
            format!("{path}.Layer.beta"),
            Layout::Same,
            Init::Zeros,
        );
    }

    /// All parameters in the order in which they were added.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter()
    }

    /// The parameter at a path of the Burn module.
    ///
    /// # Panics
    ///
    /// Panics if the table lacks it: a family's table names every parameter of its module.
    fn at(&self, path: &[String]) -> &Parameter {
        let path = path.join(".");
        match self.by_path.get(&path) {
            Some(&index) => &self.parameters[index],
            None => panic!("the parameter table does not name {path}"),
        }
    }

    /// Replaces every parameter of `module` by the tensor of the checkpoint, frozen, and reports the tensors that
    /// were used and those that are missing, misshapen or unreadable.
    pub(crate) fn load<M: Module>(
        &self,
        module: M,
        checkpoint: &Checkpoint<'_>,
        device: &Device,
        dtype: DType,
        report: &mut LoadReport,
    ) -> M {
        module.map(&mut Loader {
            table: self,
            path: Vec::new(),
            checkpoint,
            device,
            dtype,
            report,
        })
    }

    /// A name and the aliases of it.
    fn spellings(&self, name: &str) -> Vec<String> {
        let alias = |(ending, other): &(&str, &str)| {
            let stem = name.strip_suffix(ending)?;
            Some(format!("{stem}{other}"))
        };
        let aliases = self.aliases.iter().filter_map(alias);
        std::iter::once(name.to_owned()).chain(aliases).collect()
    }

    /// Whether a tensor of this name is known not to be a parameter of the model.
    pub(crate) fn ignores(&self, name: &str) -> bool {
        let bare = name.strip_prefix(self.optional_prefix).unwrap_or(name);
        self.ignored_prefixes
            .iter()
            .any(|prefix| bare.starts_with(prefix))
            || self.ignored_suffixes.iter().any(|suffix| {
                name.strip_suffix(suffix)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })
    }

    /// Calls `make` for every parameter of `module` and puts the values it returns in its place, frozen.
    pub(crate) fn fill<M: Module>(
        &self,
        module: M,
        device: &Device,
        dtype: DType,
        make: &mut dyn FnMut(&Parameter, &Shape) -> Vec<f32>,
    ) -> M {
        module.map(&mut Filler {
            table: self,
            path: Vec::new(),
            device,
            dtype,
            make,
        })
    }

    /// The parameters whose names are `wanted`, under those names and in the layout of checkpoints.
    pub(crate) fn export<M: Module>(
        &self,
        module: &M,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Vec<(String, TensorData)> {
        let mut visitor = Exporter {
            table: self,
            path: Vec::new(),
            wanted,
            tensors: Vec::new(),
        };
        module.visit(&mut visitor);
        visitor.tensors
    }

    /// Puts tensors into a module: the inverse of [`export`](Self::export). Parameters that are not named keep
    /// their values, and all keep their ids and whether they are trained. Also returns what does not fit.
    pub(crate) fn import<M: Module>(
        &self,
        module: M,
        tensors: Vec<(String, TensorData)>,
    ) -> (M, Vec<String>) {
        let mut mapper = Importer {
            table: self,
            path: Vec::new(),
            tensors: HashMap::new(),
            problems: Vec::new(),
        };
        for (name, data) in tensors {
            if mapper.tensors.insert(name.clone(), data).is_some() {
                mapper.problems.push(format!("given twice: {name}"));
            }
        }
        let module = module.map(&mut mapper);
        let mut unknown: Vec<_> = mapper.tensors.into_keys().collect();
        unknown.sort();
        let mut problems = mapper.problems;
        problems.extend(
            unknown
                .into_iter()
                .map(|name| format!("unexpected: {name}")),
        );
        (module, problems)
    }

    /// Lets exactly the parameters with `trained` names require gradients.
    pub(crate) fn set_trained<M: Module>(&self, module: M, trained: &dyn Fn(&str) -> bool) -> M {
        module.map(&mut Trainable {
            table: self,
            path: Vec::new(),
            trained,
        })
    }

    /// Every parameter of a module with its shape in checkpoints, without initialising one.
    pub(crate) fn shapes<M: Module>(&self, module: &M) -> Vec<(String, Vec<usize>)> {
        let mut visitor = Shapes {
            table: self,
            path: Vec::new(),
            shapes: Vec::new(),
        };
        module.visit(&mut visitor);
        visitor.shapes
    }
}

/// What was found out while modules were loaded from a checkpoint.
#[derive(Debug, Default)]
pub(crate) struct LoadReport {
    pub(crate) used: BTreeSet<String>,
    pub(crate) problems: Vec<String>,
}

impl LoadReport {
    /// Adds the tensors of the checkpoint that nothing used and `table` does not ignore.
    pub(crate) fn add_unexpected(&mut self, checkpoint: &Checkpoint<'_>, table: &ParameterTable) {
        for name in checkpoint.names() {
            if !self.used.contains(name) && !table.ignores(name) {
                let shape = checkpoint.shape(name).unwrap_or_default();
                self.problems.push(format!("unexpected: {name} {shape:?}"));
            }
        }
    }
}
