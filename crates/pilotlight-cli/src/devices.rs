//! The backends and their devices: the one place in the workspace that names any.
//!
//! A backend is compiled in by the cargo feature of its name. What is missing, a feature or the hardware, is said
//! before a run begins: a driver that is not there must not end in a panic of a worker thread.

use std::{fmt, panic, str::FromStr, thread};

use burn::tensor::{Device, Tensor};
use serde::Serialize;

use crate::{console::Console, failure::Failure};

/// The backends, those to be preferred first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Backend {
    Cuda,
    Wgpu,
    Cpu,
}

/// The device asked for on the command line or in an experiment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceChoice {
    /// The first that works.
    Auto,
    /// Device `index` of a backend.
    Given { backend: Backend, index: usize },
}

/// A device that was found and works.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The device itself.
    pub(crate) device: Device,
    /// Its name, as the hardware gives it.
    pub(crate) name: String,
    /// Whether it is a card of its own; software that stands in for one is no reason to leave the CPU's own backend.
    is_hardware: bool,
}

impl Backend {
    pub(crate) const ALL: [Self; 3] = [Self::Cuda, Self::Wgpu, Self::Cpu];

    /// Its name on the command line, which is also that of the cargo feature.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Wgpu => "wgpu",
            Self::Cpu => "cpu",
        }
    }

    /// Whether this program contains it.
    pub(crate) fn is_compiled(self) -> bool {
        match self {
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Cpu => cfg!(feature = "cpu"),
        }
    }

    /// What it needs of the machine.
    pub(crate) fn needs(self) -> &'static str {
        match self {
            Self::Cuda => {
                "an NVIDIA GPU with its driver (libcuda), and the NVRTC library and headers of the CUDA toolkit"
            }
            Self::Wgpu => "a GPU with a Vulkan, Metal or DirectX 12 driver",
            Self::Cpu => "nothing else",
        }
    }

    /// Its devices that work.
    pub(crate) fn devices(self) -> Vec<Found> {
        let found = quietly(|| match self {
            #[cfg(feature = "cuda")]
            Self::Cuda => gpus(burn::tensor::DeviceType::Cuda),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => gpus(burn::tensor::DeviceType::Wgpu),
            #[cfg(feature = "cpu")]
            Self::Cpu => {
                let n_threads = thread::available_parallelism().map_or(1, usize::from);
                vec![Found {
                    device: Device::flex(),
                    name: format!("flex, {n_threads} threads"),
                    is_hardware: true,
                }]
            }
            #[allow(unreachable_patterns)]
            _ => Vec::new(),
        });
        let mut found = found.unwrap_or_default();
        found.retain(|found| quietly(|| works(&found.device)) == Some(true));
        found
    }
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn gpus(kind: burn::tensor::DeviceType) -> Vec<Found> {
    let devices = Device::enumerate(kind).into_iter();
    let found = devices.filter_map(|device| {
        // Opens the device, which may fail for one of several.
        let identity = quietly(|| device.identity())??;
        Some(Found {
            name: identity.name,
            is_hardware: identity.physical.is_some(),
            device,
        })
    });
    found.collect()
}

/// Whether a computation comes out right.
fn works(device: &Device) -> bool {
    let sum = Tensor::<1>::from_floats([1.0, 2.0, 3.0], device).sum();
    sum.try_into_vec_as::<f32>().is_ok_and(|sum| sum == [6.0])
}

/// The value of `probe`, or nothing if it panics. Backends panic in threads of their own where a driver is missing or
/// broken; while this asks, nothing of it reaches the terminal.
fn quietly<T>(probe: impl FnOnce() -> T) -> Option<T> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let value = panic::catch_unwind(panic::AssertUnwindSafe(probe));
    panic::set_hook(hook);
    value.ok()
}

impl DeviceChoice {
    /// The device of this choice; `auto` says on `console` which one it took.
    pub(crate) fn open(self, console: &Console) -> Result<Device, Failure> {
        self.find(console).map(|(_, found)| found.device)
    }

    /// The same with what was found, and as the choice that names it.
    pub(crate) fn find(self, console: &Console) -> Result<(Self, Found), Failure> {
        let (backend, index) = match self {
            Self::Given { backend, index } => (backend, index),
            Self::Auto => return automatic(console),
        };
        let name = backend.name();
        if !backend.is_compiled() {
            return Err(Failure::input(format!(
                "device {self}: this program was built without the backend `{name}`"
            ))
            .hint(format!(
                "build it with `cargo build --release -p pilotlight-cli --features {name}`, or choose another device: `pilot devices` \
                 lists them"
            )));
        }
        let mut found = backend.devices();
        if index < found.len() {
            return Ok((self, found.swap_remove(index)));
        }
        Err(match found.len() {
            0 => Failure::input(format!("device {self}: no such device works here"))
                .hint(format!("`{name}` needs {}", backend.needs())),
            n_found => Failure::input(format!(
                "device {self}: there are {n_found} devices of `{name}`, counted from 0"
            ))
            .hint("`pilot devices` lists them"),
        })
    }
}

fn automatic(console: &Console) -> Result<(DeviceChoice, Found), Failure> {
    for backend in Backend::ALL {
        let mut found = backend.devices().into_iter().enumerate();
        if let Some((index, found)) = found.find(|(_, found)| found.is_hardware) {
            let choice = DeviceChoice::Given { backend, index };
            console.note(&format!("device: {choice} ({})", found.name));
            return Ok((choice, found));
        }
    }
    Err(Failure::input("no device works here")
        .hint("build the program with the feature `cpu`, which runs everywhere"))
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Given { backend, index: 0 } => f.write_str(backend.name()),
            Self::Given { backend, index } => write!(f, "{}:{index}", backend.name()),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let (name, index) = match text.split_once(':') {
            Some((name, index)) => (name, index.parse().ok()),
            None => (text, Some(0)),
        };
        let backend = Backend::ALL
            .into_iter()
            .find(|backend| backend.name() == name);
        match (backend, index) {
            (Some(Backend::Cpu), _) if text != "cpu" => Err("there is one `cpu`: write it without a number".into()),
            (Some(backend), Some(index)) => Ok(Self::Given { backend, index }),
            _ => Err("a device is `auto`, `cpu`, `wgpu`, `wgpu:N`, `cuda` or `cuda:N`, with N counted from 0".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_written_as_they_are_read() {
        for text in ["auto", "cpu", "wgpu", "wgpu:1", "cuda", "cuda:3"] {
            let choice: DeviceChoice = text.parse().expect(text);
            assert_eq!(choice.to_string(), text);
        }
        for text in ["", "gpu", "cpu:1", "cuda:", "cuda:x", "cuda:-1", "wgpu:1:2"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_panic_of_a_probe_is_an_absence() {
        assert_eq!(quietly(|| -> u8 { panic!("no driver") }), None);
        assert_eq!(quietly(|| 1), Some(1));
    }
}
