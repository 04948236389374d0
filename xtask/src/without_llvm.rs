//! Cargo for CUDA where only a crate registry is reached.
//!
//! `cubecl-cuda` is built with `cubecl-llvm`, which fetches a whole LLVM from elsewhere while it is built. `pilot` has its
//! kernels made by NVRTC and uses none of it, so a stand-in of the project, `xtask/cuda/cubecl-llvm`, can take its place.
//! No manifest names it: this call alone does.

use std::{ffi::OsString, process::Command};

use anyhow::bail;

use crate::workspace;

/// The CUDA whose interface is compiled in, 13.0. Left out, a build script asks the toolkit, and without one takes the
/// newest, which a driver may not have.
const CUDA_VERSION: (&str, &str) = ("CUDARC_CUDA_VERSION", "13000");

/// Runs cargo with these arguments and the stand-in.
pub(crate) fn run(arguments: &[OsString]) -> anyhow::Result<()> {
    let status = keeping_lock(|| Ok(cargo().args(arguments).status()?))?;
    if !status.success() {
        bail!("cargo failed: {status}");
    }
    Ok(())
}

/// Cargo with the stand-in in place; it changes `Cargo.lock`, so call it within [`keeping_lock`].
pub(crate) fn cargo() -> Command {
    let stand_in = workspace::root().join("xtask/cuda/cubecl-llvm");
    let mut command = Command::new(env!("CARGO"));
    command
        .arg("--config")
        .arg(format!("patch.crates-io.cubecl-llvm.path={stand_in:?}"));
    let (variable, version) = CUDA_VERSION;
    if std::env::var_os(variable).is_none() {
        command.env(variable, version);
    }
    command
}

/// Runs something, and writes `Cargo.lock` as it was: the stand-in is for one call and not for the repository.
pub(crate) fn keeping_lock<T>(run: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let lock = workspace::root().join("Cargo.lock");
    let before = fs_err::read(&lock)?;
    let outcome = run();
    if fs_err::read(&lock)? != before {
        workspace::write(&lock, &before)?;
    }
    outcome
}
