//! Where records come from: files, or bytes inside the program.

use std::{
    borrow::Cow,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use crate::{
    config::{DataConfig, DataFormat},
    error::{DataError, Place, Problem},
};

/// Where records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataSource {
    /// A file.
    File {
        /// Its path.
        path: PathBuf,
        /// Its format; without it the extension tells.
        format: Option<DataFormat>,
    },
    /// Bytes, for example of a data set inside the program.
    Embedded {
        /// Name by which messages call it.
        name: Cow<'static, str>,
        /// The content of what would be a file.
        bytes: Cow<'static, [u8]>,
        /// Its format.
        format: DataFormat,
    },
}

/// The sources of all splits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSources {
    /// Records to train on.
    pub train: DataSource,
    /// Records to validate on; without it they are split off `train`.
    pub validation: Option<DataSource>,
    /// Records to test on; without it they are split off `train`.
    pub test: Option<DataSource>,
}

impl DataSources {
    /// The files that `config` names, relative to `folder`.
    pub fn files(config: &DataConfig, folder: &Path) -> Self {
        let file = |path: &PathBuf| DataSource::File {
            path: folder.join(path),
            format: config.format,
        };
        Self {
            train: file(&config.train),
            validation: config.validation.as_ref().map(file),
            test: config.test.as_ref().map(file),
        }
    }
}

impl DataSource {
    /// Name by which messages call this source: for a file, its path.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::File { path, .. } => path.to_string_lossy(),
            Self::Embedded { name, .. } => Cow::Borrowed(name),
        }
    }

    /// The format of the records.
    ///
    /// # Errors
    ///
    /// If neither the configuration nor the file's extension tells.
    pub fn format(&self) -> Result<DataFormat, DataError> {
        let (path, format) = match self {
            Self::File { path, format } => (path, format),
            Self::Embedded { format, .. } => return Ok(*format),
        };
        if let Some(format) = format {
            return Ok(*format);
        }
        let extension = path
            .extension()
            .map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("jsonl" | "json" | "ndjson") => Ok(DataFormat::Jsonl),
            Some("csv") => Ok(DataFormat::Csv),
            Some("tsv") => Ok(DataFormat::Tsv),
            found => Err(Problem {
                place: Place::Source(self.name().into_owned()),
                expected: "a file named .jsonl, .json, .csv or .tsv".into(),
                found: found.map_or("no extension".into(), |found| format!(".{found}")),
                hint: "set `format` beside its path to \"jsonl\", \"csv\" or \"tsv\"".into(),
            }
            .into()),
        }
    }

    /// Opens the source for reading.
    pub(crate) fn open(&self) -> Result<Box<dyn BufRead + '_>, DataError> {
        match self {
            Self::File { path, .. } => {
                let file = fs_err::File::open(path).map_err(|source| self.unreadable(source))?;
                Ok(Box::new(BufReader::new(file)))
            }
            Self::Embedded { bytes, .. } => Ok(Box::new(bytes.as_ref())),
        }
    }

    /// The error for a failed read.
    pub(crate) fn unreadable(&self, source: std::io::Error) -> DataError {
        DataError::Read {
            path: PathBuf::from(self.name().into_owned()),
            source,
        }
    }
}
