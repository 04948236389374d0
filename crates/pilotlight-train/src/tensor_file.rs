//! Named tensors in a safetensors file.

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use burn::tensor::{DType, TensorData};
use safetensors::{Dtype, SafeTensorError, SafeTensors, View};

use crate::error::TrainError;

const HINT: &str = "the file is damaged or was not written here: remove its folder";

/// Writes the file, and waits until it is on the disk.
pub(crate) fn write(path: &Path, tensors: &BTreeMap<String, TensorData>) -> Result<(), TrainError> {
    let views = tensors
        .iter()
        .map(|(name, data)| {
            Ok((
                name,
                Borrowed {
                    dtype: to_file(data.dtype(), name, path)?,
                    data,
                },
            ))
        })
        .collect::<Result<Vec<_>, TrainError>>()?;
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize_to_file(views, Some(metadata), path).map_err(|error| match error {
        SafeTensorError::IoError(error) => error.into(),
        other => TrainError::file(
            path,
            format!("cannot be written: {other}"),
            "this is a fault of the program",
        ),
    })?;
    fs_err::File::open(path)?.sync_all()?;
    Ok(())
}

/// Reads all tensors of a file.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, TensorData>, TrainError> {
    let bytes = fs_err::read(path)?;
    let damaged = |problem: String| TrainError::file(path, problem, HINT);
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| damaged(format!("is no safetensors file: {error}")))?;
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let Some(dtype) = from_file(view.dtype()) else {
                return Err(damaged(format!(
                    "tensor `{name}` has type {:?}",
                    view.dtype()
                )));
            };
            let data =
                TensorData::try_from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype)
                    .map_err(|error| damaged(format!("tensor `{name}`: {error}")))?;
            Ok((name, data))
        })
        .collect()
}

struct Borrowed<'a> {
    dtype: Dtype,
    data: &'a TensorData,
}

impl View for Borrowed<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        self.data.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.data.as_bytes().into()
    }

    fn data_len(&self) -> usize {
        self.data.as_bytes().len()
    }
}

fn to_file(dtype: DType, name: &str, path: &Path) -> Result<Dtype, TrainError> {
    match dtype {
        DType::F64 => Ok(Dtype::F64),
        DType::F32 | DType::Flex32 => Ok(Dtype::F32),
        DType::F16 => Ok(Dtype::F16),
        DType::BF16 => Ok(Dtype::BF16),
        other => Err(TrainError::file(
            path,
            format!("tensor `{name}` has type {other:?}, which is not stored"),
            "train parameters of a floating-point type",
        )),
    }
}

fn from_file(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F64 => Some(DType::F64),
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> BTreeMap<String, TensorData> {
        [
            (
                "a".to_owned(),
                TensorData::from([[1.0_f32, -2.5], [0.0, 3.0]]),
            ),
            ("b.time".to_owned(), TensorData::from([7.0_f64])),
        ]
        .into()
    }

    #[test]
    fn tensors_come_back_bit_by_bit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.safetensors");
        write(&path, &tensors()).expect("written");
        let read = read(&path).expect("read");
        for (name, expected) in tensors() {
            assert_eq!(read[&name].as_bytes(), expected.as_bytes());
            assert_eq!(read[&name].shape(), expected.shape());
            assert_eq!(read[&name].dtype(), expected.dtype());
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.safetensors");
        write(&path, &tensors()).expect("written");
        let whole = fs_err::read(&path).expect("bytes");
        for length in [0, 4, 9, 60, whole.len() - 1] {
            fs_err::write(&path, &whole[..length]).expect("cut");
            let error = read(&path).expect_err("damaged").to_string();
            assert!(
                error.contains("x.safetensors") && error.contains("hint:"),
                "{error}"
            );
        }
        let mut hostile = u64::MAX.to_le_bytes().to_vec();
        hostile.extend(b"{}");
        fs_err::write(&path, hostile).expect("written");
        assert!(read(&path).is_err());
    }
}
