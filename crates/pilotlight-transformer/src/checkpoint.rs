//! Reading tensors by name from safetensors files.
//!
//! A [`Checkpoint`] is one `model.safetensors`, or all shards that `model.safetensors.index.json` names, or a file
//! that is already in memory. Files are memory-mapped: a tensor is copied once, when it is read, straight to the
//! asked element type.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Component, Path, PathBuf},
};

use burn::tensor::{DType, Shape, TensorData};
use fs_err as fs;
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};

use crate::error::{List, LoadError};

/// The name of the file with all tensors of a model.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// The name of the file that says which shard holds which tensor.
pub const INDEX_FILE: &str = "model.safetensors.index.json";

/// Tensors by name, spread over one or more files.
#[derive(Debug)]
pub struct Checkpoint<'a> {
    path: PathBuf,
    files: Vec<Bytes<'a>>,
    tensors: BTreeMap<String, Place>,
}

#[derive(Debug)]
enum Bytes<'a> {
    Mapped(Mmap),
    Borrowed(&'a [u8]),
}

impl Bytes<'_> {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Borrowed(bytes) => bytes,
        }
    }
}

#[derive(Debug)]
struct Place {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    range: Range<usize>,
}

impl Checkpoint<'static> {
    /// Opens the tensors of a Hugging Face folder: `model.safetensors`, or the shards of its index.
    ///
    /// # Errors
    ///
    /// Fails if neither is there, a file is damaged, or the index and the shards disagree.
    pub fn open_folder(folder: &Path) -> Result<Self, LoadError> {
        let single = folder.join(WEIGHTS_FILE);
        if single.is_file() {
            let mut checkpoint = Self::empty(single.clone());
            checkpoint.add(&single, map_file(&single)?)?;
            return Ok(checkpoint);
        }
        let index = folder.join(INDEX_FILE);
        if index.is_file() {
            return Self::open_shards(folder, &index);
        }
        let other = [
            "pytorch_model.bin",
            "pytorch_model.bin.index.json",
            "tf_model.h5",
        ]
        .into_iter()
        .find(|name| folder.join(name).exists());
        Err(LoadError::NoModel {
            path: folder.to_owned(),
            problem: format!("there is neither {WEIGHTS_FILE} nor {INDEX_FILE}"),
            hint: match other {
                Some(name) => format!(
                    "{name} is not read; convert it to safetensors with save_pretrained(..., safe_serialization=True)"
                ),
                None => "name a folder as Hugging Face's save_pretrained writes it".to_owned(),
            },
        })
    }

    fn open_shards(folder: &Path, index: &Path) -> Result<Self, LoadError> {
        let shard_of = read_index(index)?;
        let mut checkpoint = Self::empty(index.to_owned());
        let shards: BTreeSet<&String> = shard_of.values().collect();
        for shard in &shards {
            let path = folder.join(shard);
            checkpoint.add(&path, map_file(&path)?)?;
        }
        let problems: Vec<String> = shard_of
            .iter()
            .filter(|(name, _)| !checkpoint.tensors.contains_key(*name))
            .map(|(name, shard)| format!("missing: {name} (the index places it in {shard})"))
            .collect();
        if problems.is_empty() {
            Ok(checkpoint)
        } else {
            Err(LoadError::Tensors {
                path: index.to_owned(),
                problems: List(problems),
            })
        }
    }

    /// Opens one safetensors file of any name.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read or is damaged.
    pub fn open_file(path: &Path) -> Result<Self, LoadError> {
        let mut checkpoint = Self::empty(path.to_owned());
        checkpoint.add(path, map_file(path)?)?;
        Ok(checkpoint)
    }
}

impl<'a> Checkpoint<'a> {
    /// Reads a safetensors file that is in memory; `name` stands for it in errors.
    ///
    /// # Errors
    ///
    /// Fails if it is damaged.
    pub fn from_bytes(name: &str, bytes: &'a [u8]) -> Result<Self, LoadError> {
        let path = PathBuf::from(name);
        let mut checkpoint = Self::empty(path.clone());
        checkpoint.add(&path, Bytes::Borrowed(bytes))?;
        Ok(checkpoint)
    }

    fn empty(path: PathBuf) -> Self {
        Self {
            path,
            files: Vec::new(),
            tensors: BTreeMap::new(),
        }
    }

    fn add(&mut self, path: &Path, bytes: Bytes<'a>) -> Result<(), LoadError> {
        let damaged = |problem: String| LoadError::File {
            path: path.to_owned(),
            problem,
            hint: "download or copy the file again".to_owned(),
        };
        let (n_header, metadata) = SafeTensors::read_metadata(bytes.as_slice())
            .map_err(|error| damaged(format!("is not a whole safetensors file: {error}")))?;
        // The header stands behind its own length, which takes eight bytes.
        let n_header = n_header + 8;
        for (name, info) in metadata.tensors() {
            let place = Place {
                file: self.files.len(),
                dtype: info.dtype,
                shape: info.shape.clone(),
                range: n_header + info.data_offsets.0..n_header + info.data_offsets.1,
            };
            if self.tensors.insert(name.clone(), place).is_some() {
                return Err(damaged(format!(
                    "holds {name}, which an earlier shard holds too"
                )));
            }
        }
        self.files.push(bytes);
        Ok(())
    }

    /// The file, or the index of several files, that this was opened from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all tensors, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|place| place.shape.as_slice())
    }

    /// Reads a tensor as `dtype` (f32, f16 or bf16), whatever float type the file has.
    ///
    /// # Errors
    ///
    /// Says in words if there is no such tensor or its element type is none of f64, f32, f16 and bf16.
    pub fn read(&self, name: &str, dtype: DType) -> Result<TensorData, String> {
        let place = self
            .tensors
            .get(name)
            .ok_or_else(|| "there is no such tensor".to_owned())?;
        let bytes = &self.files[place.file].as_slice()[place.range.clone()];
        convert(bytes, place.dtype, Shape::from(place.shape.clone()), dtype)
    }
}

fn map_file(path: &Path) -> Result<Bytes<'static>, LoadError> {
    let error = |source| LoadError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    };
    let file = fs::File::open(path).map_err(error)?;
    if file.metadata().map_err(error)?.len() == 0 {
        // An empty file cannot be mapped on every system.
        return Ok(Bytes::Borrowed(&[]));
    }
    // SAFETY: the map is only read, and only as bytes. A file that another program shortens meanwhile ends this
    // one with a bus error, as with every reader of mapped weights.
    #[expect(unsafe_code, reason = "mapping a file is unsafe in Rust")]
    let map = unsafe { Mmap::map(&file) }.map_err(error)?;
    Ok(Bytes::Mapped(map))
}

fn read_index(path: &Path) -> Result<BTreeMap<String, String>, LoadError> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let file_error = |problem: String| LoadError::File {
        path: path.to_owned(),
        problem,
        hint: "download or copy the file again".to_owned(),
    };
    let text = fs::read(path).map_err(|source| LoadError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    let index: Index = serde_json::from_slice(&text)
        .map_err(|error| file_error(format!("is not an index of shards: {error}")))?;
    for shard in index.weight_map.values() {
        // A shard is a file of the folder itself: an index must not make us read anything else.
        let mut components = Path::new(shard).components();
        let plain =
            matches!(components.next(), Some(Component::Normal(name)) if name == shard.as_str());
        if !plain || components.next().is_some() {
            return Err(file_error(format!(
                "names the shard {shard:?}, which is not a file of its folder"
            )));
        }
    }
    Ok(index.weight_map)
}

/// Copies float elements to another float type.
fn convert(bytes: &[u8], from: Dtype, shape: Shape, to: DType) -> Result<TensorData, String> {
    let same = matches!(
        (from, to),
        (Dtype::F32, DType::F32) | (Dtype::F16, DType::F16) | (Dtype::BF16, DType::BF16)
    );
    if same {
        return Ok(TensorData::from_bytes_vec(bytes.to_vec(), shape, to));
    }
    let values: Vec<f32> = match from {
        Dtype::F32 => elements(bytes, f32::from_le_bytes),
        Dtype::F16 => elements(bytes, |element| f16::from_le_bytes(element).to_f32()),
        Dtype::BF16 => elements(bytes, |element| bf16::from_le_bytes(element).to_f32()),
        Dtype::F64 => elements(bytes, |element| f64::from_le_bytes(element) as f32),
        other => return Err(format!("has element type {other}, not a float type")),
    };
    let data = TensorData::new(values, shape);
    match to {
        DType::F32 => Ok(data),
        DType::F16 | DType::BF16 => Ok(data.convert_dtype(to)),
        other => Err(format!("cannot be read as {other:?}: use f32, f16 or bf16")),
    }
}

fn elements<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|&chunk| read(chunk))
        .collect()
}
