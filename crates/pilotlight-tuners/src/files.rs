//! Reading and replacing whole files.

use std::{
    io::{self, Write as _},
    path::Path,
};

use serde::Serialize;

use crate::error::TunerError;

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, TunerError> {
    std::fs::read(path).map_err(|source| TunerError::Read {
        path: path.to_owned(),
        source,
    })
}

pub(crate) fn write_json(path: &Path, content: &impl Serialize) -> Result<(), TunerError> {
    let json = serde_json::to_string_pretty(content).map_err(|error| TunerError::Write {
        path: path.to_owned(),
        source: error.into(),
    })?;
    write(path, (json + "\n").as_bytes())
}

/// Writes beside the file and renames, so that there is always either the old file or the new one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), TunerError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let replace = || {
        let mut builder = tempfile::Builder::new();
        // Temporary files are private by default; this one becomes an ordinary one, within the user's umask.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    replace().map_err(|source: io::Error| TunerError::Write {
        path: path.to_owned(),
        source,
    })
}

pub(crate) fn remove(path: &Path) -> Result<(), TunerError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(TunerError::Write {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}
