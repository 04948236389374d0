//! `pilot train`: one run.

use std::path::PathBuf;

use clap::Args;
use pilotlight_compare::{
    Experiment, RunOptions, RunResult,
    numbers::{bytes, scaled},
    peaks, run,
};
use pilotlight_tuners::adapter_files::is_for_peft;

use crate::{
    child::end_with_parent,
    console::{Console, Output},
    devices::DeviceList,
    experiments::{Machine, RawExperiment, alone},
    failure::Failure,
    progress::RunProgress,
    results,
};

/// Train what an experiment file describes
#[derive(Debug, Args)]
#[command(after_help = "\
The run folder gets resolved.toml (all settings), metrics.jsonl (a line per step and evaluation), checkpoints/, \
adapter/ (what was trained) and result.json. A run that was stopped, be it by Ctrl-C, goes on by --resume.
Settings, weakest first: the file (and the preset that it names), PILOT_SECTION__KEY variables, --set.

Examples:
  pilot train experiment.toml --out runs/first
  pilot train experiment.toml --out runs/second --set train.learning_rate=0.01 --set seed=2
  pilot train experiment.toml --out runs/first --resume")]
pub(crate) struct RawTrain {
    #[command(flatten)]
    experiment: RawExperiment,
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Go on with the run in the folder
    #[arg(long)]
    resume: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// The run is one of a comparison, which has told everything already and reads the result itself
    #[arg(long, hide = true)]
    of_comparison: bool,
}

/// What is to be trained, and where.
pub(crate) struct Train {
    experiment: Experiment,
    out: PathBuf,
    resume: bool,
    json: bool,
    of_comparison: bool,
}

impl Train {
    pub(crate) fn new(raw: RawTrain, device: Option<DeviceList>) -> Result<Self, Failure> {
        let experiment = match raw.of_comparison {
            true => alone(raw.experiment.file().to_owned()).experiment(None)?,
            false => raw.experiment.read(device)?,
        };
        Ok(Self {
            experiment,
            out: raw.out,
            resume: raw.resume,
            json: raw.json,
            of_comparison: raw.of_comparison,
        })
    }

    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        if self.of_comparison {
            end_with_parent();
        }
        let of_machine = match self.of_comparison {
            true => console.silent(),
            false => *console,
        };
        let machine = Machine::new(&of_machine);
        let peaks = peaks::file_beside(&self.out).filter(|_| self.of_comparison);
        let options = RunOptions {
            resolver: &machine,
            origins: &self.experiment.origins,
            resume: self.resume,
            untuned: false,
            keep_checkpoints: !self.of_comparison,
            peaks: peaks.as_deref(),
        };
        let mut progress = RunProgress::new(console, &machine);
        let result = run(&self.experiment.config, &self.out, &options, &mut progress);
        drop(progress);
        let result = result?;
        if self.of_comparison {
            return Ok(());
        }
        let mut output = Output::open();
        match self.json {
            true => output.json(&result)?,
            false => output.text(&self.summary(&result))?,
        }
        output.flush()
    }

    fn summary(&self, result: &RunResult) -> String {
        let parameters = &result.parameters;
        let mut lines = vec![format!(
            "trained {} of {} parameters ({:.4} %) in {} steps; kept those of step {}",
            parameters.trained,
            parameters.total,
            parameters.percent,
            result.steps,
            result.best_step
        )];
        for (name, loss) in [
            ("training loss of the last step", result.loss.train),
            ("lowest validation loss", result.loss.validation),
        ] {
            lines.extend(loss.map(|loss| format!("{name}: {loss:.4}")));
        }
        lines.extend(result.operations.map(|operations| {
            let share = operations.peak_share();
            let share = share.map(|share| {
                format!(
                    ", steps at {:.0} % of the fastest matrix product",
                    100.0 * share
                )
            });
            let per_token = scaled(operations.per_token);
            format!(
                "{per_token} operations a token{}",
                share.unwrap_or_default()
            )
        }));
        lines.extend(result.request.map(|request| {
            let ratio = request.latency.map(|it| {
                format!(
                    "a request takes {:.2} times as long as with the base alone, ",
                    it.ratio
                )
            });
            let held = request.extra_kv_bytes.unwrap_or(0);
            let held = format!("holds {} more of keys and values", bytes(held));
            match ratio {
                Some(ratio) => format!("{ratio}and {held}"),
                None => format!("a request {held}"),
            }
        }));
        for (name, test) in [
            ("test", &result.test),
            ("whole test set", &result.whole_test),
        ] {
            lines.extend(
                test.as_ref()
                    .map(|test| format!("{name}: {}", results::test(test))),
            );
        }
        lines.extend(result.forgetting.as_ref().map(results::forgetting));
        lines.extend(
            result
                .majority_accuracy
                .map(|accuracy| format!("always the most frequent class: {accuracy:.3}")),
        );
        if result.truncated.examples > 0 {
            lines.push(format!(
                "{} examples were shortened, by {} tokens",
                result.truncated.examples, result.truncated.tokens
            ));
        }
        lines.push(format!("saved in {}", self.out.display()));
        let tuner = &self.experiment.config.tuner;
        if !tuner.is_untuned() && !is_for_peft(&self.out.join("adapter")) {
            lines.push(format!(
                "PEFT cannot read this adapter: it has no `{tuner}` with these keys"
            ));
        }
        lines.join("\n") + "\n"
    }
}
