//! `pilot prompt`: what learned prompts are close to, and arithmetic with them.

mod combine;
mod nearest;

use std::path::Path;

use clap::{Args, Subcommand};
use pilotlight_compare::Base;
use pilotlight_tuners::{SoftPrompt, load_adapter};

use crate::{console::Console, devices::DeviceChoice, failure::Failure};

/// Look at learned prompts, and add them up
#[derive(Debug, Args)]
pub(crate) struct RawPrompt {
    #[command(subcommand)]
    command: RawPromptCommand,
}

#[derive(Debug, Subcommand)]
enum RawPromptCommand {
    Nearest(nearest::RawNearest),
    Average(combine::RawAverage),
    Interpolate(combine::RawInterpolate),
}

/// Does what was asked.
pub(crate) fn run(raw: RawPrompt, device: DeviceChoice, console: &Console) -> Result<(), Failure> {
    match raw.command {
        RawPromptCommand::Nearest(raw) => {
            nearest::Nearest::new(&raw, device, console)?.run(console)
        }
        RawPromptCommand::Average(raw) => combine::average(&raw, device, console),
        RawPromptCommand::Interpolate(raw) => combine::interpolate(&raw, device, console),
    }
}

/// A prompt out of an adapter's folder.
struct SavedPrompt {
    prompt: SoftPrompt,
    /// Whether a classification head stands beside it.
    has_head: bool,
}

impl SavedPrompt {
    fn load(folder: &Path, base: &Base) -> Result<Self, Failure> {
        let device = base.model.word_embeddings().device();
        let saved = load_adapter(folder, base.model.spec(), &device)?;
        let method = saved.config.method();
        let prompt = saved.tuner.as_soft_prompt().ok_or_else(|| {
            Failure::input(format!("{}: `{method}` is no prompt", folder.display()))
                .hint("only the vectors of `soft-prompt` stand among word embeddings")
        })?;
        Ok(Self {
            prompt: prompt.clone(),
            has_head: !saved.head.is_empty(),
        })
    }
}
