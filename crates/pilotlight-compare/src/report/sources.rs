//! What runs were made of: programs, machines, models, files.

use serde::{Deserialize, Serialize};

use crate::{finished::FinishedRun, machine::Machine};

/// The version of Burn that this program is built on.
const BURN_VERSION: &str = "0.22.1";

/// What the runs of a report were made of: all of each kind, in the order of the runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// Versions of this program.
    pub versions: Vec<String>,
    /// Machines.
    pub machines: Vec<Machine>,
    /// Models, each with the SHA-256 over its parameters before training.
    pub models: Vec<(String, String)>,
    /// Files of records, each with the SHA-256 of its bytes.
    pub files: Vec<(String, String)>,
}

impl Sources {
    pub(super) fn of(runs: &[FinishedRun]) -> Self {
        let mut sources = Self::default();
        for FinishedRun {
            planned, result, ..
        } in runs
        {
            add(&mut sources.versions, &result.version);
            if let Some(machine) = &result.machine {
                add(&mut sources.machines, machine);
            }
            let model = (result.model.clone(), result.base_hash.before.clone());
            add(&mut sources.models, &model);
            if let (Some(general), Some(forgetting)) =
                (&planned.config.report.general, &result.forgetting)
            {
                let path = general.path.display().to_string();
                add(&mut sources.files, &(path, forgetting.sha256.clone()));
            }
            let Some(hash) = &result.data_hash else {
                continue;
            };
            let data = &planned.config.data;
            let files = [
                (Some(&data.train), Some(&hash.train)),
                (data.validation.as_ref(), hash.validation.as_ref()),
                (data.test.as_ref(), hash.test.as_ref()),
            ];
            for (path, hash) in files {
                if let (Some(path), Some(hash)) = (path, hash) {
                    add(
                        &mut sources.files,
                        &(path.display().to_string(), hash.clone()),
                    );
                }
            }
        }
        sources
    }
}

impl Sources {
    /// What there is to say, a line each.
    pub(super) fn facts(&self) -> Vec<String> {
        let versions = self
            .versions
            .iter()
            .map(|version| format!("pilot {version} on Burn {BURN_VERSION}"));
        let machines = self.machines.iter().map(|machine| {
            let Machine {
                device,
                processor,
                n_threads,
                system,
            } = machine;
            let processor = processor.as_deref().unwrap_or("unknown processor");
            format!("{device}; {processor}, {n_threads} threads, {system}")
        });
        let hashed = |(name, hash): &(String, String)| format!("{name}: SHA-256 {hash}");
        let models = self.models.iter().map(hashed);
        let files = self.files.iter().map(hashed);
        versions
            .chain(machines)
            .chain(models)
            .chain(files)
            .collect()
    }
}

fn add<T: Clone + PartialEq>(known: &mut Vec<T>, new: &T) {
    if !known.contains(new) {
        known.push(new.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_burn_is_that_of_the_workspace() {
        let manifest = include_str!("../../../../Cargo.toml");
        let line = format!("burn = {{ version = \"={BURN_VERSION}\"");
        assert!(manifest.contains(&line), "{line}");
    }
}
