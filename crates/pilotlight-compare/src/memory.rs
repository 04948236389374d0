//! How much memory a stretch of work needed.
//!
//! Linux remembers the largest resident set of a process and forgets it on request (`Documentation/filesystems/proc.rst`
//! of the kernel: `VmHWM`, `clear_refs`). Other systems offer no such reset.

/// Forgets the largest resident set so far; whether that could be done.
pub fn reset_peak() -> bool {
    // 5 resets VmHWM to the present size.
    cfg!(target_os = "linux") && std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The largest resident set of this process since [`reset_peak`], in bytes.
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    of_status(&status)
}

fn of_status(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_in_bytes() {
        let status = "Name:\tpilot\nVmPeak:\t  20 kB\nVmHWM:\t  1234 kB\nVmRSS:\t 5 kB\n";
        assert_eq!(of_status(status), Some(1234 * 1024));
        assert_eq!(of_status("Name:\tpilot\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_shows_what_was_used_and_is_forgotten() {
        const BYTES: usize = 256 << 20;
        let fill = std::hint::black_box(vec![1_u8; BYTES]);
        let with = peak_bytes().expect("Linux tells");
        assert!(with >= BYTES as u64);
        drop(fill);
        if reset_peak() {
            assert!(peak_bytes().expect("Linux tells") < with);
        }
    }
}
