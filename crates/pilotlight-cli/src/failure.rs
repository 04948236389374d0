//! How a command fails: message, hint, exit code.

use std::{fmt, io, process::ExitCode};

use miette::{Diagnostic, Report, ReportHandler};
use pilotlight_compare::CompareError;
use pilotlight_data::DataError;
use pilotlight_train::TrainError;
use pilotlight_transformer::{LoadError, gguf::GgufError};
use pilotlight_tuners::TunerError;

use crate::console::{Console, Style};

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    blame: Blame,
    message: String,
    hint: Option<String>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// The user's: the command line, a file or the machine is not what it should be.
    Input,
    /// The run's: it began and could not be finished.
    Run,
    /// Nobody's: whoever read the output has seen enough.
    Reader,
}

impl Failure {
    /// Wrong usage or input: exit code 2.
    pub(crate) fn input(message: impl fmt::Display) -> Self {
        Self::new(Blame::Input, message)
    }

    /// A failed run: exit code 1.
    pub(crate) fn run(message: impl fmt::Display) -> Self {
        Self::new(Blame::Run, message)
    }

    /// A failed write to standard output. A closed pipe is no failure: `pilot score ... | head` ends quietly.
    pub(crate) fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Blame::Reader, ""),
            _ => Self::run(format!("cannot write to standard output: {error}")),
        }
    }

    fn new(blame: Blame, message: impl fmt::Display) -> Self {
        Self {
            blame,
            message: message.to_string(),
            hint: None,
        }
    }

    /// The failure that an error of a library is. Its message is kept; causes that it does not tell are added, and a
    /// hint where it gives none.
    fn of(blame: Blame, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = inner.source();
        }
        let failure = Self::new(blame, &message);
        match (message.contains("hint: "), blame) {
            (true, _) => failure,
            (false, Blame::Input) => failure.hint("check the path and what stands there"),
            (false, _) => {
                failure.hint("is there room on the disk, and may the folder be written to?")
            }
        }
    }

    /// The message, and the hint or nothing.
    pub(crate) fn into_parts(self) -> (String, String) {
        (self.message, self.hint.unwrap_or_default())
    }

    /// Says where it happened.
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Says what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Prints the failure to standard error and gives the exit code.
    pub(crate) fn report(self, console: &Console) -> ExitCode {
        let code = match self.blame {
            Blame::Reader => return ExitCode::SUCCESS,
            Blame::Run => 1,
            Blame::Input => 2,
        };
        let style = console.error_style();
        // The hook can only be taken if it was set before, and this is the one place that sets it.
        let _ = miette::set_hook(Box::new(move |_| Box::new(Plain { style })));
        console.error(&format!("{:?}", Report::new(self)));
        ExitCode::from(code)
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::of(Blame::Input, &error)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::of(of_load(&error), &error)
    }
}

impl From<TunerError> for Failure {
    fn from(error: TunerError) -> Self {
        Self::of(of_tuner(&error), &error)
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        Self::of(of_train(&error), &error)
    }
}

impl From<CompareError> for Failure {
    fn from(error: CompareError) -> Self {
        Self::of(of_compare(&error), &error)
    }
}

impl From<GgufError> for Failure {
    fn from(error: GgufError) -> Self {
        Self::of(Blame::Input, &error)
    }
}

fn of_compare(error: &CompareError) -> Blame {
    match error {
        CompareError::Model(error) => of_load(error),
        CompareError::Tuner(error) => of_tuner(error),
        CompareError::Train(error) => of_train(error),
        CompareError::Method { source, .. } => of_compare(source),
        _ => Blame::Input,
    }
}

fn of_load(error: &LoadError) -> Blame {
    match error {
        LoadError::Io {
            action: "write", ..
        } => Blame::Run,
        _ => Blame::Input,
    }
}

fn of_tuner(error: &TunerError) -> Blame {
    match error {
        TunerError::Write { .. } => Blame::Run,
        _ => Blame::Input,
    }
}

fn of_train(error: &TrainError) -> Blame {
    match error {
        TrainError::NotFinite { .. } | TrainError::Device(_) | TrainError::Io(_) => Blame::Run,
        TrainError::Tuner(error) => of_tuner(error),
        TrainError::Base(error) => of_load(error),
        _ => Blame::Input,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Diagnostic for Failure {
    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        let hint = self.hint.as_ref()?;
        Some(Box::new(hint))
    }
}

/// Reports as plain lines: `error: ...`, then `hint: ...`. Messages of the libraries bring hints of their own, one to
/// each of several problems; colour only picks them out.
struct Plain {
    style: Style,
}

impl ReportHandler for Plain {
    fn debug(&self, error: &dyn Diagnostic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = |f: &mut fmt::Formatter<'_>, indent: &str, text: &str| {
            write!(f, "{indent}{} {text}", self.style.hint("hint:"))
        };
        write!(f, "{} ", self.style.error("error:"))?;
        for (index, line) in error.to_string().lines().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let indent = &line[..line.len() - line.trim_start().len()];
            match line.trim_start().strip_prefix("hint: ") {
                Some(text) => hint(f, indent, text)?,
                None => f.write_str(line)?,
            }
        }
        if let Some(text) = error.help() {
            writeln!(f)?;
            hint(f, "", &text.to_string())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(style: Style, failure: Failure, expected: &str) {
        struct Shown(Plain, Failure);
        impl fmt::Display for Shown {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.debug(&self.1, f)
            }
        }
        assert_eq!(Shown(Plain { style }, failure).to_string(), expected);
    }

    #[test]
    fn a_report_reads_well_without_color() {
        check(
            Style::plain(),
            Failure::input("a.jsonl:3: no JSON\n  hint: mend it").hint("try again"),
            "error: a.jsonl:3: no JSON\n  hint: mend it\nhint: try again",
        );
    }

    #[test]
    fn color_picks_out_hints_within_a_message() {
        check(
            Style::colored(),
            Failure::input("bad\n  hint: mend it"),
            "\u{1b}[1;31merror:\u{1b}[0m bad\n  \u{1b}[36mhint:\u{1b}[0m mend it",
        );
    }
}
