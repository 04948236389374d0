//! What an optimizer remembers, on its way to a file and back.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use burn::{
    optim::{DynOptimizer, DynState, StateSink, StateSource},
    tensor::{Device, TensorData},
};
use serde_json::Value;

use super::Optimizer;
use crate::tensor_file::Stored;

/// What an optimizer remembers, as tensors and numbers by `path.field`.
#[derive(Debug)]
pub(crate) struct OptimizerRecord<T> {
    pub(crate) tensors: BTreeMap<String, T>,
    pub(crate) numbers: BTreeMap<String, Value>,
    /// The parameters it remembers anything of.
    pub(crate) paths: Vec<String>,
}

/// The tensors that were last copied from the device: those of one parameter, each until it is asked for.
type Copied = Rc<RefCell<BTreeMap<String, TensorData>>>;

impl Optimizer {
    /// What the optimizer remembers. Tensors are copied from the device when they are written, those of one
    /// parameter at a time.
    pub(crate) fn record(&self) -> OptimizerRecord<Stored> {
        let mut record = OptimizerRecord {
            tensors: BTreeMap::new(),
            numbers: BTreeMap::new(),
            paths: self.states.keys().cloned().collect(),
        };
        let copied = Copied::default();
        for (path, state) in &self.states {
            let sink = flatten(&self.rule, path, state);
            record
                .numbers
                .extend(sink.scalars.into_iter().map(|(name, number)| {
                    (
                        name,
                        serde_json::to_value(number).expect("a number is JSON"),
                    )
                }));
            for (name, data) in sink.tensors {
                let (rule, path, state) = (self.rule.clone(), path.clone(), state.clone());
                let (copied, wanted) = (copied.clone(), name.clone());
                let read = move || {
                    let found = copied.borrow_mut().remove(&wanted);
                    found.unwrap_or_else(|| {
                        let all = flatten(&rule, &path, &state).tensors;
                        let mut all: BTreeMap<_, _> = all.into_iter().collect();
                        let data = all
                            .remove(&wanted)
                            .expect("a state has always the same tensors");
                        *copied.borrow_mut() = all;
                        data
                    })
                };
                let stored = Stored::lazy(data.dtype(), data.shape().to_vec(), read);
                record.tensors.insert(name, stored);
            }
        }
        record
    }

    /// Remembers for the trained parameters of `module`, with their `shapes`, what the record says.
    ///
    /// Returns what is wrong with the record.
    pub(crate) fn restore(
        &mut self,
        record: OptimizerRecord<TensorData>,
        shapes: &BTreeMap<String, Vec<usize>>,
        device: &Device,
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

fn flatten(rule: &Arc<dyn DynOptimizer>, path: &str, state: &DynState) -> StateSink {
    let mut sink = StateSink::default();
    rule.state_flatten(path, state, &mut sink);
    sink
}
