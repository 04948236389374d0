//! `pilot compare --emit`: the job whose workers do what was typed.

use std::path::{self, Path, PathBuf};

use super::{DEFAULT, RawCompare};
use crate::{
    cluster::{Job, unicode},
    devices::DeviceList,
    failure::Failure,
};

impl RawCompare {
    /// The job of workers that do what this says.
    pub(super) fn job(
        &self,
        name: String,
        file: Option<&Path>,
        out: &Path,
        device: Option<&DeviceList>,
    ) -> Result<Job, Failure> {
        let file = file.map(absolute).transpose()?;
        let out = absolute(out)?;
        let what = match (&file, &self.what) {
            (Some(file), _) => unicode(file)?,
            (None, Some(preset)) => preset,
            (None, None) => DEFAULT,
        };
        let mut arguments = vec!["compare".to_owned(), what.to_owned()];
        arguments.extend(self.only.iter().map(|name| format!("--only={name}")));
        arguments.extend(self.settings.arguments());
        arguments.extend(device.map(|device| format!("--device={device}")));
        arguments.extend(self.shard.map(|shard| format!("--shard={shard}")));
        arguments.extend(self.retry.then(|| "--retry".to_owned()));
        arguments.push(format!("--out={}", unicode(&out)?));
        Ok(Job {
            name,
            out,
            file,
            arguments,
            n_workers: self.workers,
        })
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    path::absolute(path).map_err(|error| {
        Failure::input(format!("{}: {error}", path.display())).hint("go to a folder that exists")
    })
}
