//! Safetensors files of adapters.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    path::Path,
};

use burn::tensor::{DType, TensorData};
use safetensors::{Dtype, SafeTensors, View};

use crate::{
    error::{Problems, TunerError},
    files,
};

/// All tensors of a file, as f32.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, TensorData>, TunerError> {
    let bytes = files::read(path)?;
    let mut problems = Problems::default();
    let mut tensors = BTreeMap::new();
    match SafeTensors::deserialize(&bytes) {
        Err(error) => problems.push(
            "content",
            format!("is no safetensors file: {error}\nhint: is the file complete?"),
        ),
        Ok(file) => {
            for (name, view) in file.iter() {
                let dtype = match view.dtype() {
                    Dtype::F32 => DType::F32,
                    Dtype::F16 => DType::F16,
                    Dtype::BF16 => DType::BF16,
                    other => {
                        problems.push(
                            name,
                            format!("is of type {other}, expected F32, F16 or BF16"),
                        );
                        continue;
                    }
                };
                let shape = view.shape().to_vec();
                let data = TensorData::from_bytes_vec(view.data().to_vec(), shape, dtype);
                tensors.insert(name.to_owned(), data.convert_dtype(DType::F32));
            }
        }
    }
    problems.in_file(path)?;
    Ok(tensors)
}

/// The content of a file of these tensors. `path` is where it will stand, for errors.
pub(crate) fn to_bytes(
    tensors: &[(String, TensorData)],
    path: &Path,
) -> Result<Vec<u8>, TunerError> {
    let mut problems = Problems::default();
    let mut views = Vec::new();
    for (name, data) in tensors {
        let dtype = match data.dtype() {
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            other => {
                problems.push(name, format!("is of type {other:?}, which is not written"));
                continue;
            }
        };
        views.push((name, TensorView { data, dtype }));
    }
    problems.in_file(path)?;
    // PyTorch's readers ask for this entry.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| {
        let mut problems = Problems::default();
        problems.push("content", format!("cannot be written: {error}"));
        TunerError::File {
            path: path.to_owned(),
            problems,
        }
    })
}

struct TensorView<'a> {
    data: &'a TensorData,
    dtype: Dtype,
}

impl View for TensorView<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        self.data.shape().as_slice()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.data.as_bytes().into()
    }

    fn data_len(&self) -> usize {
        self.data.as_bytes().len()
    }
}
