//! Named tensors in a safetensors file.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    io::{self, Read},
    path::Path,
};

use burn::tensor::{DType, TensorData};
use safetensors::{Dtype, SafeTensorError, View, tensor::Metadata};

use crate::{error::TrainError, run_folder::temporary_in};

const HINT: &str = "the file is damaged or was not written here: remove its folder";

/// A tensor to be written.
pub(crate) struct Stored {
    dtype: DType,
    shape: Vec<usize>,
    /// Copies it from the device, where it is not here already.
    read: Box<dyn Fn() -> TensorData>,
}

impl Stored {
    /// A tensor that is copied from its device when it is written and not before, so that a large model is never in
    /// memory twice.
    pub(crate) fn lazy(
        dtype: DType,
        shape: Vec<usize>,
        read: impl Fn() -> TensorData + 'static,
    ) -> Self {
        let read = Box::new(read);
        Self { dtype, shape, read }
    }

    /// The values.
    #[cfg(test)]
    pub(crate) fn read(&self) -> TensorData {
        (self.read)()
    }
}

impl From<TensorData> for Stored {
    fn from(data: TensorData) -> Self {
        Self::lazy(data.dtype(), data.shape().to_vec(), move || data.clone())
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.dtype, self.shape)
    }
}

/// Writes the file, and waits until it is on the disk.
pub(crate) fn write(path: &Path, tensors: &BTreeMap<String, Stored>) -> Result<(), TrainError> {
    let views = tensors
        .iter()
        .map(|(name, stored)| {
            let dtype = to_file(stored.dtype, name, path)?;
            Ok((name, StoredView { dtype, stored }))
        })
        .collect::<Result<Vec<_>, TrainError>>()?;
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let file = temporary_in(path.parent().unwrap_or(Path::new(".")))?;
    let ordinary = file.as_file().metadata()?.permissions();
    safetensors::serialize_to_file(views, Some(metadata), file.path()).map_err(
        |error| match error {
            SafeTensorError::IoError(error) => error.into(),
            other => TrainError::file(
                path,
                format!("cannot be written: {other}"),
                "this is a fault of the program",
            ),
        },
    )?;
    // By name: safetensors has put a private file in its place.
    fs_err::set_permissions(file.path(), ordinary)?;
    fs_err::File::open(file.path())?.sync_all()?;
    file.persist(path).map_err(io::Error::from)?;
    Ok(())
}

/// Reads all tensors of a file, one after the other.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, TensorData>, TrainError> {
    let damaged = |problem: String| TrainError::file(path, problem, HINT);
    let no_file = |problem: &str| damaged(format!("is no safetensors file: {problem}"));
    let mut file = fs_err::File::open(path)?;
    let length = file.metadata()?.len();
    let mut n_header = [0; 8];
    if length < 8 {
        return Err(no_file("it is too short for a header"));
    }
    file.read_exact(&mut n_header)?;
    let n_header = u64::from_le_bytes(n_header);
    if n_header > length - 8 {
        return Err(no_file("its header is longer than the file"));
    }
    let mut header = vec![0; n_header as usize];
    file.read_exact(&mut header)?;
    // Parsing checks that the tensors lie one behind the other and are as long as their shapes say.
    let header: Metadata =
        serde_json::from_slice(&header).map_err(|error| no_file(&error.to_string()))?;
    let n_data = length - 8 - n_header;
    if header.data_len() as u64 != n_data {
        let expected = header.data_len();
        return Err(no_file(&format!(
            "its tensors need {expected} bytes, it has {n_data}"
        )));
    }
    let mut tensors = BTreeMap::new();
    for name in header.offset_keys() {
        let Some(info) = header.info(&name) else {
            continue;
        };
        let Some(dtype) = from_file(info.dtype) else {
            return Err(damaged(format!(
                "tensor `{name}` has type {:?}",
                info.dtype
            )));
        };
        let mut bytes = vec![0; info.data_offsets.1 - info.data_offsets.0];
        file.read_exact(&mut bytes)?;
        let data = TensorData::try_from_bytes_vec(bytes, info.shape.clone(), dtype)
            .map_err(|error| damaged(format!("tensor `{name}`: {error}")))?;
        tensors.insert(name, data);
    }
    Ok(tensors)
}

struct StoredView<'a> {
    dtype: Dtype,
    stored: &'a Stored,
}

impl View for StoredView<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.stored.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        (self.stored.read)().as_bytes().to_vec().into()
    }

    fn data_len(&self) -> usize {
        self.stored.shape.iter().product::<usize>() * self.stored.dtype.size()
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

    fn stored() -> BTreeMap<String, Stored> {
        tensors()
            .into_iter()
            .map(|(name, data)| (name, data.into()))
            .collect()
    }

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
        write(&path, &stored()).expect("written");
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
        write(&path, &stored()).expect("written");
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
