//! Files that nobody ever sees half of.

use std::{io::Write as _, path::Path};

use crate::error::CompareError;

/// Writes a file beside its place, makes sure that it is on the disk, and moves it there; folders are made.
///
/// # Errors
///
/// If it cannot be written.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), CompareError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let write = || {
        std::fs::create_dir_all(folder)?;
        let mut builder = tempfile::Builder::new();
        // Temporary files are private by default; this one becomes an ordinary one, within the user's umask.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source| CompareError::file(path, source))
}
