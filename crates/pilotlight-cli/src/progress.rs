//! Bars and lines while something goes on: bars that are drawn over themselves on a terminal, else a plain line now
//! and then.

mod count;
mod download;
mod run;

use std::time::{Duration, Instant};

pub(crate) use count::Count;
pub(crate) use download::Download;
pub(crate) use run::{RunProgress, clock};

/// When a plain line is due: at every tenth of the way, or after ten seconds.
#[derive(Debug)]
struct Pace {
    last: Instant,
    tenths: u64,
}

impl Pace {
    const INTERVAL: Duration = Duration::from_secs(10);

    fn new() -> Self {
        Self {
            last: Instant::now(),
            tenths: 0,
        }
    }

    /// Whether a line is due by the clock alone.
    fn is_late(&mut self) -> bool {
        let is_late = self.last.elapsed() >= Self::INTERVAL;
        if is_late {
            self.last = Instant::now();
        }
        is_late
    }

    /// Whether a line is due at `done` of `all`.
    fn is_time(&mut self, done: u64, all: u64) -> bool {
        let tenths = (done * 10).checked_div(all).unwrap_or(0);
        if tenths <= self.tenths && self.last.elapsed() < Self::INTERVAL {
            return false;
        }
        self.tenths = tenths;
        self.last = Instant::now();
        true
    }
}
