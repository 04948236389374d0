//! How a comparison goes on: a table that is drawn over itself on a terminal, else a line for every run.

use std::time::Duration;

use indexmap::IndexMap;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pilotlight_compare::{
    CompareEvent, Estimates, Outcome, Plan, PlannedRun, RunResult, claim::holder,
};

use crate::{console::Console, progress::clock, results};

/// Shows how a comparison goes on.
pub(super) struct Live<'a> {
    console: Console,
    estimates: Estimates<'a>,
    /// How long the claim of another worker holds.
    claim_lifetime: Duration,
    plan: Plan,
    /// Folders of the runs that have ended.
    ended: Vec<std::path::PathBuf>,
    rows: IndexMap<String, Row>,
    bars: MultiProgress,
    footer: ProgressBar,
    /// The run that goes on.
    current: String,
    /// How long it and those behind it will take, in brackets.
    left: String,
}

/// A method or a baseline.
struct Row {
    tally: Tally,
    bar: ProgressBar,
}

/// What its runs have come to.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    n_done: usize,
    n_failed: usize,
    n_all: usize,
    best: Option<Reached>,
}

/// What a run reached on the test examples.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reached {
    Accuracy(f64),
    Loss(f64),
}

impl<'a> Live<'a> {
    pub(super) fn new(
        estimates: Estimates<'a>,
        claim_lifetime: Duration,
        console: &Console,
    ) -> Self {
        let target = match console.draws() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bars = MultiProgress::with_draw_target(target);
        let footer = bars.add(ProgressBar::no_length());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            footer.set_style(style);
        }
        Self {
            console: *console,
            estimates,
            claim_lifetime,
            plan: Plan::default(),
            ended: Vec::new(),
            rows: IndexMap::new(),
            bars,
            footer,
            current: String::new(),
            left: String::new(),
        }
    }

    /// A line that the process of a run has written.
    pub(super) fn hear(&mut self, line: &str) {
        match line.starts_with("warning:") {
            true => self.line(&format!("{}: {line}", self.current)),
            false => {
                let Self { current, left, .. } = self;
                self.footer.set_message(format!("{current}{left}: {line}"));
            }
        }
        self.footer.tick();
    }

    pub(super) fn event(&mut self, event: &CompareEvent<'_>) {
        match event {
            CompareEvent::Plan(plan) => self.replan(plan),
            CompareEvent::Run {
                run,
                number,
                n_runs,
                before,
            } => self.begin(run, *number, *n_runs, *before),
            CompareEvent::Done { run, result } => self.done(run, result),
            CompareEvent::Failed { run, message } => self.failed(run, message),
            CompareEvent::Lost { .. } => self.bars.suspend(|| {
                self.console.warn(&format!(
                    "{} was taken over by another worker, which had not heard of this one for too long",
                    self.current
                ));
            }),
            CompareEvent::Wait { n_runs } => self.wait(*n_runs),
            _ => {}
        }
    }

    fn replan(&mut self, plan: &Plan) {
        self.plan = plan.clone();
        for row in self.rows.values_mut() {
            row.tally.n_all = 0;
        }
        for run in plan.runs.iter().chain(&plan.waiting) {
            let (bars, footer) = (&self.bars, &self.footer);
            let row = self.rows.entry(run.label.clone()).or_insert_with(|| Row {
                tally: Tally::default(),
                bar: bars.insert_before(footer, ProgressBar::no_length()),
            });
            row.tally.n_all += 1;
        }
        let width = self.rows.keys().map(|label| label.chars().count()).max();
        let template = format!("{{prefix:{}}} [{{bar:20}}] {{msg}}", width.unwrap_or(0));
        for (label, row) in &self.rows {
            if let Ok(style) = ProgressStyle::with_template(&template) {
                row.bar.set_style(style.progress_chars("=> "));
            }
            row.bar.set_prefix(label.clone());
            row.draw();
        }
    }

    fn begin(&mut self, run: &PlannedRun, number: usize, n_runs: usize, before: Option<Outcome>) {
        let title = format!("{}, seed {}", run.title(), run.config.seed);
        self.current = format!("[{number}/{n_runs}] {title}");
        self.left = match before {
            Some(Outcome::Finished(_)) => " (done before)".to_owned(),
            Some(Outcome::Failed) => " (failed before)".to_owned(),
            None => self.left(run),
        };
        let left = &self.left;
        match self.console.draws() {
            true => self.footer.set_message(format!("{}{left}", self.current)),
            false => {
                let strong = self.console.error_style().strong(&self.current);
                self.console.note(&format!("{strong}{left}"));
            }
        }
    }

    fn wait(&mut self, n_runs: usize) {
        let state = format!("waiting for {n_runs} of the runs, which other workers carry out");
        match self.console.draws() {
            true => self.footer.set_message(state),
            false => self.console.note(&state),
        }
    }

    fn done(&mut self, run: &PlannedRun, result: &RunResult) {
        self.ended.push(run.folder.clone());
        self.estimates.learn(run, result);
        let reached = result.test.map(|test| match test.accuracy {
            Some(accuracy) => Reached::Accuracy(accuracy.value),
            None => Reached::Loss(test.loss),
        });
        if let Some(row) = self.rows.get_mut(&run.label) {
            row.tally.add(reached);
            row.draw();
        }
        if let Some(test) = &result.test
            && !self.console.draws()
        {
            self.console.note(&format!("test: {}", results::test(test)));
        }
    }

    fn failed(&mut self, run: &PlannedRun, message: &str) {
        self.ended.push(run.folder.clone());
        if let Some(row) = self.rows.get_mut(&run.label) {
            row.tally.n_failed += 1;
            row.draw();
        }
        self.bars.suspend(|| {
            self.console
                .warn(&format!("{} failed: {message}", self.current))
        });
    }

    /// How long this run and those behind it will take, shared by the workers that carry out some of them now.
    fn left(&self, current: &PlannedRun) -> String {
        let open = self.plan.runs.iter();
        let open: Vec<&PlannedRun> = open
            .filter(|run| !self.ended.contains(&run.folder))
            .collect();
        let others = open.iter().filter(|run| run.folder != current.folder);
        // Nothing depends on it: a folder that cannot be read is nobody's.
        let is_held = |run: &&&PlannedRun| {
            let holder = holder(&run.folder, self.claim_lifetime);
            holder.is_ok_and(|holder| holder.is_some())
        };
        let n_workers = 1 + others.filter(is_held).count();
        let all = open.into_iter().chain(&self.plan.waiting);
        let seconds = all.filter_map(|run| Some(self.estimates.of(run)?.seconds));
        in_brackets(&seconds.collect::<Vec<_>>(), n_workers)
    }

    /// A line that stays, above the table where there is one.
    fn line(&self, text: &str) {
        self.bars.suspend(|| self.console.note(text));
    }
}

/// How long runs of these seconds will take.
fn in_brackets(seconds: &[f64], n_workers: usize) -> String {
    let Some(longest) = seconds.iter().copied().reduce(f64::max) else {
        return String::new();
    };
    let shared = seconds.iter().sum::<f64>() / n_workers as f64;
    let left = clock(shared.max(longest));
    match n_workers {
        1 => format!(" (about {left} left)"),
        n_workers => format!(" (about {left} left with {n_workers} workers)"),
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        // The report shows the same, and more.
        for row in self.rows.values() {
            row.bar.finish_and_clear();
        }
        self.footer.finish_and_clear();
    }
}

impl Row {
    fn draw(&self) {
        self.bar.set_length(self.tally.n_all as u64);
        let n_ended = self.tally.n_done + self.tally.n_failed;
        self.bar.set_position(n_ended as u64);
        self.bar.set_message(self.tally.in_words());
    }
}

impl Tally {
    fn add(&mut self, reached: Option<Reached>) {
        self.n_done += 1;
        self.best = match (self.best, reached) {
            (Some(best), Some(found)) => Some(best.or_better(found)),
            (best, found) => best.or(found),
        };
    }

    fn in_words(&self) -> String {
        let mut words = format!("{}/{}", self.n_done, self.n_all);
        match self.best {
            Some(Reached::Accuracy(accuracy)) => words += &format!("  best {accuracy:.3}"),
            Some(Reached::Loss(loss)) => words += &format!("  lowest loss {loss:.4}"),
            None => {}
        }
        match self.n_failed {
            0 => words,
            n_failed => format!("{words}  {n_failed} failed"),
        }
    }
}

impl Reached {
    fn or_better(self, other: Self) -> Self {
        let is_better = match (self, other) {
            (Self::Accuracy(best), Self::Accuracy(found)) => found > best,
            (Self::Loss(best), Self::Loss(found)) => found < best,
            _ => false,
        };
        if is_better { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_the_time_that_is_left() {
        assert_eq!(in_brackets(&[], 1), "");
        assert_eq!(in_brackets(&[60.0, 30.0, 30.0], 1), " (about 2:00 left)");
        let shared = in_brackets(&[60.0, 90.0, 90.0], 2);
        assert_eq!(shared, " (about 2:00 left with 2 workers)");
        // The last run is one worker's.
        let last = in_brackets(&[60.0], 2);
        assert_eq!(last, " (about 1:00 left with 2 workers)");
    }

    #[test]
    fn the_best_run_is_told() {
        let mut tally = Tally {
            n_all: 4,
            ..Tally::default()
        };
        assert_eq!(tally.in_words(), "0/4");
        tally.add(None);
        for accuracy in [0.7, 0.812, 0.5] {
            tally.add(Some(Reached::Accuracy(accuracy)));
        }
        assert_eq!(tally.in_words(), "4/4  best 0.812");
        let mut of_texts = Tally {
            n_failed: 1,
            n_all: 3,
            ..Tally::default()
        };
        of_texts.add(Some(Reached::Loss(2.5)));
        of_texts.add(Some(Reached::Loss(2.25)));
        assert_eq!(of_texts.in_words(), "2/3  lowest loss 2.2500  1 failed");
    }
}
