//! The progress of a download.

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Pace;
use crate::console::Console;

/// Shows how much of a file has arrived.
pub(crate) struct Download {
    console: Console,
    bar: ProgressBar,
    pace: Pace,
    name: String,
    n_bytes: u64,
    n_arrived: u64,
}

impl Download {
    pub(crate) fn new(console: &Console) -> Self {
        Self {
            console: *console,
            bar: ProgressBar::with_draw_target(
                None,
                match console.draws() {
                    true => ProgressDrawTarget::stderr(),
                    false => ProgressDrawTarget::hidden(),
                },
            ),
            pace: Pace::new(),
            name: String::new(),
            n_bytes: 0,
            n_arrived: 0,
        }
    }

    fn line(&self) {
        if !self.console.draws() {
            let (arrived, all) = (HumanBytes(self.n_arrived), HumanBytes(self.n_bytes));
            self.console
                .note(&format!("{}: {arrived} of {all}", self.name));
        }
    }
}

impl hf_hub::api::Progress for Download {
    /// `hf-hub` calls this twice: before it looks for what is there, and before the transfer.
    fn init(&mut self, size: usize, filename: &str) {
        self.n_bytes = size as u64;
        self.n_arrived = 0;
        self.name = filename.to_owned();
        if let Ok(style) = ProgressStyle::with_template(
            "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        ) {
            self.bar.set_style(style.progress_chars("=> "));
        }
        self.bar.set_length(self.n_bytes);
        self.bar.set_message(self.name.clone());
    }

    fn update(&mut self, size: usize) {
        self.n_arrived += size as u64;
        self.bar.set_position(self.n_arrived);
        if self.pace.is_time(self.n_arrived, self.n_bytes) {
            self.line();
        }
    }

    fn finish(&mut self) {
        self.bar.finish();
    }
}
