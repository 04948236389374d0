//! Everything that must hold before a change lands.

mod file_length;
mod imports;
mod licences;
mod metadata;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::bail;
use clap::ValueEnum;

use crate::workspace;

/// A check that can be run alone.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// The code is formatted.
    Fmt,
    /// No source file is over 400 lines.
    FileLength,
    /// Crates import only what the architecture allows, and libraries name no backend.
    Imports,
    /// All dependencies have a licence that may be used.
    Licences,
    /// Clippy finds nothing.
    Clippy,
    /// All public items are documented and all links resolve.
    Doc,
    /// The tests pass, those in the documentation among them.
    Test,
    /// The devices of wgpu give the numbers of the CPU. It needs a Vulkan driver, and runs only where it is named.
    Wgpu,
}

/// Runs the given steps, or all that need nothing but Rust; goes on behind a failed one, and fails if any did.
pub(crate) fn run(steps: &[Step]) -> anyhow::Result<()> {
    let all = Step::value_variants().iter();
    let steps: Vec<Step> = match steps {
        [] => all.copied().filter(|step| *step != Step::Wgpu).collect(),
        named => named.to_vec(),
    };
    let mut outcomes = Vec::new();
    for step in steps {
        println!("== {}", step.name());
        let start = Instant::now();
        let outcome = step.run();
        if let Err(error) = &outcome {
            println!("{error:#}");
        }
        outcomes.push((step.name(), outcome.is_ok(), start.elapsed()));
    }
    print!("{}", summary(&outcomes));
    if outcomes.iter().any(|(_, passed, _)| !passed) {
        bail!("not all checks passed");
    }
    Ok(())
}

fn summary(outcomes: &[(String, bool, Duration)]) -> String {
    let line = |(name, passed, time): &(String, bool, Duration)| {
        let outcome = if *passed { "ok" } else { "FAILED" };
        format!("{name:12} {outcome:7} {:6.1} s\n", time.as_secs_f64())
    };
    outcomes.iter().map(line).collect()
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Fmt => cargo("fmt --all --check", &[]),
            Self::FileLength => file_length::check(),
            Self::Imports => imports::check(&metadata::read()?),
            Self::Licences => licences::check(&metadata::read()?),
            Self::Clippy => cargo(
                "clippy --workspace --all-targets --quiet -- -D warnings",
                &[],
            ),
            Self::Doc => cargo(
                "doc --workspace --no-deps --quiet",
                &[("RUSTDOCFLAGS", "-D warnings")],
            ),
            Self::Test => {
                // Two calls, as the first is what the README names: it builds Burn with the features that `pilot` has.
                cargo("test --release --package xtask", &[])?;
                cargo("test --release", &[])
            }
            Self::Wgpu => cargo(
                "test --release --package pilotlight-tests --features wgpu --test devices",
                &[],
            ),
        }
    }
}

fn cargo(arguments: &str, environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let status = Command::new(env!("CARGO"))
        .current_dir(workspace::root())
        .args(arguments.split(' '))
        .envs(environment.iter().copied())
        .status()?;
    if !status.success() {
        bail!("`cargo {arguments}` failed: {status}");
    }
    Ok(())
}
