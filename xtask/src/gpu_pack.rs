//! One archive for a machine with a GPU and without Rust: the programs, what they read, and a script that runs them.
//!
//! What is in it, and what the machine needs: `docs/gpu-pack.md`.

mod contents;
mod programs;

use std::{
    io::{self, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

/// The folder that the archive unpacks to.
const FOLDER: &str = "pilotlight-gpu-pack";

/// Most bytes of the archive, so that it can be carried to where little can.
const MAX_BYTES: u64 = 60 << 20;

/// The compression. A filter for machine code first; then a window in which all programs fit, as they hold much of the
/// same code. Every Ubuntu unpacks it: by xz, or by Python's `tarfile`.
const XZ: [&str; 4] = [
    "--format=xz",
    "--stdout",
    "--x86",
    "--lzma2=preset=9e,dict=384MiB",
];

/// Builds everything and writes the archive.
pub(crate) fn make(out: &Path) -> anyhow::Result<()> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("the programs of the archive are for Linux on x86-64, and are built there");
    }
    let programs = programs::build()?;
    let stripped = tempfile::tempdir()?;
    let mut contents = contents::of_repository()?;
    for program in &programs {
        contents.push(program.stripped(stripped.path())?);
    }
    contents.sort();
    println!("packing {} files", contents.len());
    let folder = match out.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    fs_err::create_dir_all(folder)?;
    let packed = tempfile::NamedTempFile::new_in(folder)?;
    compress(packed.as_file(), |sink| {
        contents::write(&contents, FOLDER, sink)
    })?;
    let n_bytes = packed.as_file().metadata()?.len();
    check_size(n_bytes)?;
    packed.as_file().sync_all()?;
    packed.persist(out)?;
    println!("{}: {:.1} MiB", out.display(), mebibytes(n_bytes));
    Ok(())
}

/// Writes through `xz` to a file.
fn compress(
    file: &std::fs::File,
    write: impl FnOnce(&mut dyn io::Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut xz = Command::new("xz")
        .args(XZ)
        .stdin(Stdio::piped())
        .stdout(file.try_clone()?)
        .spawn()
        .context("cannot start xz\nhint: install xz-utils")?;
    let mut sink = io::BufWriter::new(xz.stdin.take().context("xz takes no input")?);
    let written = write(&mut sink).and_then(|()| Ok(sink.flush()?));
    // Closed, so that xz ends.
    drop(sink);
    let status = xz.wait()?;
    if !status.success() {
        bail!("xz failed: {status}");
    }
    written
}

fn check_size(n_bytes: u64) -> anyhow::Result<()> {
    if n_bytes > MAX_BYTES {
        bail!(
            "the archive has {:.1} MiB; the most is {:.0} MiB\nhint: every program adds about a dozen: let benchmarks \
             share one",
            mebibytes(n_bytes),
            mebibytes(MAX_BYTES)
        );
    }
    Ok(())
}

fn mebibytes(n_bytes: u64) -> f64 {
    n_bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn an_archive_that_is_too_large_is_refused() {
        assert!(check_size(MAX_BYTES).is_ok());
        let error = check_size(MAX_BYTES + (1 << 20)).expect_err("is too large");
        assert!(error.to_string().contains("61.0 MiB"), "{error}");
    }

    /// Runs the script of the archive without its programs, and returns the exit code and the table.
    fn check(seconds: &str) -> (Option<i32>, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let script = folder.path().join("check.sh");
        let source = workspace::root().join("xtask/cuda/pack/check.sh");
        fs_err::copy(source, &script).expect("the script");
        let status = Command::new(script)
            .env("PILOT_CHECK_SECONDS", seconds)
            .env("PYTHON", "no-such-python")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let table = fs_err::read_to_string(folder.path().join("results/table.md"));
        (status.expect("it runs").code(), table.expect("a table"))
    }

    #[test]
    fn a_part_that_fails_is_in_the_table_and_does_not_stop_the_others() {
        let (code, table) = check("60");
        assert_eq!(code, Some(1));
        let devices = table.find("FAILED").expect("there is no `pilot`");
        let step = table.find("| training step").expect("comes behind");
        assert!(devices < step, "{table}");
    }

    #[test]
    fn what_there_is_no_time_for_is_skipped_and_said() {
        let (code, table) = check("0");
        assert_eq!(code, Some(0), "{table}");
        assert!(table.contains("skipped: no time is left"), "{table}");
    }
}
