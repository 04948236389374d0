//! Writing the weights: tensor by tensor, so that the largest one bounds the memory.

use std::io::{BufWriter, Write};

use burn::tensor::DType;
use half::{bf16, f16};
use serde_json::{Map, Value as Json, json};

use super::{
    container::Container,
    error::GgufError,
    llama::{Llama, Renamed},
};

/// The number types that weights are written in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Written {
    F32,
    F16,
    Bf16,
}

impl Written {
    pub(super) fn new(dtype: DType) -> Result<Self, GgufError> {
        match dtype {
            DType::F32 => Ok(Self::F32),
            DType::F16 => Ok(Self::F16),
            DType::BF16 => Ok(Self::Bf16),
            other => Err(GgufError::Dtype {
                found: format!("{other:?}"),
            }),
        }
    }

    /// Its name in `config.json`.
    pub(super) fn torch_name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }

    fn safetensors_name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }

    fn n_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The little-endian bytes of `values`; `None` if one is not finite, or too large for this type.
    fn encode(self, values: &[f32]) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(values.len() * self.n_bytes());
        let mut finite = true;
        for &value in values {
            match self {
                Self::F32 => {
                    finite &= value.is_finite();
                    bytes.extend(value.to_le_bytes());
                }
                Self::F16 => {
                    let value = f16::from_f32(value);
                    finite &= value.is_finite();
                    bytes.extend(value.to_le_bytes());
                }
                Self::Bf16 => {
                    let value = bf16::from_f32(value);
                    finite &= value.is_finite();
                    bytes.extend(value.to_le_bytes());
                }
            }
        }
        finite.then_some(bytes)
    }
}

/// Writes `model.safetensors`: the length of the header, the header, the tensors in its order.
pub(super) fn write(
    container: &Container,
    model: &Llama,
    written: Written,
    file: fs_err::File,
) -> Result<(), GgufError> {
    let mut header = Map::new();
    header.insert(
        "__metadata__".into(),
        json!({ "format": "pt", "source": "GGUF, dequantised" }),
    );
    let mut offset = 0;
    for tensor in &model.tensors {
        let end = offset + tensor.shape.iter().product::<usize>() * written.n_bytes();
        header.insert(
            tensor.name.clone(),
            json!({
                "dtype": written.safetensors_name(),
                "shape": tensor.shape,
                "data_offsets": [offset, end],
            }),
        );
        offset = end;
    }
    let mut header = Json::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');

    let mut writer = BufWriter::new(file);
    writer.write_all(&(header.len() as u64).to_le_bytes())?;
    writer.write_all(&header)?;
    for tensor in &model.tensors {
        let info = &container.tensors[&tensor.source];
        let values = in_halves(container.values(&tensor.source, info)?, tensor);
        let bytes = written.encode(&values).ok_or_else(|| GgufError::Weights {
            path: container.path().to_path_buf(),
            tensor: tensor.source.clone(),
            message: format!(
                "holds a number that is not finite as {}",
                written.torch_name()
            ),
            hint: "if f16 was asked for, f32 or bf16 may do; otherwise the file is damaged",
        })?;
        writer.write_all(&bytes)?;
    }
    let file = writer.into_inner().map_err(|error| error.into_error())?;
    file.sync_all()?;
    Ok(())
}

/// Puts the rows of pair-interleaved heads back into halves: row `2i + p` of a head becomes row `i + p d_head / 2`.
fn in_halves(values: Vec<f32>, tensor: &Renamed) -> Vec<f32> {
    let Some(n_heads) = tensor.interleaved else {
        return values;
    };
    let n_rows = tensor.shape[0];
    let width = values.len() / n_rows;
    let d_head = n_rows / n_heads;
    let mut halves = Vec::with_capacity(values.len());
    for head in 0..n_heads {
        for half in 0..2 {
            for pair in 0..d_head / 2 {
                let row = head * d_head + 2 * pair + half;
                halves.extend_from_slice(&values[row * width..][..width]);
            }
        }
    }
    halves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaved_rows_become_halves_head_by_head() {
        let tensor = Renamed {
            name: String::new(),
            source: String::new(),
            shape: vec![8, 2],
            interleaved: Some(2),
        };
        let values = (0..16).map(|value| value as f32).collect();
        let expected = [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15].map(|v| v as f32);
        assert_eq!(in_halves(values, &tensor), expected);
    }

    #[test]
    fn numbers_beyond_a_type_are_refused() {
        assert!(Written::F16.encode(&[1e5]).is_none());
        assert!(Written::Bf16.encode(&[1e5]).is_some());
        assert!(Written::F32.encode(&[f32::NAN]).is_none());
        assert_eq!(Written::F16.encode(&[1.0]), Some(vec![0x00, 0x3c]));
    }
}
