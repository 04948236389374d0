//! Places of the repository, and how files are written there.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Serialize;

/// The folder of the workspace's manifest.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask stands in the workspace's folder")
}

/// A path below `.data`, which git ignores.
pub(crate) fn data(below: &str) -> PathBuf {
    root().join(".data").join(below)
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().context("a file needs a folder")?;
    fs_err::create_dir_all(folder)?;
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".part");
    let mut file = fs_err::File::create(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs_err::rename(unfinished, path)?;
    Ok(())
}

/// Writes one JSON object a line.
pub(crate) fn write_json_lines<T: Serialize>(path: &Path, rows: &[T]) -> anyhow::Result<()> {
    let mut content = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut content, row)?;
        content.push(b'\n');
    }
    write(path, &content)
}
