//! The process in which a step is measured, so that its memory and its start are its own.
//!
//! It reads what to do as a line of JSON from standard input, which stays open as long as anybody waits, and writes the
//! result as the last line of its output.

use std::{
    env,
    io::{self, BufRead, Write},
    path::PathBuf,
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use pilotlight_compare::{
    Precision,
    bench::{BenchModel, Measured, Settings, Step, THOROUGH, matmul_rate},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::plan::Place;
use crate::{
    child::end_with_parent,
    console::{Console, Output},
    devices::DeviceChoice,
    experiments::Machine,
    failure::Failure,
};

/// What a child is asked to measure.
#[derive(Serialize, Deserialize)]
enum Job {
    Step {
        settings: Box<Settings>,
        n_warm_up: usize,
        n_steps: usize,
        /// Seconds of the clock when the child was started.
        started: f64,
    },
    Peak {
        device: String,
        dtype: Precision,
    },
}

/// The longest reason of a failure.
const MOST_CHARACTERS: usize = 2000;

/// Starts children, one after the other.
pub(super) struct Children<'a> {
    program: PathBuf,
    console: &'a Console,
}

impl<'a> Children<'a> {
    pub(super) fn new(console: &'a Console) -> Result<Self, Failure> {
        let program = env::current_exe().map_err(|error| {
            Failure::run(format!("cannot find the file of this program: {error}"))
                .hint("start it by its full path")
        })?;
        Ok(Self { program, console })
    }

    /// What the steps of these settings cost, or why they could not be done.
    pub(super) fn step(
        &self,
        settings: &Settings,
        n_warm_up: usize,
        n_steps: usize,
    ) -> Result<Measured, String> {
        self.run(&Job::Step {
            settings: Box::new(settings.clone()),
            n_warm_up,
            n_steps,
            started: now(),
        })
    }

    /// The operations per second of the fastest matrix product.
    pub(super) fn peak(&self, place: &Place) -> Result<f64, String> {
        self.run(&Job::Peak {
            device: place.choice.to_string(),
            dtype: place.dtype,
        })
    }

    fn run<T: DeserializeOwned>(&self, job: &Job) -> Result<T, String> {
        let job = serde_json::to_string(job).map_err(|error| error.to_string())?;
        let program = self.program.display();
        let mut child = Command::new(&self.program)
            .args(["bench", "--child"])
            .args(self.console.arguments())
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{program} cannot be started: {error}"))?;
        // It ends when this is dropped.
        let mut input = child.stdin.take();
        if let Some(input) = &mut input {
            // A child that is gone already says why itself.
            let _ = writeln!(input, "{job}").and_then(|()| input.flush());
        }
        let output = child
            .wait_with_output()
            .map_err(|error| format!("{program} cannot be waited for: {error}"))?;
        drop(input);
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().trim_start_matches("error: ");
        if !output.status.success() {
            let said: String = said.chars().take(MOST_CHARACTERS).collect();
            return Err(match (said.is_empty(), output.status.code()) {
                (false, _) => said,
                (true, Some(code)) => format!("its process ended with exit code {code}"),
                (true, None) => format!(
                    "its process was ended by the system ({}), as it is when memory runs out",
                    output.status
                ),
            });
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().next_back().unwrap_or_default();
        serde_json::from_str(last).map_err(|error| format!("its process gave no result: {error}"))
    }
}

/// Measures what the process that started this one asks for.
pub(super) fn serve(console: &Console) -> Result<(), Failure> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::input(format!("cannot read standard input: {error}")))?;
    let job: Job = serde_json::from_str(&line)
        .map_err(|error| Failure::input(format!("this is for `pilot bench` alone: {error}")))?;
    end_with_parent();
    let console = console.silent();
    let mut output = Output::open();
    match job {
        Job::Step {
            settings,
            n_warm_up,
            n_steps,
            started,
        } => {
            let device = open(&settings.device, &console)?;
            let model = BenchModel::find(&settings.model, &Machine::new(&console))?;
            let step = Step::load(&settings, &model, &device)?;
            // The clock may have been set back.
            let start_up = (now() - started).max(f64::EPSILON);
            output.json(&step.measure(n_warm_up, n_steps, start_up)?)?;
        }
        Job::Peak { device, dtype } => {
            let device = open(&device, &console)?;
            output.json(&matmul_rate(&device, dtype.dtype(), THOROUGH)?)?;
        }
    }
    output.flush()
}

fn open(device: &str, console: &Console) -> Result<burn::tensor::Device, Failure> {
    let choice: DeviceChoice = device.parse().map_err(Failure::input)?;
    Ok(choice.find(console)?.device)
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}
