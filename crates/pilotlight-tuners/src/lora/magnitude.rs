//! DoRA: the length of each column of a weight, learned apart from its direction (Liu et al. 2024, "DoRA:
//! Weight-Decomposed Low-Rank Adaptation").

use std::sync::{Mutex, PoisonError};

use burn::{
    module::{Module, Param, ParamId},
    tensor::{DType, Device, Tensor, TensorData},
};

/// The learned lengths m of a weight's columns.
#[derive(Module, Debug)]
pub struct Magnitude {
    /// One length per output `[d_output]`.
    pub values: Param<Tensor<1>>,
    #[module(skip)]
    pub(super) memory: Memory,
}

impl Magnitude {
    pub(super) fn new(values: TensorData, device: &Device) -> Self {
        Self {
            values: Param::from_data(values, device),
            memory: Memory::default(),
        }
    }

    /// `m / n` `[d_output]`, of lengths n `[1, d_output]`.
    pub(super) fn ratio(&self, norm: Tensor<2>) -> Tensor<1> {
        self.values.val() / norm.squeeze_dim(0)
    }
}

/// What is known of the squared lengths `|W|^2` `[1, d_output]` of a weight's columns.
pub(super) enum Squares<'a> {
    /// Nothing: they are computed.
    Compute,
    /// They may be remembered, or be remembered from now on.
    Remember(&'a Memory, &'a Param<Tensor<2>>),
}

impl Squares<'_> {
    pub(super) fn get(&self, compute: impl FnOnce() -> Tensor<2>) -> Tensor<2> {
        match self {
            Self::Compute => compute(),
            Self::Remember(memory, weight) => memory.get(weight, compute),
        }
    }
}

/// The squared lengths of a frozen weight's columns, so that they are computed once.
///
/// They are those of a parameter, known by its id. Once that is seen in training, nothing is remembered any more:
/// each step changes it under the same id.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Remembered>);

#[derive(Debug, Clone, Default)]
enum Remembered {
    #[default]
    Nothing,
    Known(Box<(Key, Tensor<2>)>),
    Never,
}

#[derive(Debug, Clone, PartialEq)]
struct Key {
    id: ParamId,
    dtype: DType,
    device: Device,
}

impl Memory {
    fn get(&self, weight: &Param<Tensor<2>>, compute: impl FnOnce() -> Tensor<2>) -> Tensor<2> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if weight.is_require_grad() {
            *remembered = Remembered::Never;
        }
        let value = weight.val();
        let key = Key {
            id: weight.id,
            dtype: value.dtype(),
            device: value.device().inner(),
        };
        match &*remembered {
            Remembered::Known(known) if known.0 == key => known.1.clone(),
            Remembered::Never => compute(),
            Remembered::Nothing | Remembered::Known(_) => {
                let squares = compute();
                *remembered = Remembered::Known(Box::new((key, squares.clone())));
                squares
            }
        }
    }
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Self(Mutex::new(remembered.clone()))
    }
}
