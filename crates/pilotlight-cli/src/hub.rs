//! The Hugging Face Hub and its cache.
//!
//! Downloads go by `hf-hub` into the cache that Python's `huggingface_hub` uses too, so that nothing is fetched twice.
//! What `hf-hub` leaves to its caller is added here: the environment variables it does not read, a choice of the files
//! that are needed, checks of sizes and hashes, and downloads that go on where they were cut off.

mod download;
mod environment;
mod selection;

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use hf_hub::{Cache, Repo, RepoType};

pub(crate) use environment::Hub;

use crate::failure::Failure;

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Model,
    DataSet,
}

/// A repository of the hub at some revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository {
    pub(crate) name: RepositoryName,
    pub(crate) kind: Kind,
    /// A branch, a tag or a commit.
    pub(crate) revision: String,
}

/// The name of a repository: `owner/name`, or `name` alone for a few old ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RepositoryName(String);

/// A repository whose needed files are in the cache.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The folder that holds them.
    pub(crate) folder: PathBuf,
    /// The commit they belong to.
    pub(crate) commit: String,
    /// Their names.
    pub(crate) files: Vec<String>,
}

impl Repository {
    pub(crate) const DEFAULT_REVISION: &'static str = "main";

    /// A repository at a revision.
    pub(crate) fn new(name: RepositoryName, kind: Kind, revision: String) -> Result<Self, Failure> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        let is_word =
            |word: &str| !word.is_empty() && !word.starts_with('.') && word.chars().all(allowed);
        if revision.split('/').all(is_word) {
            return Ok(Self {
                name,
                kind,
                revision,
            });
        }
        Err(Failure::input(format!("{revision:?} is no revision"))
            .hint("give a branch, a tag or a commit by `--revision`"))
    }

    /// A model at the tip of its main branch.
    pub(crate) fn model(name: RepositoryName) -> Self {
        Self {
            name,
            kind: Kind::Model,
            revision: Self::DEFAULT_REVISION.to_owned(),
        }
    }

    fn at(&self, revision: &str) -> Repo {
        let kind = match self.kind {
            Kind::Model => RepoType::Model,
            Kind::DataSet => RepoType::Dataset,
        };
        Repo::with_revision(self.name.0.clone(), kind, revision.to_owned())
    }
}

impl Hub {
    /// Where the cache is.
    pub(crate) fn cache_folder(&self) -> &Path {
        &self.cache
    }

    /// The address of the hub.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The folder of a model in the cache, if all of it is there.
    pub(crate) fn cached_model(&self, repository: &Repository) -> Option<PathBuf> {
        let cache = Cache::new(self.cache.clone()).repo(repository.at(&repository.revision));
        let config = cache.get("config.json")?;
        let folder = config.parent()?.to_owned();
        selection::is_complete_model(&folder).then_some(folder)
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RepositoryName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_word = |word: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !word.is_empty()
                && word.chars().all(allowed)
                && !word.starts_with('.')
                && !word.contains("..")
        };
        let n_words = text.split('/').count();
        if n_words <= 2 && text.split('/').all(is_word) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a name on the hub is `owner/name`: letters, digits, `-`, `_` and `.`".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_no_names() {
        for name in ["gpt2", "HuggingFaceTB/SmolLM2-135M", "a_b/c.d-1"] {
            assert!(name.parse::<RepositoryName>().is_ok(), "{name}");
        }
        for path in [
            "", "/", "./a", "../a", "a/", "/a/b", "a/b/c", "a/..", "a b", "a/b?x", "a\\b",
        ] {
            assert!(path.parse::<RepositoryName>().is_err(), "{path}");
        }
    }
}
