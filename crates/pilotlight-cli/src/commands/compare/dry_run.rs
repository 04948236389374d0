//! `pilot compare --dry-run`: which runs there are, how they stand, and what they will take.

use indicatif::BinaryBytes;
use pilotlight_compare::{
    CompareOptions, Ended, Estimate, Estimates, Evidence, PlannedRun, RunKind, Standing,
    claim::holder,
};
use serde::Serialize;

use crate::{
    console::{Console, Output},
    failure::Failure,
    grid::grid,
    progress::clock,
};

/// A run in the list.
#[derive(Debug, Serialize)]
struct Line<'a> {
    method: &'a str,
    title: String,
    kind: RunKind,
    point: &'a pilotlight_compare::AxisValues,
    seed: u64,
    learning_rate: Option<f64>,
    folder: Option<String>,
    state: State,
    /// Who carries it out right now.
    worker: Option<String>,
    /// What it takes, or took.
    seconds: Option<f64>,
    memory_bytes: Option<f64>,
    seconds_from: Option<Evidence>,
    memory_from: Option<Evidence>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Finished,
    Failed,
    /// Another worker carries it out right now.
    Running,
    ToDo,
    /// Until trials have chosen its learning rate, or its members are done.
    Waits,
}

/// Lists the runs on standard output. Runs that failed are to be done where `options` say so.
pub(super) fn show(
    standing: &Standing,
    estimates: &Estimates<'_>,
    options: &CompareOptions,
    json: bool,
    console: &Console,
) -> Result<(), Failure> {
    let ended = standing.plan.runs.iter().zip(&standing.ended);
    let begun = ended.map(|(run, ended)| {
        Ok(match ended {
            Some(Ended::Finished(result)) => Line {
                seconds: Some(result.seconds.total),
                memory_bytes: result.peak_memory_bytes.map(|bytes| bytes as f64),
                ..Line::new(run, State::Finished, None)
            },
            Some(Ended::Failed(_)) if !options.retry => Line::new(run, State::Failed, None),
            _ => match holder(&run.folder, options.claim_lifetime)? {
                Some(worker) => Line {
                    worker: Some(worker),
                    ..Line::new(run, State::Running, estimates.of(run))
                },
                None => Line::new(run, State::ToDo, estimates.of(run)),
            },
        })
    });
    let waiting = standing.plan.waiting.iter();
    let waiting = waiting.map(|run| Ok(Line::new(run, State::Waits, estimates.of(run))));
    let lines: Vec<Line<'_>> = begun.chain(waiting).collect::<Result<_, Failure>>()?;
    let mut output = Output::open();
    match json {
        true => output.json(&lines)?,
        false => {
            output.line(&table(&lines, console))?;
            output.line("")?;
            output.line(&summary(&lines))?;
        }
    }
    output.flush()
}

impl<'a> Line<'a> {
    fn new(run: &'a PlannedRun, state: State, estimate: Option<Estimate>) -> Self {
        let name = run.folder.file_name();
        Self {
            method: &run.method,
            title: run.title(),
            kind: run.kind,
            point: &run.point,
            seed: run.config.seed,
            learning_rate: match (run.kind, state) {
                (RunKind::Baseline, _) | (_, State::Waits) => None,
                _ => Some(run.config.train.learning_rate),
            },
            folder: name.map(|name| name.to_string_lossy().into_owned()),
            state,
            worker: None,
            seconds: estimate.map(|it| it.seconds),
            memory_bytes: estimate.and_then(|it| it.memory_bytes),
            seconds_from: estimate.map(|it| it.seconds_from),
            memory_from: estimate
                .filter(|it| it.memory_bytes.is_some())
                .map(|it| it.memory_from),
        }
    }

    fn is_ahead(&self) -> bool {
        matches!(self.state, State::Running | State::ToDo | State::Waits)
    }
}

fn table(lines: &[Line<'_>], console: &Console) -> String {
    let titles = [
        ("run", false),
        ("seed", true),
        ("state", false),
        ("time", true),
        ("memory", true),
        ("folder", false),
    ];
    let cells = lines.iter().map(|line| {
        let about = if line.is_ahead() { "~" } else { "" };
        let shown = |text: Option<String>| text.map_or("-".into(), |text| format!("{about}{text}"));
        vec![
            line.title.clone(),
            line.seed.to_string(),
            match &line.worker {
                Some(worker) => format!("{} ({worker})", line.state.in_words()),
                None => line.state.in_words().to_owned(),
            },
            shown(line.seconds.map(clock)),
            shown(
                line.memory_bytes
                    .map(|bytes| BinaryBytes(bytes as u64).to_string()),
            ),
            line.folder.clone().unwrap_or_else(|| "-".into()),
        ]
    });
    grid(&titles, cells.collect(), console.output_style())
}

impl State {
    fn in_words(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Running => "running",
            Self::ToDo => "to do",
            Self::Waits => "waits",
        }
    }
}

/// How many runs there are, how long those that are to be done will take, and what says so.
fn summary(lines: &[Line<'_>]) -> String {
    let count = |state: State| lines.iter().filter(|line| line.state == state).count();
    let mut text = format!("{} runs: {} finished", lines.len(), count(State::Finished));
    let n_failed = count(State::Failed);
    if n_failed > 0 {
        text += &format!(", {n_failed} failed (`--retry` does them again)");
    }
    let ahead: Vec<&Line<'_>> = lines.iter().filter(|line| line.is_ahead()).collect();
    text += &format!(", {} to do", ahead.len());
    let n_running = count(State::Running);
    if n_running > 0 {
        text += &format!(" ({n_running} of them by other workers now)");
    }
    if ahead.is_empty() {
        return text;
    }
    let seconds: f64 = ahead.iter().filter_map(|line| line.seconds).sum();
    text += &format!(" in about {}", clock(seconds));
    let peaks = ahead.iter().filter_map(|line| line.memory_bytes);
    if let Some(peak) = peaks.max_by(f64::total_cmp) {
        let peak = BinaryBytes(peak as u64);
        text += &format!(", one after the other, in up to about {peak} of memory");
    }
    let told = |from: fn(&Line<'_>) -> Option<Evidence>| {
        let kinds = [
            (Evidence::SameMethod, "finished runs of the same method"),
            (Evidence::OtherRuns, "finished runs of others"),
            (Evidence::TimedPass, "a forward pass that was timed"),
            (Evidence::Formula, "a formula"),
        ];
        let told = kinds.map(|(kind, words)| {
            let n = ahead.iter().filter(|line| from(line) == Some(kind)).count();
            (n > 0).then(|| format!("{n} by {words}"))
        });
        told.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    text += &format!(".\nTimes are told: {}.", told(|line| line.seconds_from));
    let memory = told(|line| line.memory_from);
    if !memory.is_empty() {
        text += &format!("\nMemory is told: {memory}.");
    }
    text
}
