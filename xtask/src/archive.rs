//! Files out of zip and tar archives.

use std::{
    io::{BufReader, Cursor, Read},
    path::{Component, Path},
};

use anyhow::{Context as _, bail};
use flate2::read::GzDecoder;

/// Most bytes of one unpacked file; the largest that is wanted has a tenth of it.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// A file of an archive.
pub(crate) struct Member {
    /// Path within the archive.
    pub(crate) path: String,
    pub(crate) content: Vec<u8>,
}

/// The files of an archive (`.whl`, `.zip`, `.tgz` or `.tar.gz`) whose path is wanted, in the archive's order.
///
/// An archive in which any path is absolute or climbs out of its folder is refused whole.
pub(crate) fn read(archive: &Path, wanted: &dyn Fn(&str) -> bool) -> anyhow::Result<Vec<Member>> {
    let file = BufReader::new(fs_err::File::open(archive)?);
    let name = archive.to_string_lossy();
    let members = if name.ends_with(".whl") || name.ends_with(".zip") {
        read_zip(file, wanted)
    } else {
        read_tar(GzDecoder::new(file), wanted)
    };
    let members = members.with_context(|| format!("cannot unpack {name}"))?;
    if members.is_empty() {
        bail!("{name} does not hold the files that were looked for");
    }
    Ok(members)
}

/// Like [`read`] for a tar archive, gzipped, that is a file of another one.
pub(crate) fn read_inner(
    archive: &Member,
    wanted: &dyn Fn(&str) -> bool,
) -> anyhow::Result<Vec<Member>> {
    read_tar(GzDecoder::new(Cursor::new(&archive.content)), wanted)
        .with_context(|| format!("cannot unpack {}", archive.path))
}

fn read_zip(
    file: impl Read + std::io::Seek,
    wanted: &dyn Fn(&str) -> bool,
) -> anyhow::Result<Vec<Member>> {
    let mut archive = zip::ZipArchive::new(file)?;
    let mut members = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index)?;
        let path = entry.name()?.into_owned();
        refuse_traversal(&path)?;
        if entry.is_file() && wanted(&path) {
            members.push(member(path, entry)?);
        }
    }
    Ok(members)
}

fn read_tar(file: impl Read, wanted: &dyn Fn(&str) -> bool) -> anyhow::Result<Vec<Member>> {
    let mut archive = tar::Archive::new(file);
    let mut members = Vec::new();
    for entry in archive.entries()? {
        let entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        refuse_traversal(&path)?;
        if entry.header().entry_type().is_file() && wanted(&path) {
            members.push(member(path, entry)?);
        }
    }
    Ok(members)
}

fn member(path: String, file: impl Read) -> anyhow::Result<Member> {
    let mut content = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        bail!("{path} has more than {MAX_FILE_BYTES} bytes");
    }
    Ok(Member { path, content })
}

fn refuse_traversal(path: &str) -> anyhow::Result<()> {
    let harmless = Path::new(path)
        .components()
        .all(|component| matches!(component, Component::Normal(_) | Component::CurDir));
    if !harmless || path.contains('\\') {
        bail!("the path `{path}` in it leaves its folder");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn tar_with(path: &str) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(2);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        let mut archive = tar::Builder::new(Vec::new());
        archive
            .append(&header, b"hi".as_slice())
            .expect("in memory");
        archive.into_inner().expect("in memory")
    }

    #[test]
    fn reads_wanted_files() {
        let archive = tar_with("a/b.txt");
        let members =
            read_tar(archive.as_slice(), &|path| path == "a/b.txt").expect("is well-formed");
        assert_eq!(members[0].content, b"hi");
        assert!(
            read_tar(archive.as_slice(), &|_| false)
                .expect("is well-formed")
                .is_empty()
        );
    }

    #[test]
    fn refuses_paths_that_leave_the_folder() {
        for path in ["../evil", "a/../../evil", "/etc/evil", "a\\..\\evil"] {
            let error = read_tar(tar_with(path).as_slice(), &|_| true)
                .err()
                .map(|error| error.to_string());
            assert!(
                error.is_some_and(|error| error.contains("leaves its folder")),
                "{path}"
            );
        }
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        archive.start_file("../evil", stored).expect("in memory");
        archive.write_all(b"hi").expect("in memory");
        let archive = archive.finish().expect("in memory");
        assert!(read_zip(archive, &|_| true).is_err());
    }
}
