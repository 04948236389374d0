//! The files of the archive.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::workspace;

/// What the archive takes from the repository as it is: a path there, and one within the archive. Folders go with all
/// that is in them.
const FROM_REPOSITORY: [(&str, &str); 3] = [
    ("xtask/cuda/pack", ""),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
];

/// The models and examples of these folders, which the tests of devices read, stand in the archive where they do in the
/// repository.
const GOLDENS: &str = "tests/goldens/peft";

/// A file of the archive; in the order of names.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Its path there.
    name: String,
    /// Where its content is.
    source: PathBuf,
}

impl Entry {
    pub(super) fn new(name: &str, source: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            source,
        }
    }
}

/// The files that are in the repository.
pub(super) fn of_repository() -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (source, name) in FROM_REPOSITORY {
        gather(name, &workspace::root().join(source), &mut entries)?;
    }
    let goldens = workspace::root().join(GOLDENS);
    for family in fs_err::read_dir(&goldens)? {
        let family = family?;
        for part in ["model", "data.jsonl"] {
            let source = family.path().join(part);
            if source.exists() {
                let name = format!("{GOLDENS}/{}/{part}", family.file_name().to_string_lossy());
                gather(&name, &source, &mut entries)?;
            }
        }
    }
    Ok(entries)
}

/// A file, or the files below a folder.
fn gather(name: &str, source: &Path, entries: &mut Vec<Entry>) -> anyhow::Result<()> {
    if !source.is_dir() {
        entries.push(Entry::new(name, source.to_path_buf()));
        return Ok(());
    }
    for entry in fs_err::read_dir(source)? {
        let entry = entry?;
        let below = entry.file_name().to_string_lossy().into_owned();
        let name = match name {
            "" => below,
            folder => format!("{folder}/{below}"),
        };
        gather(&name, &entry.path(), entries)?;
    }
    Ok(())
}

/// Writes a tar archive in which all files stand in one folder. The same files make the same archive: without owners and
/// times.
pub(super) fn write(entries: &[Entry], folder: &str, sink: impl io::Write) -> anyhow::Result<()> {
    let mut archive = tar::Builder::new(sink);
    archive.mode(tar::HeaderMode::Deterministic);
    for entry in entries {
        archive.append_path_with_name(&entry.source, Path::new(folder).join(&entry.name))?;
    }
    archive.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive;

    #[test]
    fn the_archive_holds_what_the_tests_of_devices_read_and_how_to_run_them() {
        let entries = of_repository().expect("the repository");
        let mut tar = Vec::new();
        write(&entries, "pack", &mut tar).expect("in memory");
        let mut gzipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut gzipped, &tar).expect("in memory");
        let file = tempfile::Builder::new().suffix(".tgz").tempfile();
        let file = file.expect("a file");
        fs_err::write(file.path(), gzipped.finish().expect("in memory")).expect("written");
        for wanted in [
            "pack/check.sh",
            "pack/README.md",
            "pack/LICENSE-MIT",
            "pack/tests/goldens/peft/llama/model/model.safetensors",
            "pack/tests/goldens/peft/bert/data.jsonl",
        ] {
            archive::read(file.path(), &|path| path == wanted).expect(wanted);
        }
        assert!(archive::read(file.path(), &|path| path.contains("adapter_model")).is_err());
    }
}
