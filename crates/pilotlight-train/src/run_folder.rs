//! The folder of a run.
//!
//! ```text
//! resolved.toml    the experiment with every key
//! metrics.jsonl    a line per step and evaluation
//! events.out.*     the same for TensorBoard, a file for each start
//! checkpoints/     step-N: everything to go on from; best-N: the parameters with the lowest validation loss
//! adapter/         the best tuner
//! result.json      what came out
//! ```

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{error::TrainError, events::EventFile, metrics::Metric};

/// A line per step and evaluation.
pub const METRICS_FILE: &str = "metrics.jsonl";

/// The folder of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// A folder for a new run; it is made where there is none.
    ///
    /// # Errors
    ///
    /// If a run is in it already, or it cannot be made.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, TrainError> {
        let folder = Self::open(path)?;
        for used in [folder.metrics(), folder.checkpoints(), folder.result()] {
            if used.exists() {
                return Err(TrainError::file(
                    &folder.path,
                    format!(
                        "a run is in this folder already ({} exists)",
                        used.display()
                    ),
                    "go on with it by `--resume`, or choose another folder",
                ));
            }
        }
        Ok(folder)
    }

    /// The folder of a run that may have begun.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TrainError> {
        let path = path.into();
        fs_err::create_dir_all(&path)?;
        Ok(Self { path })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `resolved.toml`.
    pub fn resolved(&self) -> PathBuf {
        self.path.join("resolved.toml")
    }

    /// `metrics.jsonl`.
    pub fn metrics(&self) -> PathBuf {
        self.path.join(METRICS_FILE)
    }

    /// `checkpoints/`.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// `adapter/`.
    pub fn adapter(&self) -> PathBuf {
        self.path.join("adapter")
    }

    /// `result.json`.
    pub fn result(&self) -> PathBuf {
        self.path.join("result.json")
    }

    /// Writes a file of the folder as a whole: nobody ever sees half of it.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), TrainError> {
        write_whole(&self.path.join(name), content)
    }

    /// Writes a value as an indented JSON file.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), TrainError> {
        write_json(&self.path.join(name), value)
    }

    /// Removes the checkpoints, which nobody needs once the result is there.
    ///
    /// # Errors
    ///
    /// If they cannot be removed.
    pub fn remove_checkpoints(&self) -> Result<(), TrainError> {
        if self.checkpoints().exists() {
            fs_err::remove_dir_all(self.checkpoints())?;
        }
        Ok(())
    }
}

/// Writes a file beside its place and moves it there.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), TrainError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = temporary_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(io::Error::from)?;
    Ok(())
}

/// A file that vanishes unless it is renamed.
pub(crate) fn temporary_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; this one becomes an ordinary one, within the user's umask.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), TrainError> {
    let mut content = serde_json::to_vec_pretty(value).map_err(io::Error::from)?;
    content.push(b'\n');
    write_whole(path, &content)
}

/// `metrics.jsonl`, open for more lines, and what TensorBoard reads of them beside it.
#[derive(Debug)]
pub(crate) struct MetricsFile {
    file: fs_err::File,
    events: EventFile,
    length: u64,
    /// All lines.
    pub(crate) history: Vec<Metric>,
}

impl MetricsFile {
    /// Keeps the first `length` bytes of the file and drops what a killed run wrote behind its checkpoint.
    pub(crate) fn open(path: &Path, length: u64) -> Result<Self, TrainError> {
        let hint = "start anew in another folder";
        let file: fs_err::File = fs_err::OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(path)?;
        if file.metadata()?.len() < length {
            let problem = format!("is shorter than the {length} bytes at the checkpoint");
            return Err(TrainError::file(path, problem, hint));
        }
        file.set_len(length)?;
        let text = fs_err::read_to_string(path)?;
        let history: Vec<Metric> = text
            .lines()
            .enumerate()
            .map(|(index, line)| {
                serde_json::from_str(line).map_err(|error| {
                    TrainError::file(
                        path,
                        format!("line {} is no metric: {error}", index + 1),
                        hint,
                    )
                })
            })
            .collect::<Result<_, _>>()?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let step = history.last().map_or(0, |metric| metric.step);
        let mut opened = Self {
            file,
            events: EventFile::create(folder, step)?,
            length,
            history,
        };
        opened.file.seek(SeekFrom::Start(length))?;
        Ok(opened)
    }

    /// Adds a line, in one write.
    pub(crate) fn add(&mut self, metric: Metric) -> Result<(), TrainError> {
        let mut line = serde_json::to_vec(&metric).map_err(io::Error::from)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.events.add(&metric)?;
        self.length += line.len() as u64;
        self.history.push(metric);
        Ok(())
    }

    /// Waits until all lines are on the disk and says how many bytes they are.
    pub(crate) fn sync(&mut self) -> Result<u64, TrainError> {
        self.file.sync_data()?;
        Ok(self.length)
    }
}

/// Waits until the entries of a folder are on the disk.
pub(crate) fn sync_folder(path: &Path) -> Result<(), TrainError> {
    // Only Unix opens folders, and only there a rename needs it.
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = (path, File::options());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::SplitName;

    fn metric(step: usize) -> Metric {
        Metric {
            step,
            split: SplitName::Train,
            loss: 0.1 + step as f64 / 3.0,
            learning_rate: Some(1e-3),
            gradient_norm: None,
            accuracy: None,
            examples: 8,
            tokens: 8,
        }
    }

    #[test]
    fn metrics_behind_the_checkpoint_are_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metrics.jsonl");
        let mut file = MetricsFile::open(&path, 0).expect("new");
        file.add(metric(1)).expect("added");
        let length = file.sync().expect("synced");
        file.add(metric(2)).expect("added");
        let whole = fs_err::read(&path).expect("bytes");
        drop(file);
        let mut resumed = MetricsFile::open(&path, length).expect("resumed");
        assert_eq!(resumed.history, [metric(1)]);
        resumed.add(metric(2)).expect("added");
        assert_eq!(fs_err::read(&path).expect("bytes"), whole);
        assert!(MetricsFile::open(&path, 10_000).is_err());
    }

    #[test]
    fn a_used_folder_is_not_a_new_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = RunFolder::create(folder.path()).expect("new");
        run.write("resolved.toml", b"seed = 1\n").expect("written");
        RunFolder::create(folder.path()).expect("still unused");
        run.write_json("result.json", &[1, 2]).expect("written");
        let error = RunFolder::create(folder.path())
            .expect_err("used")
            .to_string();
        assert!(error.contains("--resume"), "{error}");
        RunFolder::open(folder.path()).expect("may go on");
    }
}
