//! From a [`Model`] back to a Hugging Face folder.

use std::{borrow::Cow, collections::HashMap, io::Write, path::Path};

use burn::tensor::{DType, TensorData};
use fs_err as fs;
use safetensors::{Dtype, View};
use serde_json::{Map, Value};
use tempfile::NamedTempFile;

use crate::{
    checkpoint::WEIGHTS_FILE,
    error::{List, LoadError},
    head::ClassificationHead,
    load::CONFIG_FILE,
    model::Model,
};

/// Writes `config.json` and `model.safetensors` as Hugging Face's `save_pretrained` does.
///
/// `source` is the folder or the `config.json` that the model was loaded or made from; the new one differs in its
/// `dtype` alone. `dtype` is f32, f16 or bf16.
///
/// # Errors
///
/// Fails if the configuration cannot be read, `dtype` is another, or the folder cannot be written.
pub fn save_folder(
    model: &Model,
    source: &Path,
    out: &Path,
    dtype: DType,
) -> Result<(), LoadError> {
    let config = read_config(source)?;
    let tensors = model.export(&|_| true);
    write_folder(config, tensors, out, dtype)
}

/// Writes a classifier as [`save_folder`] writes a model: with the head's tensors, the names of its classes, and the
/// architecture that has such a head. A language-model head is left out.
///
/// # Errors
///
/// As [`save_folder`], and if there are not as many labels as classes.
pub fn save_classifier(
    model: &Model,
    head: &ClassificationHead,
    labels: &[String],
    source: &Path,
    out: &Path,
    dtype: DType,
) -> Result<(), LoadError> {
    if labels.len() != head.n_labels() {
        let (n_labels, n_classes) = (labels.len(), head.n_labels());
        let problem = format!("the head has {n_classes} classes, not {n_labels}");
        return Err(LoadError::Import(List(vec![problem])));
    }
    let mut config = read_config(source)?;
    let by_id = labels.iter().enumerate();
    let by_id = by_id.map(|(id, label)| (id.to_string(), label.as_str().into()));
    config.insert("id2label".to_owned(), Value::Object(by_id.collect()));
    let by_label = labels.iter().enumerate();
    let by_label = by_label.map(|(id, label)| (label.clone(), id.into()));
    config.insert("label2id".to_owned(), Value::Object(by_label.collect()));
    config.remove("num_labels");
    let names = config
        .get_mut("architectures")
        .and_then(Value::as_array_mut);
    let is_named = names.map(|names| {
        for name in names {
            *name = name.as_str().map(classifier_of).into();
        }
    });
    // Without a name, loaders take a decoder for a language model and miss its head.
    let own = match (&model.spec().head_path, is_named) {
        (Some(path), Some(())) => Some(format!("{path}.")),
        _ => None,
    };
    let is_own = |name: &str| own.as_ref().is_some_and(|path| name.starts_with(path));
    let mut tensors = model.export(&|name| !is_own(name));
    tensors.extend(head.export());
    write_folder(config, tensors, out, dtype)
}

/// The classifier of an architecture: `LlamaForSequenceClassification` of `LlamaForCausalLM`.
fn classifier_of(architecture: &str) -> String {
    let ends = ["For", "LMHead", "Model"].map(|end| architecture.find(end));
    let end = ends.into_iter().flatten().min();
    let family = &architecture[..end.unwrap_or(architecture.len())];
    format!("{family}ForSequenceClassification")
}

/// The configuration in a folder, or at a path of its own.
fn read_config(source: &Path) -> Result<Map<String, Value>, LoadError> {
    let source = if source.is_dir() {
        source.join(CONFIG_FILE)
    } else {
        source.to_owned()
    };
    let text = fs::read(&source).map_err(|error| read_error(&source, error))?;
    serde_json::from_slice(&text).map_err(|error| LoadError::File {
        path: source,
        problem: format!("is not a JSON object: {error}"),
        hint: "name the configuration that the model was made from".to_owned(),
    })
}

fn write_folder(
    mut config: Map<String, Value>,
    tensors: Vec<(String, TensorData)>,
    out: &Path,
    dtype: DType,
) -> Result<(), LoadError> {
    let name = match dtype {
        DType::F32 => "float32",
        DType::F16 => "float16",
        DType::BF16 => "bfloat16",
        other => {
            let problem = format!("cannot be saved as {other:?}: use f32, f16 or bf16");
            return Err(LoadError::Import(List(vec![problem])));
        }
    };
    config.remove("torch_dtype");
    config.insert("dtype".to_owned(), Value::String(name.to_owned()));
    let config = serde_json::to_vec_pretty(&config).expect("JSON values can be written");
    let tensors = tensors
        .into_iter()
        .map(|(name, data)| (name, data.convert_dtype(dtype)))
        .collect();
    fs::create_dir_all(out).map_err(|error| write_error(out, error))?;
    write_tensors(&out.join(WEIGHTS_FILE), tensors)?;
    write_whole(&out.join(CONFIG_FILE), &config)
}

/// Writes a safetensors file that is either whole or not there, whatever happens meanwhile.
///
/// # Errors
///
/// Fails if the file cannot be written, or a tensor is not of a float type that the format has.
pub fn write_tensors(path: &Path, tensors: Vec<(String, TensorData)>) -> Result<(), LoadError> {
    let views: Vec<(String, Tensor)> = tensors
        .into_iter()
        .map(|(name, data)| Tensor::new(data).map(|tensor| (name, tensor)))
        .collect::<Result<_, _>>()
        .map_err(|problem| LoadError::Import(List(vec![problem])))?;
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let file = temporary_beside(path)?;
    safetensors::serialize_to_file(views, Some(metadata), file.path()).map_err(|error| {
        let error = std::io::Error::other(error.to_string());
        write_error(path, error)
    })?;
    keep(file, path)
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
    let mut file = temporary_beside(path)?;
    file.write_all(bytes)
        .map_err(|error| write_error(path, error))?;
    keep(file, path)
}

fn temporary_beside(path: &Path) -> Result<NamedTempFile, LoadError> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let mut builder = tempfile::Builder::new();
    // Temporary files are their owner's alone; a model is to be shared as far as the system's mask lets any file be.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder.unwrap_or(Path::new(".")));
    file.map_err(|error| write_error(path, error))
}

/// Gives a finished temporary file its name, once its content is on the disk.
fn keep(file: NamedTempFile, path: &Path) -> Result<(), LoadError> {
    let finish = || {
        let permissions = file.as_file().metadata()?.permissions();
        // By name: the content may be that of another file, which was renamed to it.
        let written = fs::File::open(file.path())?;
        written.set_permissions(permissions)?;
        written.sync_all()
    };
    finish().map_err(|error| write_error(path, error))?;
    file.persist(path)
        .map_err(|error| write_error(path, error.error))?;
    Ok(())
}

fn read_error(path: &Path, source: std::io::Error) -> LoadError {
    LoadError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    }
}

fn write_error(path: &Path, source: std::io::Error) -> LoadError {
    LoadError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    }
}

/// A tensor as the safetensors crate wants to see it.
struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    data: TensorData,
}

impl Tensor {
    fn new(data: TensorData) -> Result<Self, String> {
        let dtype = match data.dtype() {
            DType::F64 => Dtype::F64,
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            other => return Err(format!("elements of type {other:?} cannot be saved")),
        };
        let shape = data.shape().to_vec();
        Ok(Self { dtype, shape, data })
    }
}

impl View for Tensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.data.as_bytes())
    }

    fn data_len(&self) -> usize {
        self.data.as_bytes().len()
    }
}
