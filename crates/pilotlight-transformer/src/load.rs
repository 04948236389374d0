//! From files to a [`Model`].

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};
use fs_err as fs;
use pilotlight_core::ModelSpec;

use crate::{
    checkpoint::Checkpoint,
    error::{List, LoadError},
    families::{Blueprint, FAMILIES, Family, config::Config},
    head::ClassificationHead,
    model::{Model, ModelInfo},
    parameters::LoadReport,
    random::Normal,
};

/// The name of the file that describes a model.
pub const CONFIG_FILE: &str = "config.json";

/// Where and as what a model is loaded.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Where the parameters live.
    pub device: Device,
    /// The element type of all parameters but those of a classification head: f32, f16 or bf16.
    pub dtype: DType,
}

/// The element types that the parameters of a model may have.
const DTYPES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

impl LoadOptions {
    /// Parameters as f32.
    pub fn new(device: &Device) -> Self {
        Self {
            device: device.clone(),
            dtype: DType::F32,
        }
    }

    fn check(&self) -> Result<(), LoadError> {
        let usable = DTYPES.into_iter();
        let usable: Vec<_> = usable
            .filter(|dtype| self.device.supports_dtype(*dtype))
            .collect();
        match usable.contains(&self.dtype) {
            true => Ok(()),
            false => Err(LoadError::Type {
                dtype: self.dtype,
                usable,
            }),
        }
    }
}

/// A loaded model; all parameters are frozen.
#[derive(Debug)]
pub struct Pretrained {
    /// The model.
    pub model: Model,
    /// The classification head, if the checkpoint has one.
    pub head: Option<ClassificationHead>,
    /// The names of the head's classes.
    pub labels: Vec<String>,
    /// The `model_type` of its configuration.
    pub family: &'static str,
}

/// Loads a model from a Hugging Face folder: `config.json`, and `model.safetensors` or its shards.
///
/// # Errors
///
/// Fails if the device does not compute in the element type, a file is missing or damaged, the family is not supported,
/// a value of the configuration makes no sense, or any tensor is missing, misshapen or unknown; lists everything that is
/// wrong with the tensors.
pub fn load_folder(folder: &Path, options: &LoadOptions) -> Result<Pretrained, LoadError> {
    options.check()?;
    let config = read_config(folder)?;
    let checkpoint = Checkpoint::open_folder(folder)?;
    load(&config, &checkpoint, options)
}

/// Loads a model whose `config.json` and safetensors file are in memory; `name` stands for them in errors.
///
/// # Errors
///
/// As [`load_folder`].
pub fn load_bytes(
    name: &str,
    config: &[u8],
    weights: &[u8],
    options: &LoadOptions,
) -> Result<Pretrained, LoadError> {
    options.check()?;
    let config = Config::parse(&PathBuf::from(name).join(CONFIG_FILE), config)?;
    let checkpoint = Checkpoint::from_bytes(name, weights)?;
    load(&config, &checkpoint, options)
}

/// Builds the model of a folder's `config.json` with fresh parameters, distributed as in Hugging Face's models; the
/// same seed always gives the same model.
///
/// # Errors
///
/// Fails if the device does not compute in the element type, or the configuration is missing, of no supported family, or
/// makes no sense.
pub fn init_random(
    folder: &Path,
    seed: u64,
    options: &LoadOptions,
) -> Result<Pretrained, LoadError> {
    options.check()?;
    let config = read_config(folder)?;
    // A model for pretraining has every part but a classification head.
    let (family, blueprint) = read_blueprint(&config, &|_| true)?;
    let Blueprint {
        network,
        spec,
        parameters,
        head,
        initializer_range,
    } = blueprint;
    let network = network.init(&options.device);
    refuse_giants(&config, &parameters.shapes(&network))?;
    let mut normal = Normal::new(seed);
    let network = parameters.fill(
        network,
        &options.device,
        options.dtype,
        &mut |parameter, shape| {
            normal.values(parameter.init, initializer_range, shape.num_elements())
        },
    );
    let info = ModelInfo {
        spec,
        parameters,
        head,
    };
    Ok(Pretrained {
        model: Model::new(network, info),
        head: None,
        labels: Vec::new(),
        family: family.model_type,
    })
}

/// The shape of the model that a `config.json` describes, without its parameters; `name` stands for its folder in
/// errors.
///
/// # Errors
///
/// Fails if the configuration is of no supported family, or makes no sense.
pub fn read_spec(name: &str, config: &[u8]) -> Result<ModelSpec, LoadError> {
    let config = Config::parse(&PathBuf::from(name).join(CONFIG_FILE), config)?;
    let (_, blueprint) = read_blueprint(&config, &|_| true)?;
    Ok(blueprint.spec)
}

/// More parameters than anyone trains from nothing on one device; memory for them could not be had.
const MAX_FRESH_PARAMETERS: f64 = 2e10;

fn refuse_giants(config: &Config, shapes: &[(String, Vec<usize>)]) -> Result<(), LoadError> {
    let size = |shape: &Vec<usize>| shape.iter().map(|&width| width as f64).product::<f64>();
    let n_parameters: f64 = shapes.iter().map(|(_, shape)| size(shape)).sum();
    if n_parameters > MAX_FRESH_PARAMETERS {
        config.problem(
            "the whole model",
            format!("has {n_parameters:.1e} parameters; at most {MAX_FRESH_PARAMETERS:.0e} can be made afresh"),
        );
    }
    config.finish()
}

fn read_config(folder: &Path) -> Result<Config, LoadError> {
    let path = folder.join(CONFIG_FILE);
    if folder.is_dir() && !path.is_file() {
        return Err(LoadError::NoModel {
            path: folder.to_owned(),
            problem: format!("there is no {CONFIG_FILE}"),
            hint: "name a folder as Hugging Face's save_pretrained writes it".to_owned(),
        });
    }
    let text = fs::read(&path).map_err(|source| LoadError::Io {
        action: "read",
        path: path.clone(),
        source,
    })?;
    Config::parse(&path, &text)
}

fn read_blueprint(
    config: &Config,
    has: &dyn Fn(&str) -> bool,
) -> Result<(&'static Family, Blueprint), LoadError> {
    let model_type = config.text("model_type", "");
    let family = FAMILIES
        .iter()
        .find(|family| family.model_type == model_type)
        .ok_or_else(|| LoadError::Family {
            path: config.path().to_owned(),
            model_type: model_type.to_owned(),
            known: FAMILIES.iter().map(|family| family.model_type).collect(),
        })?;
    let blueprint = (family.read)(config, has);
    config.finish()?;
    Ok((family, blueprint))
}

fn load(
    config: &Config,
    checkpoint: &Checkpoint<'_>,
    options: &LoadOptions,
) -> Result<Pretrained, LoadError> {
    let (family, blueprint) = read_blueprint(config, &|name| checkpoint.contains(name))?;
    let Blueprint {
        network,
        spec,
        parameters,
        head: head_config,
        ..
    } = blueprint;
    let mut report = LoadReport::default();
    let LoadOptions { device, dtype } = options;

    let network = network.init(device);
    let network = parameters.load(network, checkpoint, device, *dtype, &mut report);
    let head = head_config
        .n_labels(checkpoint)
        .map(|n_labels| head_config.load(spec.d_model, n_labels, checkpoint, device, &mut report));
    let labels = head.as_ref().map(|head| config.labels(head.n_labels()));

    report.add_unexpected(checkpoint, &parameters);
    if !report.problems.is_empty() {
        return Err(LoadError::Tensors {
            path: checkpoint.path().to_owned(),
            problems: List(report.problems),
        });
    }
    let info = ModelInfo {
        spec,
        parameters,
        head: head_config,
    };
    Ok(Pretrained {
        model: Model::new(network, info),
        head,
        labels: labels.unwrap_or_default(),
        family: family.model_type,
    })
}
