//! `pilot compare`: several methods on the same task.

mod dry_run;
mod job;
mod live;

use std::{
    cell::RefCell,
    env,
    ffi::OsString,
    iter,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use clap::Args;
use comfy_table::{Table as Grid, presets};
use pilotlight_compare::{
    ChildProcess, CompareOptions, Comparison, Estimates, PlannedRun, Report, Shard, Standing,
    Survey, claim::LIFETIME, compare, presets::PRESETS,
};
use serde_json::json;

use self::live::Live;
use crate::{
    cluster::{Cluster, Job, shell},
    console::{Console, Output},
    devices::DeviceList,
    experiments::{Machine, RawSettings, layers},
    failure::Failure,
    results,
};

/// The preset that runs without a file and without a download.
const DEFAULT: &str = "default";

/// Compare methods on the same model and data
#[derive(Debug, Args)]
#[command(after_help = "\
Without an argument a small model and a small data set inside this program are used: nothing is downloaded.
Every run has a process and a folder of its own; runs that are finished are not done again. The folder gets \
report.html, report.md, figures/, results.csv, results.json and table.tex; `pilot report` makes them again.
The same command, given several times at once on one folder, shares the runs out: docs/distributed.md.

Examples:
  pilot compare
  pilot compare --list
  pilot compare methods --only lora,dora,ia3
  pilot compare smollm2-sentences --out runs/sentences
  pilot compare comparison.toml --set seeds=[1,2,3]
  pilot compare comparison.toml --emit slurm --workers 8 > job.sh")]
pub(crate) struct RawCompare {
    /// Experiment file with methods, or the name of a preset
    #[arg(value_name = "FILE|PRESET")]
    what: Option<String>,
    /// List the presets
    #[arg(long)]
    list: bool,
    /// Compare these methods of the file alone; separated by commas or given several times
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Folder of the comparison [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// List the runs, how they stand and what they will take, and do none
    #[arg(long)]
    dry_run: bool,
    /// Do runs that failed again; without it they are reported again
    #[arg(long)]
    retry: bool,
    /// Do a part of the runs, such as 2/5 for the second of five, where machines share no folder
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Print a job for a cluster, of workers that run this command on a folder they share, and do no run
    #[arg(long, value_name = "CLUSTER", conflicts_with_all = ["list", "dry_run", "json"])]
    emit: Option<Cluster>,
    /// How many workers the job has
    #[arg(long, value_name = "N", requires = "emit", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    workers: u32,
    /// Seconds for which a run stays that of a worker that is not heard of
    #[arg(long, hide = true, env = "PILOT_CLAIM_SECONDS", default_value_t = LIFETIME.as_secs())]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    claim_seconds: u64,
    #[command(flatten)]
    settings: RawSettings,
    /// Print the report, or the list of the runs, as JSON
    #[arg(long)]
    json: bool,
}

/// What is to be done.
pub(crate) enum Compare {
    /// The presets are listed.
    List { json: bool },
    /// A job that compares methods is printed.
    Emit(Cluster, Job),
    /// Methods are compared.
    Methods(Box<Methods>),
}

/// The methods that are to be compared, and where.
pub(crate) struct Methods {
    comparison: Comparison,
    out: PathBuf,
    dry_run: bool,
    options: CompareOptions,
    json: bool,
}

impl Compare {
    pub(crate) fn new(raw: &RawCompare, device: Option<DeviceList>) -> Result<Self, Failure> {
        if raw.list {
            return Ok(Self::List { json: raw.json });
        }
        let layers = layers(raw.what.as_deref().unwrap_or(DEFAULT))?;
        let layers = raw.settings.on(layers, device.clone());
        let mut comparison = chosen(layers.comparison()?, &raw.only)?;
        comparison.shard = raw.shard;
        let out = raw
            .out
            .clone()
            .unwrap_or_else(|| Path::new("runs").join(&comparison.name));
        if let Some(cluster) = raw.emit {
            let file = layers.file.as_deref();
            let job = raw.job(comparison.name, file, &out, device.as_ref())?;
            return Ok(Self::Emit(cluster, job));
        }
        Ok(Self::Methods(Box::new(Methods {
            comparison,
            out,
            dry_run: raw.dry_run,
            options: CompareOptions {
                retry: raw.retry,
                command: Some(typed(env::args_os())),
                claim_lifetime: Duration::from_secs(raw.claim_seconds),
            },
            json: raw.json,
        })))
    }

    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        match self {
            Self::List { json } => list(json, console),
            Self::Emit(cluster, job) => {
                let mut output = Output::open();
                output.text(&cluster.script(&job)?)?;
                output.flush()
            }
            Self::Methods(methods) => methods.run(console),
        }
    }
}

impl Methods {
    fn run(mut self, console: &Console) -> Result<(), Failure> {
        // Looks for mistakes of all methods before hours go into the first one.
        let survey = Survey::new(&self.comparison, &Machine::new(console))?;
        self.comparison = self.comparison.settled(&survey)?;
        let standing = Standing::read(&self.comparison, &self.out)?;
        let mut estimates = Estimates::new(&survey);
        for (run, result) in standing.finished() {
            estimates.learn(run, result);
        }
        if self.dry_run {
            return dry_run::show(&standing, &estimates, &self.options, self.json, console);
        }
        let report = self.compare(estimates, console)?;
        results::report(&report, self.json, console)?;
        console.note(&format!("written to {}", self.out.display()));
        if let Some(shard) = self.comparison.shard {
            console.note(&format!(
                "this is part {shard}: `pilot report DIR DIR ... --out DIR` puts all parts together"
            ));
        }
        match report.failures.as_slice() {
            [] => Ok(()),
            [first, rest @ ..] => Err(Failure::run(format!(
                "{} of the runs failed, the first of them {}, seed {}:\n{}",
                1 + rest.len(),
                first.method,
                first.seed,
                first.message
            ))
            .hint("mend it and compare again with `--retry`: finished runs are kept")),
        }
    }

    fn compare(&self, estimates: Estimates<'_>, console: &Console) -> Result<Report, Failure> {
        let program = env::current_exe().map_err(|error| {
            Failure::run(format!("cannot find the file of this program: {error}"))
                .hint("start it by its full path")
        })?;
        let command = |run: &PlannedRun| {
            let mut command = Command::new(&program);
            command
                .arg("train")
                .arg(run.folder.join("resolved.toml"))
                .arg("--out")
                .arg(&run.folder)
                .args(["--resume", "--of-comparison"])
                .args(console.arguments())
                .stdout(Stdio::null());
            if console.draws() {
                // Its lines become part of the table.
                command.stderr(Stdio::piped());
            }
            command
        };
        // The run that goes on and the comparison around it speak in turns.
        let live = Live::new(estimates, self.options.claim_lifetime, console);
        let live = RefCell::new(live);
        let mut launcher = ChildProcess {
            command,
            hear: |line: &str| live.borrow_mut().hear(line),
        };
        Ok(compare(
            &self.comparison,
            &self.out,
            self.options.clone(),
            &mut launcher,
            &mut |event| live.borrow_mut().event(event),
        )?)
    }
}

/// The command as it was typed, to be typed again.
fn typed(arguments: impl Iterator<Item = OsString>) -> String {
    // Where this program lies is nobody's business.
    let words = arguments.skip(1).map(|word| shell(&word.to_string_lossy()));
    let words: Vec<String> = iter::once("pilot".into()).chain(words).collect();
    words.join(" ")
}

/// The methods of these names alone; all, if there are none.
fn chosen(mut comparison: Comparison, only: &[String]) -> Result<Comparison, Failure> {
    let known: Vec<&str> = comparison.methods.keys().map(String::as_str).collect();
    let unknown: Vec<&str> = only
        .iter()
        .map(String::as_str)
        .filter(|name| !known.contains(name))
        .collect();
    if !unknown.is_empty() {
        return Err(
            Failure::input(format!("there is no method {}", unknown.join(", ")))
                .hint(format!("there are {}", known.join(", "))),
        );
    }
    if !only.is_empty() {
        comparison.methods.retain(|name, _| only.contains(name));
    }
    Ok(comparison)
}

fn list(json: bool, console: &Console) -> Result<(), Failure> {
    let mut output = Output::open();
    if json {
        let rows: Vec<_> = PRESETS
            .iter()
            .map(|preset| json!({ "name": preset.name, "summary": preset.summary, "needs": preset.needs }))
            .collect();
        output.json(&rows)?;
        return output.flush();
    }
    let mut grid = Grid::new();
    grid.load_style(presets::NOTHING);
    grid.set_header(
        ["preset", "what it compares", "needs"].map(|title| console.output_style().strong(title)),
    );
    for preset in PRESETS {
        let needs = match preset.needs {
            [] => "nothing".to_owned(),
            needs => format!("cargo xtask fetch {}", needs.join(" ")),
        };
        grid.add_row([preset.name.to_owned(), preset.summary.to_owned(), needs]);
    }
    output.line(&grid.trim_fmt())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::typed;

    #[test]
    fn commands_can_be_typed_again() {
        let arguments = [
            "target/pilot",
            "compare",
            "my file.toml",
            "--set",
            "seeds=[1,2]",
            "it's",
        ];
        assert_eq!(
            typed(arguments.map(OsString::from).into_iter()),
            "pilot compare 'my file.toml' --set 'seeds=[1,2]' 'it'\\''s'"
        );
    }
}
