//! What cargo knows of the workspace and its dependencies.

use std::process::Command;

use anyhow::bail;
use serde::Deserialize;

use crate::workspace;

/// The part of `cargo metadata` that the checks read.
#[derive(Deserialize)]
pub(super) struct Metadata {
    pub(super) packages: Vec<Package>,
    workspace_members: Vec<String>,
}

/// A package of the workspace or of a registry.
#[derive(Deserialize)]
pub(super) struct Package {
    id: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: Option<String>,
    pub(super) dependencies: Vec<Dependency>,
    pub(super) features: std::collections::BTreeMap<String, Vec<String>>,
}

/// A dependency as a manifest states it.
#[derive(Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// `dev`, `build`, or none for a normal one.
    pub(super) kind: Option<String>,
    pub(super) features: Vec<String>,
}

impl Metadata {
    /// The packages of the workspace.
    pub(super) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The packages of registries.
    pub(super) fn dependencies(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| !self.workspace_members.contains(&package.id))
    }
}

/// Asks cargo, for all features.
pub(super) fn read() -> anyhow::Result<Metadata> {
    let output = Command::new(env!("CARGO"))
        .current_dir(workspace::root())
        .args([
            "metadata",
            "--format-version",
            "1",
            "--all-features",
            "--locked",
        ])
        .output()?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
