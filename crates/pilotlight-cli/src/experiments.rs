//! From the arguments of `train`, `eval`, `compare` and `data show` to the settings of their runs.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
};

use burn::tensor::Device;
use clap::Args;
use pilotlight_compare::{CompareError, Experiment, Layers, Precision, Resolver};

use crate::{
    console::Console,
    devices::{DeviceChoice, DeviceList, Found},
    failure::Failure,
    models,
};

/// Settings beyond those of a file.
#[derive(Debug, Args)]
pub(crate) struct RawSettings {
    /// Change a setting, for example train.learning_rate=0.01; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// One experiment: a file, or a method of a comparison.
#[derive(Debug, Args)]
pub(crate) struct RawExperiment {
    /// Experiment file, name of a preset, or folder of a run
    #[arg(value_name = "FILE|PRESET|RUN")]
    what: String,
    /// Which of the file's methods
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    #[command(flatten)]
    settings: RawSettings,
}

impl RawSettings {
    /// The layers that `base` and these settings are; `--device` is the strongest of them.
    pub(crate) fn on(&self, base: Layers, device: Option<DeviceList>) -> Layers {
        let mut assignments = self.set.clone();
        assignments.extend(device.map(|device| format!("device=\"{device}\"")));
        Layers {
            assignments,
            ..base
        }
    }

    /// The arguments that say the same to another `pilot`.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = String> {
        self.set
            .iter()
            .map(|assignment| format!("--set={assignment}"))
    }
}

impl RawExperiment {
    /// The settings.
    pub(crate) fn read(&self, device: Option<DeviceList>) -> Result<Experiment, Failure> {
        Ok(self.layers(device)?.experiment(self.method())?)
    }

    /// The layers that they are read from.
    pub(crate) fn layers(&self, device: Option<DeviceList>) -> Result<Layers, Failure> {
        let base = match self.run() {
            // A run is what its own settings say, whatever the environment.
            Some(run) => alone(run.join("resolved.toml")),
            None => layers(&self.what)?,
        };
        Ok(self.settings.on(base, device))
    }

    /// The method that is chosen.
    pub(crate) fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The file that is given.
    pub(crate) fn file(&self) -> &Path {
        Path::new(&self.what)
    }

    /// The folder of the run, where it is one that is given.
    pub(crate) fn run(&self) -> Option<&Path> {
        let path = Path::new(&self.what);
        path.is_dir().then_some(path)
    }
}

/// The layers below the arguments: the environment on an experiment file or a preset.
pub(crate) fn layers(what: &str) -> Result<Layers, Failure> {
    let layers = Layers::of_process();
    if Path::new(what).is_file() || what.ends_with(".toml") {
        return Ok(Layers {
            file: Some(what.into()),
            ..layers
        });
    }
    if what.contains(['/', '\\']) {
        return Err(Failure::input(format!("there is no file {what}"))
            .hint("name an experiment file, or a preset of `pilot compare --list`"));
    }
    Ok(Layers {
        preset: Some(what.to_owned()),
        ..layers
    })
}

/// The settings of a file and nothing else.
pub(crate) fn alone(file: PathBuf) -> Layers {
    Layers {
        file: Some(file),
        ..Layers::default()
    }
}

/// Finds models and devices for the runs of experiments.
pub(crate) struct Machine<'a> {
    console: &'a Console,
    opened: Cell<Option<DeviceChoice>>,
}

impl<'a> Machine<'a> {
    /// A machine that says on `console` what it does.
    pub(crate) fn new(console: &'a Console) -> Self {
        Self {
            console,
            opened: Cell::new(None),
        }
    }

    /// The device that was opened last, helpers aside.
    pub(crate) fn opened(&self) -> Option<DeviceChoice> {
        self.opened.get()
    }

    fn open(&self, choice: DeviceChoice, precision: Precision) -> Result<Found, CompareError> {
        let found = choice.find(self.console).map_err(unresolved)?;
        found.check(precision, "base.dtype").map_err(unresolved)?;
        Ok(found)
    }
}

impl Resolver for Machine<'_> {
    fn model(&self, name: &str) -> Result<PathBuf, CompareError> {
        models::folder(name, self.console).map_err(unresolved)
    }

    fn device(&self, names: &str, precision: Precision) -> Result<Device, CompareError> {
        let found = self.open(listed(names)?.first, precision)?;
        self.opened.set(Some(found.choice));
        Ok(found.device)
    }

    fn helpers(&self, names: &str, precision: Precision) -> Result<Vec<Device>, CompareError> {
        let helpers = listed(names)?.helpers.into_iter();
        let devices = helpers.map(|choice| Ok(self.open(choice, precision)?.device));
        devices.collect()
    }
}

fn listed(names: &str) -> Result<DeviceList, CompareError> {
    names.parse().map_err(|problem| CompareError::Unresolved {
        message: format!("`device`: `{names}` cannot be used"),
        hint: problem,
    })
}

fn unresolved(failure: Failure) -> CompareError {
    let (message, hint) = failure.into_parts();
    CompareError::Unresolved { message, hint }
}
