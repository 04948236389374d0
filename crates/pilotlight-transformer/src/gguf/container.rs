//! The container format: metadata and the table of tensors.
//!
//! Layout: magic `GGUF`, version, number of tensors, number of metadata entries; the entries; the table of
//! tensors; padding; the tensors' bytes. All numbers are little-endian. Nothing that a file says is believed
//! before the file is known to be long enough for it, so that a damaged count costs no memory.

use std::{
    collections::{BTreeMap, HashMap},
    io::{BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use candle_core::{Device, quantized::GgmlDType, quantized::ggml_file::qtensor_from_ggml};

use super::{error::GgufError, value::Value};

/// Most dimensions that a tensor of the format can have.
const MAX_DIMENSIONS: u32 = 4;
/// Where the metadata does not say how tensors are aligned.
const DEFAULT_ALIGNMENT: u64 = 32;

/// An open GGUF file.
#[derive(Debug)]
pub(super) struct Container {
    /// Its metadata by key.
    pub(super) metadata: HashMap<String, Value>,
    /// Its tensors by name.
    pub(super) tensors: BTreeMap<String, TensorInfo>,
    path: PathBuf,
    file: fs_err::File,
}

/// One tensor of the table.
#[derive(Debug, Clone)]
pub(super) struct TensorInfo {
    /// Sizes, the slowest varying first (the file has them the other way round).
    pub(super) shape: Vec<usize>,
    /// How the numbers are stored; the number of the type where it is an unknown one.
    pub(super) stored: Result<GgmlDType, u32>,
    /// Offset behind the start of the tensors' bytes, then from the start of the file.
    start: u64,
}

impl TensorInfo {
    /// Number of values, and the bytes that they take; `None` where that cannot be told or makes no sense.
    pub(super) fn size(&self) -> Option<(usize, u64)> {
        let stored = self.stored.ok()?;
        let n_values = self
            .shape
            .iter()
            .try_fold(1usize, |product, &size| product.checked_mul(size))?;
        if !self.shape.last()?.is_multiple_of(stored.block_size()) {
            return None;
        }
        let n_bytes = (n_values / stored.block_size()).checked_mul(stored.type_size())?;
        Some((n_values, n_bytes as u64))
    }
}

impl Container {
    /// Reads everything but the tensors' bytes, and checks that those are all there.
    pub(super) fn open(path: &Path) -> Result<Self, GgufError> {
        let file = fs_err::File::open(path)?;
        let len = file.metadata()?.len();
        let mut source = Source {
            path: path.to_path_buf(),
            reader: BufReader::new(file),
            offset: 0,
            len,
        };
        let magic: Vec<u8> = source.bytes(4.min(len), "the magic number")?;
        if magic != b"GGUF" {
            return Err(GgufError::NotGguf {
                path: path.to_path_buf(),
                found: String::from_utf8_lossy(&magic).into_owned(),
            });
        }
        let version = source.u32("the version")?;
        if !(2..=3).contains(&version) {
            return Err(GgufError::Unsupported {
                path: path.to_path_buf(),
                problems: vec![format!(
                    "version {version} of the format, where 2 and 3 are known (a file for big-endian machines has a huge version)"
                )],
            });
        }
        let n_tensors = source.u64("the number of tensors")?;
        let n_entries = source.u64("the number of metadata entries")?;
        // Key length, type and one byte of value; name length, number of dimensions, type and offset.
        source.expect_room(n_entries, 13, "metadata entries")?;
        source.expect_room(n_tensors, 24, "tensors")?;

        let mut metadata = HashMap::new();
        for _ in 0..n_entries {
            let key = source.text("a metadata key")?;
            let kind = source.u32(&key)?;
            let value = source.value(&key, kind, 0)?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(
                    source.malformed(format!("the metadata key `{key}` stands there twice"))
                );
            }
        }
        let mut tensors = BTreeMap::new();
        for _ in 0..n_tensors {
            let (name, info) = source.tensor_info()?;
            if tensors.insert(name.clone(), info).is_some() {
                return Err(source.malformed(format!("the tensor `{name}` stands there twice")));
            }
        }

        let alignment = match metadata.get("general.alignment") {
            None => DEFAULT_ALIGNMENT,
            Some(value) => value
                .as_usize()
                .filter(|alignment| alignment.is_power_of_two())
                .ok_or_else(|| source.malformed("`general.alignment` is no power of two".into()))?
                as u64,
        };
        let data_start = source.offset.checked_next_multiple_of(alignment);
        for (name, info) in &mut tensors {
            // Tensors of unknown type are reported with everything else that stands in the way.
            if info.stored.is_err() {
                continue;
            }
            let Some((_, n_bytes)) = info.size() else {
                return Err(source.malformed(format!(
                    "the tensor `{name}` of shape {:?} does not consist of whole blocks",
                    info.shape
                )));
            };
            let start = data_start.and_then(|start| start.checked_add(info.start));
            let end = start.and_then(|start| start.checked_add(n_bytes));
            match (start, end) {
                (Some(start), Some(end)) if end <= len => info.start = start,
                _ => {
                    return Err(source.malformed(format!(
                        "the tensor `{name}` ends behind the end of the file, which has {len} bytes"
                    )));
                }
            }
        }
        Ok(Self {
            metadata,
            tensors,
            path: source.path,
            file: source.reader.into_inner(),
        })
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The values of a tensor in row-major order.
    pub(super) fn values(&self, name: &str, info: &TensorInfo) -> Result<Vec<f32>, GgufError> {
        let unreadable = |path: &Path, message: String| GgufError::Weights {
            path: path.to_path_buf(),
            tensor: name.to_string(),
            message,
            hint: "the file is damaged; fetch it again",
        };
        let (Ok(stored), Some((_, n_bytes))) = (info.stored, info.size()) else {
            return Err(unreadable(self.path(), "of unknown type".into()));
        };
        let mut file = &self.file;
        file.seek(SeekFrom::Start(info.start))?;
        let mut bytes = vec![0; n_bytes as usize];
        file.read_exact(&mut bytes)?;
        qtensor_from_ggml(stored, &bytes, info.shape.clone(), &Device::Cpu)
            .and_then(|tensor| tensor.dequantize(&Device::Cpu))
            .and_then(|tensor| tensor.flatten_all()?.to_vec1())
            .map_err(|source| unreadable(self.path(), source.to_string()))
    }
}

/// The file with its position; every read is checked against the end first.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    reader: BufReader<fs_err::File>,
    offset: u64,
    len: u64,
}

impl Source {
    fn malformed(&self, message: String) -> GgufError {
        GgufError::Malformed {
            path: self.path.clone(),
            offset: self.offset,
            message,
        }
    }

    /// Fails unless `n` items of at least `n_bytes` each can follow.
    fn expect_room(&self, n: u64, n_bytes: u64, what: &str) -> Result<(), GgufError> {
        let left = self.len - self.offset;
        match n.checked_mul(n_bytes) {
            Some(needed) if needed <= left => Ok(()),
            _ => Err(self.malformed(format!(
                "{n} {what} are announced, but only {left} bytes follow"
            ))),
        }
    }

    fn bytes(&mut self, n: u64, what: &str) -> Result<Vec<u8>, GgufError> {
        if n > self.len - self.offset {
            return Err(self.malformed(format!("the file ends inside of {what}")));
        }
        let mut bytes = vec![0; n as usize];
        self.reader.read_exact(&mut bytes)?;
        self.offset += n;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], GgufError> {
        let mut array = [0; N];
        if N as u64 > self.len - self.offset {
            return Err(self.malformed(format!("the file ends inside of {what}")));
        }
        self.reader.read_exact(&mut array)?;
        self.offset += N as u64;
        Ok(array)
    }

    fn u32(&mut self, what: &str) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &str) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    fn text(&mut self, what: &str) -> Result<String, GgufError> {
        let len = self.u64(what)?;
        let bytes = self.bytes(len, what)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn value(&mut self, key: &str, kind: u32, depth: usize) -> Result<Value, GgufError> {
        const MAX_DEPTH: usize = 8;
        // Tokens and merges are the longest lists there are; a value takes far more memory than its bytes in the file.
        const MAX_ITEMS: u64 = 1 << 24;
        Ok(match kind {
            0 => Value::Integer(u8::from_le_bytes(self.array(key)?).into()),
            1 => Value::Integer(i8::from_le_bytes(self.array(key)?).into()),
            2 => Value::Integer(u16::from_le_bytes(self.array(key)?).into()),
            3 => Value::Integer(i16::from_le_bytes(self.array(key)?).into()),
            4 => Value::Integer(u32::from_le_bytes(self.array(key)?).into()),
            5 => Value::Integer(i32::from_le_bytes(self.array(key)?).into()),
            6 => Value::Float(decimal(f32::from_le_bytes(self.array(key)?))),
            7 => Value::Bool(u8::from_le_bytes(self.array(key)?) != 0),
            8 => Value::Text(self.text(key)?),
            9 => {
                let kind = self.u32(key)?;
                let n = self.u64(key)?;
                let n_bytes = match kind {
                    0 | 1 | 7 => 1,
                    2 | 3 => 2,
                    4..=6 => 4,
                    8 | 10..=12 => 8,
                    _ => 12,
                };
                self.expect_room(n, n_bytes, &format!("items of `{key}`"))?;
                if depth >= MAX_DEPTH || n > MAX_ITEMS {
                    return Err(self.malformed(format!("`{key}` is nested too deeply or too long")));
                }
                let items = (0..n).map(|_| self.value(key, kind, depth + 1));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            10 => Value::Integer(u64::from_le_bytes(self.array(key)?).into()),
            11 => Value::Integer(i64::from_le_bytes(self.array(key)?).into()),
            12 => Value::Float(f64::from_le_bytes(self.array(key)?)),
            _ => return Err(self.malformed(format!("`{key}` has the unknown type {kind}"))),
        })
    }

    fn tensor_info(&mut self) -> Result<(String, TensorInfo), GgufError> {
        let name = self.text("a tensor's name")?;
        let n_dimensions = self.u32(&name)?;
        if !(1..=MAX_DIMENSIONS).contains(&n_dimensions) {
            return Err(self.malformed(format!(
                "the tensor `{name}` has {n_dimensions} dimensions, where 1 to {MAX_DIMENSIONS} are possible"
            )));
        }
        let mut shape = Vec::new();
        for _ in 0..n_dimensions {
            let size = self.u64(&name)?;
            shape.push(usize::try_from(size).map_err(|_| {
                self.malformed(format!("the tensor `{name}` has a side of {size}"))
            })?);
        }
        shape.reverse();
        let stored = stored_type(self.u32(&name)?);
        let start = self.u64(&name)?;
        let info = TensorInfo {
            shape,
            stored,
            start,
        };
        Ok((name, info))
    }
}

/// The value that a person wrote: the shortest decimal number that rounds to `value`, so that an f32 of 1e-5 does not
/// become 9.999999747378752e-6.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// The numbers that the format gives the types that can be read.
fn stored_type(number: u32) -> Result<GgmlDType, u32> {
    Ok(match number {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        30 => GgmlDType::BF16,
        unknown => return Err(unknown),
    })
}
