//! The programs of the archive, built by one call of cargo.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::{gpu_pack::contents::Entry, without_llvm, workspace};

/// Packages with the features that each needs for CUDA and wgpu.
const PACKAGES: [&str; 3] = ["pilotlight-cli", "pilotlight-tests", "pilotlight-benches"];

/// The features of each, beside those of the CPU.
const BACKENDS: [&str; 2] = ["cuda", "wgpu"];

/// The glibc of Ubuntu 24.04.
const NEWEST_GLIBC: (u32, u32) = (2, 39);

/// A program that cargo built.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Its name in the archive.
    name: String,
    /// Where cargo left it.
    path: PathBuf,
}

/// Builds `pilot`, the tests of devices and the benchmarks. One call, so that Burn is built once, and all three run the
/// very same: with fusion and autotune, as users do.
pub(super) fn build() -> anyhow::Result<Vec<Program>> {
    without_llvm::keeping_lock(|| {
        let mut cargo = without_llvm::cargo();
        cargo.args([
            "build",
            "--release",
            "--message-format",
            "json-render-diagnostics",
        ]);
        for package in PACKAGES {
            cargo.args(["--package", package]);
            for backend in BACKENDS {
                cargo.args(["--features", &format!("{package}/{backend}")]);
            }
        }
        cargo.args(["--bin", "pilot", "--test", "devices", "--bench", "*"]);
        let output = cargo
            .current_dir(workspace::root())
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            bail!("cargo failed: {}", output.status);
        }
        built(&String::from_utf8(output.stdout)?)
    })
}

/// The programs in what cargo says of a build, one JSON object a line.
fn built(messages: &str) -> anyhow::Result<Vec<Program>> {
    #[derive(Deserialize)]
    struct Message {
        target: Option<Target>,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    let mut programs = Vec::new();
    for line in messages.lines() {
        let message: Message = serde_json::from_str(line)
            .with_context(|| format!("cargo says what it should not: {line}"))?;
        let (Some(target), Some(path)) = (message.target, message.executable) else {
            continue;
        };
        let name = match target.kind.first().map(String::as_str) {
            Some("bin" | "test") => target.name,
            Some("bench") => format!("benches/{}", target.name),
            _ => continue,
        };
        programs.push(Program { name, path });
    }
    Ok(programs)
}

impl Program {
    /// The program without its symbols, in a folder, and checked.
    pub(super) fn stripped(&self, folder: &Path) -> anyhow::Result<Entry> {
        let out = folder.join(self.name.replace('/', "-"));
        let status = Command::new("strip")
            .args(["--strip-all", "-o"])
            .arg(&out)
            .arg(&self.path)
            .status()
            .context("cannot start strip\nhint: install binutils")?;
        if !status.success() {
            bail!("strip failed on {}: {status}", self.path.display());
        }
        check_glibc(&self.name, &fs_err::read(&out)?)?;
        Ok(Entry::new(&self.name, out))
    }
}

/// Refuses a program that asks for a newer glibc than it will find.
fn check_glibc(name: &str, program: &[u8]) -> anyhow::Result<()> {
    let newest = newest_glibc(program);
    if newest > Some(NEWEST_GLIBC) {
        let (major, minor) = newest.unwrap_or(NEWEST_GLIBC);
        bail!(
            "{name} asks for glibc {major}.{minor}, and Ubuntu 24.04 has {}.{}\nhint: build where glibc is no newer",
            NEWEST_GLIBC.0,
            NEWEST_GLIBC.1
        );
    }
    Ok(())
}

/// The newest glibc that a program asks for: the greatest version `GLIBC_major.minor` among its symbols.
fn newest_glibc(program: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"GLIBC_";
    let places = program.windows(MARK.len()).enumerate();
    let versions = places
        .filter(|(_, window)| *window == MARK)
        .map(|(start, _)| {
            let behind = &program[start + MARK.len()..];
            let length = behind
                .iter()
                .position(|byte| !matches!(byte, b'0'..=b'9' | b'.'))?;
            let (major, minor) = std::str::from_utf8(&behind[..length])
                .ok()?
                .split_once('.')?;
            let minor = minor.split('.').next()?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        });
    versions.flatten().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_what_cargo_reports() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"burn","kind":["lib"]},"executable":null}
{"reason":"build-script-executed","package_id":"x"}
{"reason":"compiler-artifact","target":{"name":"pilot","kind":["bin"]},"executable":"/t/pilot"}
{"reason":"compiler-artifact","target":{"name":"devices","kind":["test"]},"executable":"/t/devices-1a"}
{"reason":"compiler-artifact","target":{"name":"step","kind":["bench"]},"executable":"/t/step-2b"}
{"reason":"build-finished","success":true}"#;
        let programs = built(messages).expect("is what cargo prints");
        let expected = [
            ("pilot", "/t/pilot"),
            ("devices", "/t/devices-1a"),
            ("benches/step", "/t/step-2b"),
        ];
        let expected = expected.map(|(name, path)| Program {
            name: name.into(),
            path: path.into(),
        });
        assert_eq!(programs, expected);
        assert!(built("warning: a line of text").is_err());
    }

    #[test]
    fn a_program_for_a_newer_system_is_refused() {
        let program = b"\0GLIBC_2.9\0GLIBC_2.2.5\0GLIBC_PRIVATE\0GLIBC_2.35\0";
        assert_eq!(newest_glibc(program), Some((2, 35)));
        assert_eq!(newest_glibc(b"static"), None);
        assert!(check_glibc("pilot", program).is_ok());
        assert!(check_glibc("pilot", b"static").is_ok());
        let error = check_glibc("pilot", b"\0GLIBC_2.39\0GLIBC_2.41\0").expect_err("is too new");
        assert!(error.to_string().contains("glibc 2.41"), "{error}");
    }
}
