//! The backends and their devices: the one place in the workspace that names any.
//!
//! A backend is compiled in by the cargo feature of its name. What is missing, a feature or the hardware, is said
//! before a run begins: a driver that is not there must not end in a panic of a worker thread.

#[cfg(feature = "cpu")]
mod cpu;
mod found;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod gpu;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kernels;
mod list;
mod probe;

use std::{fmt, path::Path, str::FromStr, sync::Once};

use serde::Serialize;

pub(crate) use found::Found;
pub(crate) use list::DeviceList;

use crate::{console::Console, failure::Failure};
use found::Open;
use probe::quietly;

/// What drivers have to be told before they are asked. To be called first, before other threads run.
pub(crate) fn settle() {
    #[cfg(all(feature = "wgpu", target_os = "linux"))]
    gpu::without_desktop();
}

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
    pub(crate) fn devices(self) -> impl Iterator<Item = Found> {
        let listed = self.listed().into_iter().enumerate();
        listed.filter_map(move |(index, open)| Found::open(self, index, open))
    }

    /// Its devices, each of which may turn out not to work when it is opened.
    fn listed(self) -> Vec<Open> {
        let listed = quietly(|| match self {
            #[cfg(feature = "cuda")]
            Self::Cuda => gpu::cuda(),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => gpu::wgpu(),
            #[cfg(feature = "cpu")]
            Self::Cpu => vec![cpu::device()],
            #[allow(unreachable_patterns)]
            _ => Vec::new(),
        });
        listed.unwrap_or_default()
    }

    /// Where it keeps what it learns about its kernels, or why nowhere; nothing if it makes none as it goes.
    fn kernels(self) -> Option<Result<&'static Path, &'static str>> {
        match self {
            Self::Cpu => None,
            #[cfg(any(feature = "cuda", feature = "wgpu"))]
            Self::Cuda | Self::Wgpu => Some(kernels::folder()),
            #[allow(unreachable_patterns)]
            _ => None,
        }
    }
}

impl DeviceChoice {
    /// Whether it is of a backend that makes kernels for a GPU as it goes.
    pub(crate) fn makes_kernels(&self) -> bool {
        matches!(
            self,
            Self::Given {
                backend: Backend::Cuda | Backend::Wgpu,
                ..
            }
        )
    }

    /// The device of this choice. `auto` says on `console` which one it took, and the first GPU of a process where it
    /// keeps its kernels.
    pub(crate) fn find(self, console: &Console) -> Result<Found, Failure> {
        static SAID: Once = Once::new();
        let found = match self {
            Self::Given { backend, index } => self.given(backend, index)?,
            Self::Auto => automatic(console)?,
        };
        if let Self::Given { backend, .. } = found.choice
            && let Some(folder) = backend.kernels()
        {
            let name = backend.name();
            SAID.call_once(|| match folder {
                Ok(folder) => {
                    console.note(&format!("kernels for {name} are kept in {}", folder.display()));
                }
                Err(problem) => console.warn(&format!(
                    "kernels for {name} are not kept for later runs: {problem}\nhint: set PILOT_CACHE to a folder"
                )),
            });
        }
        Ok(found)
    }

    fn given(self, backend: Backend, index: usize) -> Result<Found, Failure> {
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
        let listed = backend.listed();
        let n_listed = listed.len();
        if n_listed > 0 && index >= n_listed {
            return Err(Failure::input(format!(
                "device {self}: there are {n_listed} devices of `{name}`, counted from 0"
            ))
            .hint("`pilot devices` lists them"));
        }
        let open = listed.into_iter().nth(index);
        open.and_then(|open| Found::open(backend, index, open))
            .ok_or_else(|| {
                Failure::input(format!("device {self}: no such device works here"))
                    .hint(format!("`{name}` needs {}", backend.needs()))
            })
    }
}

fn automatic(console: &Console) -> Result<Found, Failure> {
    let mut devices = Backend::ALL.into_iter().flat_map(Backend::devices);
    let Some(found) = devices.find(|found| found.is_hardware) else {
        return Err(Failure::input("no device works here")
            .hint("build the program with the feature `cpu`, which runs everywhere"));
    };
    console.note(&format!("device: {} ({})", found.choice, found.name));
    Ok(found)
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
}
