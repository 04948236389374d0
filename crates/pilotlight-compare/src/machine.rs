//! The machine that a run is done on.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// The machine that a run was done on, as far as the system tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Where tensors lived.
    pub device: String,
    /// Model of the processor.
    pub processor: Option<String>,
    /// Threads that run at the same time.
    pub n_threads: usize,
    /// Operating system and architecture.
    pub system: String,
}

impl Machine {
    /// This one, with tensors on `device`.
    pub(crate) fn with(device: &Device) -> Self {
        let name = format!("{device:?}");
        let plain = name
            .strip_prefix("Device<")
            .and_then(|name| name.strip_suffix('>'));
        Self {
            device: plain.unwrap_or(&name).to_owned(),
            processor: processor(),
            n_threads: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

/// The name of this host in its network, where the system tells.
pub(crate) fn host() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// What Linux calls the first processor.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
