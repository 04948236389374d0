//! The CPU as a device.

use std::thread;

use burn::tensor::Device;

use super::found::{Open, Opened};

/// The one device of the CPU's backend.
pub(super) fn device() -> Open {
    Box::new(|| {
        let n_threads = thread::available_parallelism().map_or(1, usize::from);
        Opened {
            device: Device::flex(),
            name: format!("flex, {n_threads} threads"),
            memory_bytes: memory_bytes(),
            is_hardware: true,
        }
    })
}

/// The memory of the machine, where the system says: `MemTotal` of Linux's `/proc/meminfo`.
fn memory_bytes() -> Option<u64> {
    total(&fs_err::read_to_string("/proc/meminfo").ok()?)
}

fn total(meminfo: &str) -> Option<u64> {
    let mut lines = meminfo.lines();
    let size = lines.find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = size.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let meminfo = "MemTotal:       24689764 kB\nMemFree:         1000 kB\n";
        assert_eq!(total(meminfo), Some(24_689_764 * 1024));
        for damaged in ["", "MemFree: 1 kB", "MemTotal: many kB", "MemTotal: 1"] {
            assert_eq!(total(damaged), None, "{damaged}");
        }
    }
}
