//! The progress of a run: its stages, its steps, its evaluations.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pilotlight_compare::{RunObserver, Stage};
use pilotlight_train::{Event, Observer};

use super::Pace;
use crate::{console::Console, devices::DeviceChoice, experiments::Machine};

/// Shows how a run goes on: a bar with loss, examples a second and the time that is left; without a terminal a line
/// now and then.
pub(crate) struct RunProgress<'a> {
    console: Console,
    machine: &'a Machine<'a>,
    bar: ProgressBar,
    pace: Pace,
    stage: Stage,
    n_steps: usize,
    /// When the steps that were done since began, and how many and of how many examples they are.
    since: Instant,
    n_done: usize,
    n_examples: usize,
}

impl<'a> RunProgress<'a> {
    pub(crate) fn new(console: &Console, machine: &'a Machine<'a>) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if console.draws() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        Self {
            console: *console,
            machine,
            bar,
            pace: Pace::new(),
            stage: Stage::Load,
            n_steps: 0,
            since: Instant::now(),
            n_done: 0,
            n_examples: 0,
        }
    }

    /// A line that stays, above the bar where there is one.
    fn line(&self, text: &str) {
        self.bar.suspend(|| self.console.note(text));
    }

    fn draw(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("=> "));
        }
    }

    fn step(&mut self, step: usize, loss: f64, n_examples: usize) {
        self.n_done += 1;
        self.n_examples += n_examples;
        let seconds = self.since.elapsed().as_secs_f64();
        let rate = self.n_examples as f64 / seconds.max(1e-9);
        let left = seconds / self.n_done as f64 * self.n_steps.saturating_sub(step) as f64;
        let text = format!("loss {loss:.4}, {rate:.1} examples/s, {} left", clock(left));
        self.bar.set_position(step as u64);
        self.bar.set_message(text.clone());
        let is_time = self.pace.is_time(step as u64, self.n_steps as u64);
        if is_time && !self.console.draws() {
            self.console
                .note(&format!("step {step} of {}: {text}", self.n_steps));
        }
    }

    fn evaluating(&mut self, done: usize, n_examples: usize) {
        match self.stage {
            // Its bar shows the steps.
            Stage::Train => self
                .bar
                .set_message(format!("validating {done} of {n_examples}")),
            _ => {
                self.bar.set_length(n_examples as u64);
                self.bar.set_position(done as u64);
            }
        }
        if self.pace.is_late() && !self.console.draws() {
            self.console
                .note(&format!("evaluated {done} of {n_examples}"));
        }
    }
}

impl Observer for RunProgress<'_> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Start {
                n_steps,
                n_examples,
                n_trained,
            } => {
                self.n_steps = *n_steps;
                self.since = Instant::now();
                self.bar.set_length(*n_steps as u64);
                self.line(&format!(
                    "training {n_trained} parameters on {n_examples} examples in {n_steps} steps"
                ));
                let device = self.machine.opened();
                if let Some(device) = device.filter(DeviceChoice::makes_kernels) {
                    // It may take minutes, in which nothing else moves.
                    self.line(&format!("preparing kernels for {device} (first step)"));
                }
            }
            Event::Resume { step } => self.line(&format!("going on behind step {step}")),
            Event::Step {
                step,
                loss,
                n_examples,
                ..
            } => self.step(*step, *loss, *n_examples),
            Event::Evaluating { done, n_examples } => self.evaluating(*done, *n_examples),
            Event::Evaluation {
                step,
                loss,
                accuracy,
                is_best,
            } => {
                let accuracy = accuracy.map_or(String::new(), |accuracy| {
                    format!(", accuracy {accuracy:.3}")
                });
                let best = if *is_best { " (best)" } else { "" };
                self.line(&format!(
                    "validation at step {step}: loss {loss:.4}{accuracy}{best}"
                ));
            }
            Event::EarlyStop { step, best_step } => self.line(&format!(
                "stopped at step {step}: the validation loss was lowest at step {best_step}"
            )),
            Event::NoGradient { names } => {
                let text = format!(
                    "{} trainable parameters get no gradient and learn nothing: {}",
                    names.len(),
                    listed(names)
                );
                self.bar.suspend(|| self.console.warn(&text));
            }
            Event::Warning(text) => self.bar.suspend(|| self.console.warn(text)),
            // Checkpoints come often and need nobody's attention.
            _ => {}
        }
    }
}

impl RunObserver for RunProgress<'_> {
    fn stage(&mut self, stage: Stage) {
        self.stage = stage;
        let name = match stage {
            Stage::Load => "loading",
            Stage::Prepare => "preparing",
            Stage::Untuned => "testing the untuned model",
            Stage::Train => "training",
            Stage::Test => "testing",
            Stage::Generate => "generating",
            Stage::General => "reading general text",
            Stage::Save => "saving",
            Stage::Costs => "timing requests",
        };
        self.bar.reset();
        self.bar.set_message("");
        self.bar.set_prefix(name);
        match stage {
            Stage::Load | Stage::Prepare | Stage::Save | Stage::Costs => self.draw("{prefix}"),
            Stage::Untuned | Stage::Test | Stage::Generate | Stage::General => {
                self.draw("{prefix} [{bar:24}] {pos} of {len}");
            }
            Stage::Train => self.draw("{prefix} [{bar:24}] {pos} of {len}  {msg}"),
        }
        self.bar.tick();
    }
}

impl Drop for RunProgress<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The first of many names.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Seconds as minutes and seconds, or with hours in front.
pub(crate) fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_cut_short() {
        let names: Vec<String> = (1..=10).map(|number| number.to_string()).collect();
        assert_eq!(listed(&names), "1, 2, 3, 4, 5, 6, 7, 8 and 2 more");
        assert_eq!(listed(&names[..2]), "1, 2");
    }

    #[test]
    fn times_read_like_a_clock() {
        assert_eq!(clock(0.4), "0:00");
        assert_eq!(clock(65.0), "1:05");
        assert_eq!(clock(3723.0), "1:02:03");
    }
}
