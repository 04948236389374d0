//! The progress of a number of like things.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Pace;
use crate::console::Console;

/// Shows how many of some things are done.
pub(crate) struct Count {
    console: Console,
    bar: ProgressBar,
    pace: Pace,
    what: &'static str,
    n_done: u64,
    n_all: u64,
}

impl Count {
    /// `what` was done with so many things, for example `scored`.
    pub(crate) fn new(what: &'static str, n_all: usize, console: &Console) -> Self {
        let n_all = n_all as u64;
        let target = match console.draws() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(n_all), target);
        if let Ok(style) =
            ProgressStyle::with_template("{msg} {pos} of {len} [{bar:30}] {per_sec} {eta}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what);
        Self {
            console: *console,
            bar,
            pace: Pace::new(),
            what,
            n_done: 0,
            n_all,
        }
    }

    /// So many more are done.
    pub(crate) fn add(&mut self, n: usize) {
        self.n_done += n as u64;
        self.bar.set_position(self.n_done);
        if self.pace.is_late() && !self.console.draws() {
            self.console
                .note(&format!("{} {} of {}", self.what, self.n_done, self.n_all));
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
