//! From the names in an experiment to models, devices and records.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use burn::tensor::Device;
use pilotlight_data::{DataConfig, DataSource, DataSources};
use sha2::{Digest, Sha256};

use crate::{
    embedded,
    error::{CompareError, Problem},
    experiment::Precision,
    layers::Origins,
    result::DataHash,
};

/// What an experiment names and this crate cannot know: models beyond this machine, and devices.
pub trait Resolver {
    /// The model of a name that is neither a folder nor `embedded:NAME`.
    ///
    /// # Errors
    ///
    /// Why there is no such model, as a message with a hint.
    fn model(&self, name: &str) -> Result<PathBuf, CompareError>;

    /// The first device of `names`, such as `auto`, `cpu` or `cuda:0,cuda:1`, without autodiff, on which a base of
    /// `precision` is to be loaded.
    ///
    /// # Errors
    ///
    /// Why it cannot be used, or that it does not compute in `precision` ([`Device::supports_dtype`]).
    fn device(&self, names: &str, precision: Precision) -> Result<Device, CompareError>;

    /// The devices behind the first, among which every batch is shared too.
    ///
    /// # Errors
    ///
    /// As for [`device`](Self::device), or that `names` do not go together.
    fn helpers(&self, names: &str, precision: Precision) -> Result<Vec<Device>, CompareError>;
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// A Hugging Face folder.
    Folder(PathBuf),
    /// Inside the program.
    Embedded(EmbeddedModel),
}

/// The files of a model inside the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedModel {
    /// Its name behind `embedded:`.
    pub name: &'static str,
    /// `config.json`.
    pub config: &'static [u8],
    /// `model.safetensors`.
    pub weights: &'static [u8],
    /// `tokenizer.json`.
    pub tokenizer: &'static [u8],
    /// `tokenizer_config.json`.
    pub tokenizer_config: &'static [u8],
}

impl ModelSource {
    /// The model of this name: a folder, an embedded one, or what `resolver` makes of it.
    ///
    /// # Errors
    ///
    /// If there is no such model.
    pub fn find(name: &str, resolver: &dyn Resolver) -> Result<Self, CompareError> {
        if let Some(embedded) = name.strip_prefix(embedded::PREFIX) {
            let model = embedded::MODELS.iter().find(|model| model.name == embedded);
            let names = embedded::MODELS.iter().map(|model| model.name);
            return model
                .map(|model| Self::Embedded(*model))
                .ok_or_else(|| not_embedded("base.model", name, names).into());
        }
        let folder = Path::new(name);
        if folder.is_dir() {
            return Ok(Self::Folder(folder.to_owned()));
        }
        if folder.is_absolute() {
            return Err(Problem {
                origin: None,
                key: Some("base.model".into()),
                message: format!("there is no folder {name}"),
                hint: fetch_hint(folder),
            }
            .into());
        }
        resolver.model(name).map(Self::Folder)
    }
}

/// The records that an experiment names.
///
/// # Errors
///
/// If files are not there, or embedded ones are unknown: all of them.
pub fn data_sources(data: &DataConfig) -> Result<DataSources, CompareError> {
    let mut problems = crate::error::Problems::default();
    let mut sources = DataSources::files(data, Path::new(""));
    let named = [
        ("data.train", Some(&mut sources.train)),
        ("data.validation", sources.validation.as_mut()),
        ("data.test", sources.test.as_mut()),
    ];
    for (key, source) in named {
        let Some(source) = source else { continue };
        match find_records(key, source) {
            Ok(Some(found)) => *source = found,
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    problems.into_result()?;
    Ok(sources)
}

/// The records of one file, which `key` names.
///
/// # Errors
///
/// If the file is not there, or an embedded one is unknown.
pub(crate) fn named_source(
    key: &str,
    data: &DataConfig,
    origins: &Origins,
) -> Result<DataSources, CompareError> {
    let mut sources = DataSources::files(data, Path::new(""));
    let found = find_records(key, &sources.train).map_err(|problem| Problem {
        origin: origins.of_key(key),
        ..problem
    })?;
    if let Some(found) = found {
        sources.train = found;
    }
    Ok(sources)
}

/// The hashes of the records that an experiment names.
///
/// # Errors
///
/// As for [`data_sources`], or if a file cannot be read.
pub(crate) fn data_hash(data: &DataConfig) -> Result<DataHash, CompareError> {
    let sources = data_sources(data)?;
    Ok(DataHash {
        train: hash(&sources.train)?,
        validation: sources.validation.as_ref().map(hash).transpose()?,
        test: sources.test.as_ref().map(hash).transpose()?,
    })
}

pub(crate) fn hash(source: &DataSource) -> Result<String, CompareError> {
    let mut bytes: Box<dyn Read> = match source {
        DataSource::File { path, .. } => {
            let file = File::open(path).map_err(|error| CompareError::file(path, error))?;
            Box::new(file)
        }
        DataSource::Embedded { bytes, .. } => Box::new(bytes.as_ref()),
    };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = bytes.read(&mut buffer);
        match read.map_err(|error| CompareError::file(&*source.name(), error))? {
            0 => break,
            n_read => hash.update(&buffer[..n_read]),
        }
    }
    let digest = hash.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The embedded file that a source names; nothing if it names a file that is there.
fn find_records(key: &str, source: &DataSource) -> Result<Option<DataSource>, Problem> {
    let DataSource::File { path, .. } = source else {
        return Ok(None);
    };
    let name = path.to_string_lossy();
    if let Some(embedded) = name.strip_prefix(embedded::PREFIX) {
        let found = embedded::file(embedded);
        return match found {
            Some(found) => Ok(Some(found)),
            None => Err(not_embedded(key, &name, embedded::file_names())),
        };
    }
    if path.is_file() {
        return Ok(None);
    }
    Err(Problem {
        origin: None,
        key: Some(key.to_owned()),
        message: format!("there is no file {name}"),
        hint: match path.parent() {
            Some(folder) => fetch_hint(folder),
            None => String::new(),
        },
    })
}

/// How to come by what is not in a folder: data and models that can be fetched bear the names of their folders.
fn fetch_hint(folder: &Path) -> String {
    let known: Vec<&str> = crate::presets::PRESETS
        .iter()
        .flat_map(|preset| preset.needs)
        .copied()
        .collect();
    let name = folder.file_name().map(|name| name.to_string_lossy());
    match name {
        Some(name) if known.contains(&&*name) => {
            format!(
                "fetch it by `cargo xtask fetch {name}`, or set PILOT_DATA to the folder of fetched data"
            )
        }
        _ => "paths are relative to the folder of the experiment file".into(),
    }
}

fn not_embedded<'a>(key: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let known: Vec<String> = known
        .map(|name| format!("`{}{name}`", embedded::PREFIX))
        .collect();
    Problem {
        origin: None,
        key: Some(key.to_owned()),
        message: format!("nothing called `{name}` is inside this program"),
        hint: match known.is_empty() {
            true => "build it with the feature `embedded`, or name a folder or file".into(),
            false => format!("there are {}", known.join(", ")),
        },
    }
}
