//! The walks over a module's parameters, each with the path by which a table knows them.

use std::collections::HashMap;

use burn::{
    module::{ModuleMapper, ModuleVisitor, Param, ParamId},
    tensor::{DType, Device, Shape, Tensor, TensorData},
};

use super::{Layout, LoadReport, Parameter, ParameterTable};
use crate::{checkpoint::Checkpoint, transpose::transposed};

/// The shape in the checkpoint of a parameter with this shape in the module, and the other way round.
pub(super) fn swapped(shape: &[usize], layout: Layout) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if layout == Layout::Transposed {
        shape.reverse();
    }
    shape
}

/// A tensor in the module's layout of data in the checkpoint's layout.
fn place<const D: usize>(
    data: TensorData,
    layout: Layout,
    device: &Device,
    dtype: DType,
) -> Tensor<D> {
    // Really transposed, not viewed so: with a view a frozen layer's forward and backward together took 27.3 ms
    // instead of 18.7 (1184 x 576 to 1536, f32, two cores).
    let data = match layout {
        Layout::Same => data,
        Layout::Transposed => transposed(data),
    };
    Tensor::from_data(data, (device, dtype))
}

macro_rules! track_path {
    () => {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
    };
}

pub(super) struct Loader<'a> {
    pub(super) table: &'a ParameterTable,
    pub(super) path: Vec<String>,
    pub(super) checkpoint: &'a Checkpoint<'a>,
    pub(super) device: &'a Device,
    pub(super) dtype: DType,
    pub(super) report: &'a mut LoadReport,
}

impl ModuleMapper for Loader<'_> {
    track_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let parameter = self.table.at(&self.path);
        let bare = parameter
            .name
            .strip_prefix(self.table.optional_prefix)
            .unwrap_or(&parameter.name);
        let name = [parameter.name.as_str(), bare]
            .into_iter()
            .flat_map(|name| self.table.spellings(name))
            .find(|name| self.checkpoint.contains(name));
        let expected = swapped(&param.lazy_shape(), parameter.layout);
        let found = name
            .as_deref()
            .and_then(|name| Some((name, self.checkpoint.shape(name)?)));
        let Some((name, shape)) = found else {
            let missing = format!("missing: {} {expected:?}", parameter.name);
            self.report.problems.push(missing);
            return param;
        };
        self.report.used.insert(name.to_owned());
        if shape != expected {
            let misshapen = format!("misshapen: {name} is {shape:?}, expected {expected:?}");
            self.report.problems.push(misshapen);
            return param;
        }
        match self.checkpoint.read(name, self.dtype) {
            Ok(data) => {
                let value = place(data, parameter.layout, self.device, self.dtype);
                Param::initialized(ParamId::new(), value)
            }
            Err(problem) => {
                self.report
                    .problems
                    .push(format!("unreadable: {name} {problem}"));
                param
            }
        }
    }
}

pub(super) struct Filler<'a> {
    pub(super) table: &'a ParameterTable,
    pub(super) path: Vec<String>,
    pub(super) device: &'a Device,
    pub(super) dtype: DType,
    pub(super) make: &'a mut dyn FnMut(&Parameter, &Shape) -> Vec<f32>,
}

impl ModuleMapper for Filler<'_> {
    track_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let parameter = self.table.at(&self.path);
        let shape = param.lazy_shape();
        let values = (self.make)(parameter, &shape);
        let data = TensorData::new(values, swapped(&shape, parameter.layout));
        let value = place(data, parameter.layout, self.device, self.dtype);
        Param::initialized(ParamId::new(), value)
    }
}

pub(super) struct Exporter<'a> {
    pub(super) table: &'a ParameterTable,
    pub(super) path: Vec<String>,
    pub(super) wanted: &'a dyn Fn(&str) -> bool,
    pub(super) tensors: Vec<(String, TensorData)>,
}

impl ModuleVisitor for Exporter<'_> {
    track_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let parameter = self.table.at(&self.path);
        if (self.wanted)(&parameter.name) {
            let data = param.val().into_data();
            let data = match parameter.layout {
                Layout::Same => data,
                Layout::Transposed => transposed(data),
            };
            self.tensors.push((parameter.name.clone(), data));
        }
    }
}

pub(super) struct Importer<'a> {
    pub(super) table: &'a ParameterTable,
    pub(super) path: Vec<String>,
    pub(super) tensors: HashMap<String, TensorData>,
    pub(super) problems: Vec<String>,
}

impl ModuleMapper for Importer<'_> {
    track_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let parameter = self.table.at(&self.path);
        let Some(data) = self.tensors.remove(&parameter.name) else {
            return param;
        };
        let expected = swapped(&param.shape(), parameter.layout);
        if data.shape().as_slice() != expected {
            self.problems.push(format!(
                "misshapen: {} is {:?}, expected {expected:?}",
                parameter.name,
                data.shape().as_slice()
            ));
            return param;
        }
        if !data.dtype().is_float() {
            let kind = format!("{} has elements of type {:?}", parameter.name, data.dtype());
            self.problems.push(kind);
            return param;
        }
        param.map(|old| {
            place::<D>(data, parameter.layout, &old.device(), old.dtype())
                .set_require_grad(old.is_require_grad())
        })
    }
}

pub(super) struct Trainable<'a> {
    pub(super) table: &'a ParameterTable,
    pub(super) path: Vec<String>,
    pub(super) trained: &'a dyn Fn(&str) -> bool,
}

impl ModuleMapper for Trainable<'_> {
    track_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let trained = (self.trained)(&self.table.at(&self.path).name);
        param.set_require_grad(trained)
    }
}

pub(super) struct Shapes<'a> {
    pub(super) table: &'a ParameterTable,
    pub(super) path: Vec<String>,
    pub(super) shapes: Vec<(String, Vec<usize>)>,
}

impl ModuleVisitor for Shapes<'_> {
    track_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let parameter = self.table.at(&self.path);
        let shape = swapped(&param.lazy_shape(), parameter.layout);
        self.shapes.push((parameter.name.clone(), shape));
    }
}
