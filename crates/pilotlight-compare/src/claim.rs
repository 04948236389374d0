//! Which of several workers does a run: claims in the run's folder, which all of them see.
//!
//! Workers may be processes of one machine or of many; a file system that they share is all that they need. A claim is a
//! file `claim-N.json` which only one of them can create. While a worker lives, it writes its claim anew every now and
//! then; a claim that was not written for its whole lifetime is one of a dead worker, and whoever comes first creates
//! claim `N + 1`. The highest number holds the run.
//!
//! A worker that was only asleep finds a higher number, or its own file gone, and has lost its claim: it must stop. What
//! two machines think of the time plays no part: ages are differences between times that the file system itself gave.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};

use crate::{error::CompareError, machine::host};

/// How long a claim holds that is not written anew, unless workers agree on another time: longer than file systems on
/// a network keep what they know of a file, which for NFS is a minute.
pub const LIFETIME: Duration = Duration::from_secs(180);

/// Times that a claim is written anew in its lifetime.
const BEATS: u32 = 5;

/// Somebody who carries out runs.
#[derive(Debug, Clone)]
pub struct Worker {
    name: String,
    lifetime: Duration,
}

/// A run that nobody else may carry out; it is given back when this is dropped.
pub struct Claim {
    held: Arc<Held>,
    heartbeat: Option<JoinHandle<()>>,
}

struct Held {
    path: PathBuf,
    number: u64,
    content: Content,
    lifetime: Duration,
    state: Mutex<State>,
    is_over: Condvar,
}

#[derive(Default)]
struct State {
    is_lost: bool,
    is_released: bool,
    on_loss: Option<Box<dyn FnOnce() + Send>>,
}

/// What stands in the file of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// The worker's name, for people.
    worker: String,
    /// What no other claim has.
    token: u64,
}

impl Worker {
    /// A worker of this process, whose claims outlive it by `lifetime` at the most.
    pub fn new(lifetime: Duration) -> Self {
        let host = host().unwrap_or_else(|| "process".into());
        Self {
            name: format!("{host}-{}", std::process::id()),
            lifetime,
        }
    }

    /// How long a claim holds that is not written anew.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Claims the run in `folder`; `None` if another worker has it.
    ///
    /// Whoever gets a claim has to look at the folder once more: the worker before may just have finished the run.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read or written.
    pub fn claim(&self, folder: &Path) -> Result<Option<Claim>, CompareError> {
        let claim = self
            .try_claim(folder)
            .map_err(|source| CompareError::file(folder, source))?;
        Ok(claim.map(Claim::keep))
    }

    fn try_claim(&self, folder: &Path) -> io::Result<Option<Held>> {
        let before = numbers(folder)?;
        let highest = before.iter().copied().max().unwrap_or(0);
        if highest > 0 && is_live(folder, highest, self.lifetime)? {
            return Ok(None);
        }
        let number = highest + 1;
        let held = Held {
            path: path(folder, number),
            number,
            content: Content {
                worker: self.name.clone(),
                token: rand::random(),
            },
            lifetime: self.lifetime,
            state: Mutex::default(),
            is_over: Condvar::new(),
        };
        match File::create_new(&held.path) {
            Ok(file) => held.write(file)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(error),
        }
        // While this was asleep, the number that it read may have become an old one.
        if numbers(folder)?.into_iter().any(|other| other > number) {
            fs::remove_file(&held.path)?;
            return Ok(None);
        }
        for number in before {
            // That of a dead worker; another may have removed it.
            let _ = fs::remove_file(path(folder, number));
        }
        Ok(Some(held))
    }
}

impl Claim {
    /// Writes the claim anew until it is dropped.
    fn keep(held: Held) -> Self {
        let held = Arc::new(held);
        let beating = Arc::clone(&held);
        Self {
            held,
            heartbeat: Some(thread::spawn(move || beating.beat())),
        }
    }

    /// Calls `act` as soon as the claim is lost: another worker took this one for dead. Instead of an earlier `act`.
    pub fn on_loss(&self, act: impl FnOnce() + Send + 'static) {
        let mut state = self.held.state();
        if state.is_lost {
            drop(state);
            return act();
        }
        state.on_loss = Some(Box::new(act));
    }

    /// Whether another worker has taken the run over.
    pub fn is_lost(&self) -> bool {
        self.held.state().is_lost
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.held.state().is_released = true;
        self.held.is_over.notify_all();
        if let Some(heartbeat) = self.heartbeat.take() {
            let _ = heartbeat.join();
        }
        if self.held.stands().unwrap_or(false) {
            // A file that stays behind is one of a dead worker soon.
            let _ = fs::remove_file(&self.held.path);
        }
    }
}

impl Held {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beat(&self) {
        let mut last = Instant::now();
        loop {
            let state = self.state();
            let (state, _) = self
                .is_over
                .wait_timeout_while(state, self.lifetime / BEATS, |state| !state.is_released)
                .unwrap_or_else(PoisonError::into_inner);
            if state.is_released {
                return;
            }
            drop(state);
            match self.renew() {
                Ok(true) => last = Instant::now(),
                // A file system may be away for a moment.
                Err(_) if last.elapsed() < self.lifetime => {}
                _ => return self.lose(),
            }
        }
    }

    fn lose(&self) {
        let act = {
            let mut state = self.state();
            state.is_lost = true;
            state.on_loss.take()
        };
        if let Some(act) = act {
            act();
        }
    }

    /// Writes the file anew; `false` if the run is another worker's by now.
    fn renew(&self) -> io::Result<bool> {
        if !self.stands()? {
            return Ok(false);
        }
        match File::options().write(true).open(&self.path) {
            Ok(file) => self.write(file).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether this claim is still the highest.
    fn stands(&self) -> io::Result<bool> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        if numbers(folder)?
            .into_iter()
            .any(|other| other > self.number)
        {
            return Ok(false);
        }
        match fs::read(&self.path) {
            Ok(bytes) => Ok(serde_json::from_slice::<Content>(&bytes)
                .is_ok_and(|content| content == self.content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn write(&self, mut file: File) -> io::Result<()> {
        // The same bytes each time: who reads meanwhile reads them too.
        file.write_all(&serde_json::to_vec(&self.content)?)?;
        file.sync_all()
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claim").field(&self.held.path).finish()
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("claim-{number}.json"))
}

/// The numbers of the claims in a folder.
fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix("claim-")?.strip_suffix(".json"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    Ok(numbers)
}

/// The name of the worker that carries out the run in `folder` right now, if one does; `lifetime` is that of its claim.
///
/// Nobody needs to be able to write into the folder for that, but where somebody is, its file system tells the time.
///
/// # Errors
///
/// If the folder is there and cannot be read.
pub fn holder(folder: &Path, lifetime: Duration) -> Result<Option<String>, CompareError> {
    let find = || -> io::Result<Option<String>> {
        let Some(number) = numbers(folder)?.into_iter().max() else {
            return Ok(None);
        };
        let path = path(folder, number);
        let written = fs::metadata(&path)?.modified()?;
        let now = now(folder).unwrap_or_else(|_| SystemTime::now());
        if now.duration_since(written).unwrap_or_default() >= lifetime {
            return Ok(None);
        }
        let content = serde_json::from_slice::<Content>(&fs::read(&path)?);
        // It may be just being written.
        Ok(Some(content.map_or_else(
            |_| "a worker".into(),
            |content| content.worker,
        )))
    };
    match find() {
        // Not begun, or given back meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map_err(|source| CompareError::file(folder, source)),
    }
}

/// Whether a claim was written within its lifetime, by the clock of the file system.
fn is_live(folder: &Path, number: u64, lifetime: Duration) -> io::Result<bool> {
    let written = match fs::metadata(path(folder, number)) {
        Ok(metadata) => metadata.modified()?,
        // Given back meanwhile: the next try finds that.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let age = now(folder)?.duration_since(written).unwrap_or_default();
    Ok(age < lifetime)
}

/// The time as the file system of `folder` has it.
pub(crate) fn now(folder: &Path) -> io::Result<SystemTime> {
    let mut probe = tempfile::Builder::new()
        .prefix("clock-")
        .tempfile_in(folder)?;
    probe.write_all(b"now")?;
    probe.as_file().sync_all()?;
    probe.as_file().metadata()?.modified()
}
