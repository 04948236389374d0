//! Downloads that end complete and right, or with a message.
//!
//! What `hf-hub` 0.5 does not do: it takes a file of the wrong size for whole, appends to a partial file even where
//! the server sent all of it again, asks for a range beyond the end when the partial file is whole, and believes the
//! server's names for files of the cache. Its own retries append at the wrong place, so they stay off.

use std::{
    io::{self, Read},
    path::{Component, Path},
    thread,
    time::Duration,
};

use hf_hub::{
    Cache,
    api::{
        Progress,
        sync::{Api, ApiBuilder, ApiError, ApiRepo},
    },
};
use sha2::{Digest, Sha256};

use super::{Fetched, Hub, Kind, Repository, selection};
use crate::failure::Failure;

/// Tries of one file, each of which goes on where the last one ended.
const N_TRIES: u32 = 4;

impl Hub {
    /// Brings the needed files of a repository into the cache. `progress` makes an observer of each file.
    pub(crate) fn fetch<P: Progress>(
        &self,
        repository: &Repository,
        progress: impl Fn() -> P,
    ) -> Result<Fetched, Failure> {
        if self.is_offline {
            return Err(Failure::input(format!(
                "{} cannot be fetched: HF_HUB_OFFLINE is set",
                repository.name
            ))
            .hint("unset HF_HUB_OFFLINE, or give the folder of a model"));
        }
        let refused = |error: &ApiError| self.refused(repository, error);
        let api = self.api().map_err(|error| refused(&error))?;
        let info = api.repo(repository.at(&repository.revision)).info();
        let info = info.map_err(|error| refused(&error))?;
        let commit = info.sha;
        if !is_below(&commit) {
            return Err(self.nonsense(&format!("the commit {commit:?}")));
        }
        let names: Vec<String> = info
            .siblings
            .into_iter()
            .map(|sibling| sibling.rfilename)
            .collect();
        let files = selection::needed(repository.kind, &names).map_err(|(message, hint)| {
            Failure::input(format!("{}: {message}", repository.name)).hint(hint)
        })?;

        // By commit, so that all files belong together even if the branch moves on meanwhile.
        let pinned = repository.at(&commit);
        let download = Download {
            hub: self,
            cache: Cache::new(self.cache.clone()).repo(pinned.clone()),
            api: api.clone(),
            files: api.repo(pinned),
            commit: commit.clone(),
        };
        for file in &files {
            download
                .file(file, &progress)
                .map_err(|error| match error {
                    Trouble::Hub(error) => refused(&error),
                    Trouble::Final(failure) => failure,
                })?;
        }
        // The name points to the commit only now that all of it is there.
        let by_name = Cache::new(self.cache.clone()).repo(repository.at(&repository.revision));
        by_name
            .create_ref(&commit)
            .map_err(|error| self.unwritable(&error))?;
        Ok(Fetched {
            folder: by_name.pointer_path(&commit),
            commit,
            files,
        })
    }

    fn api(&self) -> Result<Api, ApiError> {
        ApiBuilder::new()
            .with_endpoint(self.endpoint.clone())
            .with_cache_dir(self.cache.clone())
            .with_token(self.token.clone())
            .with_user_agent("pilotlight", env!("CARGO_PKG_VERSION"))
            .build()
    }

    /// The failure of a request.
    fn refused(&self, repository: &Repository, error: &ApiError) -> Failure {
        let Repository {
            name,
            kind,
            revision,
        } = repository;
        let endpoint = &self.endpoint;
        let what = match kind {
            Kind::Model => "model",
            Kind::DataSet => "data set",
        };
        match status(error) {
            Some(code @ (401 | 403)) => {
                Failure::input(format!("{endpoint} does not give access to the {what} {name} (status {code})")).hint(
                    match self.token {
                        None => {
                            "check the name; for a private or gated repository set HF_TOKEN to your access token"
                        }
                        Some(_) => {
                            "check the name, that your access token is valid, and that its owner has accepted the \
                             repository's conditions"
                        }
                    },
                )
            }
            Some(404) => Failure::input(format!(
                "{endpoint} has no {what} {name} at revision {revision}"
            ))
            .hint(match kind {
                Kind::Model => "check the name and `--revision`; a data set is fetched with `--data`",
                Kind::DataSet => "check the name and `--revision`",
            }),
            Some(code) => Failure::run(format!("{endpoint} answers with status {code} for {name}"))
                .hint("try again later: what has arrived is kept"),
            None => Failure::run(format!("cannot fetch {name} from {endpoint}: {error}"))
                .hint("is there a network? Try again: what has arrived is kept. HF_ENDPOINT names a mirror"),
        }
    }

    fn nonsense(&self, what: &str) -> Failure {
        Failure::run(format!("{} names {what}, which cannot be", self.endpoint))
            .hint("is HF_ENDPOINT the address of a hub?")
    }

    fn unwritable(&self, error: &io::Error) -> Failure {
        Failure::run(format!(
            "cannot write to the cache {}: {error}",
            self.cache.display()
        ))
        .hint("set HF_HOME to a folder that can be written to")
    }
}

/// The files of one commit.
struct Download<'a> {
    hub: &'a Hub,
    cache: hf_hub::CacheRepo,
    api: Api,
    files: ApiRepo,
    commit: String,
}

/// What can go wrong with one file.
enum Trouble {
    /// A request failed; it may be tried again.
    Hub(ApiError),
    /// No use trying again.
    Final(Failure),
}

/// What the hub says of a file.
struct Expected {
    size: u64,
    /// SHA-256 of the content, where the hub names it: for all large files.
    sha256: Option<String>,
}

impl Download<'_> {
    fn file<P: Progress>(&self, name: &str, progress: &impl Fn() -> P) -> Result<(), Trouble> {
        let mut n_tries = 0;
        loop {
            n_tries += 1;
            let trouble = match self.try_file(name, progress()) {
                Ok(()) => return Ok(()),
                Err(trouble) => trouble,
            };
            let is_final = match &trouble {
                Trouble::Hub(ApiError::RequestError(_) | ApiError::IoError(_)) => {
                    matches!(&trouble, Trouble::Hub(error) if status(error).is_some_and(|code| code < 500))
                }
                _ => true,
            };
            if is_final || n_tries == N_TRIES {
                return Err(trouble);
            }
            thread::sleep(Duration::from_millis(250 << n_tries));
        }
    }

    fn try_file<P: Progress>(&self, name: &str, progress: P) -> Result<(), Trouble> {
        let metadata = self
            .api
            .metadata(&self.files.url(name))
            .map_err(Trouble::Hub)?;
        let etag = metadata.etag();
        if metadata.commit_hash() != self.commit || !is_below(etag) {
            let what = format!(
                "the commit {:?} and the tag {etag:?} for {name}",
                metadata.commit_hash()
            );
            return Err(Trouble::Final(self.hub.nonsense(&what)));
        }
        let expected = Expected {
            size: metadata.size() as u64,
            sha256: is_sha256(etag).then(|| etag.to_lowercase()),
        };
        let unwritable = |error: io::Error| Trouble::Final(self.hub.unwritable(&error));
        let pointer = self.cache.pointer_path(&self.commit).join(name);
        let blob = self.cache.blob_path(etag);
        let partial = blob.with_extension("part");
        if expected.fits(&pointer).map_err(unwritable)? {
            return Ok(());
        }
        // Also where it points to nothing any more.
        remove(&pointer).map_err(unwritable)?;
        if expected.fits(&blob).map_err(unwritable)? && link(&blob, &pointer, name).is_ok() {
            // Another commit brought the same content.
            return Ok(());
        }
        let n_kept = length(&partial).map_err(unwritable)?;
        if n_kept >= expected.size {
            remove(&partial).map_err(unwritable)?;
        }

        self.files
            .download_with_progress(name, progress)
            .map_err(Trouble::Hub)?;

        let n_arrived = length(&blob).map_err(unwritable)?;
        if expected.fits(&blob).map_err(unwritable)? {
            return Ok(());
        }
        remove(&pointer).map_err(unwritable)?;
        if n_arrived < expected.size {
            // The connection ended early without saying so.
            fs_err::rename(&blob, &partial).map_err(unwritable)?;
            let cut = io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{name} ended after {n_arrived} bytes"),
            );
            return Err(Trouble::Hub(ApiError::IoError(cut)));
        }
        remove(&blob).map_err(unwritable)?;
        if n_kept > 0 {
            // What was kept did not belong to this file, or the server began anew: so shall we.
            let anew = io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{name} could not be continued"),
            );
            return Err(Trouble::Hub(ApiError::IoError(anew)));
        }
        let found = match n_arrived == expected.size {
            true => "another SHA-256 than the hub names".to_owned(),
            false => format!("{n_arrived} bytes instead of {}", expected.size),
        };
        Err(Trouble::Final(
            Failure::run(format!("{name} arrived with {found}"))
                .hint("try again, or another mirror by HF_ENDPOINT"),
        ))
    }
}

impl Expected {
    /// Whether the file at `path` is there and is this one.
    fn fits(&self, path: &Path) -> io::Result<bool> {
        if length(path)? != self.size || !path.exists() {
            return Ok(false);
        }
        let Some(expected) = &self.sha256 else {
            return Ok(true);
        };
        let mut hash = Sha256::new();
        let mut file = fs_err::File::open(path)?;
        let mut chunk = vec![0; 1 << 20];
        loop {
            match file.read(&mut chunk)? {
                0 => break,
                n_read => hash.update(&chunk[..n_read]),
            }
        }
        let found: String = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(found == *expected)
    }
}

/// The status of an answer that says no.
fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::RequestError(error) => match **error {
            ureq::Error::StatusCode(code) => Some(code),
            _ => None,
        },
        _ => None,
    }
}

/// Large files are tagged by their SHA-256, small ones by git's hash.
fn is_sha256(etag: &str) -> bool {
    etag.len() == 64 && etag.chars().all(|c| c.is_ascii_hexdigit())
}

/// Whether a name that the server sent stays below the folder it is joined to.
fn is_below(name: &str) -> bool {
    let mut components = Path::new(name).components();
    !name.is_empty() && components.all(|component| matches!(component, Component::Normal(_)))
}

/// Points from the file `name` of a commit to its content, relative to each other as `hf-hub` does.
#[cfg(unix)]
fn link(blob: &Path, pointer: &Path, name: &str) -> io::Result<()> {
    let (Some(folder), Some(etag)) = (pointer.parent(), blob.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    fs_err::create_dir_all(folder)?;
    // Out of `snapshots/<commit>` and of the folders in the name.
    let up = "../".repeat(2 + name.matches('/').count());
    fs_err::os::unix::fs::symlink(Path::new(&up).join("blobs").join(etag), pointer)
}

/// Links need privileges elsewhere: the content is fetched again.
#[cfg(not(unix))]
fn link(_blob: &Path, _pointer: &Path, _name: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Bytes of a file; of none, none.
fn length(path: &Path) -> io::Result<u64> {
    match fs_err::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
