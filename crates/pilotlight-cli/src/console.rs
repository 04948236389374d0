//! What goes to the terminal, and how.
//!
//! Results go to standard output, everything else to standard error: `pilot score ... > scores.jsonl` holds results
//! only. Writes may fail (a closed pipe), which is why the printing macros, which panic then, are not used.

use std::{
    env,
    io::{self, BufWriter, IsTerminal, Write},
};

use clap::ColorChoice;
use serde::Serialize;

use crate::failure::Failure;

/// How to talk to the user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    quiet: bool,
    color: ColorChoice,
}

impl Console {
    /// A console that says nothing but results and errors if `quiet`.
    pub(crate) fn new(quiet: bool, color: ColorChoice) -> Self {
        Self { quiet, color }
    }

    /// Whether progress can be drawn over itself: standard error is a terminal and not to be kept quiet.
    pub(crate) fn draws(&self) -> bool {
        !self.quiet
            && io::stderr().is_terminal()
            && env::var_os("TERM").is_none_or(|term| term != "dumb")
    }

    /// The same console, saying nothing but results and errors.
    pub(crate) fn silent(&self) -> Self {
        Self {
            quiet: true,
            ..*self
        }
    }

    /// The arguments by which another `pilot` talks in the same way.
    pub(crate) fn arguments(&self) -> Vec<&'static str> {
        let color = match self.color {
            ColorChoice::Auto => "--color=auto",
            ColorChoice::Always => "--color=always",
            ColorChoice::Never => "--color=never",
        };
        let quiet = self.quiet.then_some("--quiet");
        quiet.into_iter().chain([color]).collect()
    }

    /// A line about what goes on.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.error(text);
        }
    }

    /// A line about something that the user should know but that stops nothing.
    pub(crate) fn warn(&self, text: &str) {
        if !self.quiet {
            self.error(&format!(
                "{} {text}",
                self.error_style().warning("warning:")
            ));
        }
    }

    /// A line that is never left out.
    pub(crate) fn error(&self, text: &str) {
        // When even standard error is closed there is nobody left to tell.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// The style of standard error.
    pub(crate) fn error_style(&self) -> Style {
        self.style(io::stderr().is_terminal())
    }

    /// The style of standard output.
    pub(crate) fn output_style(&self) -> Style {
        self.style(io::stdout().is_terminal())
    }

    fn style(&self, is_terminal: bool) -> Style {
        // https://no-color.org: set and not empty.
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self.color {
            ColorChoice::Always => Style::colored(),
            ColorChoice::Never => Style::plain(),
            ColorChoice::Auto if is_terminal && !refused => Style::colored(),
            ColorChoice::Auto => Style::plain(),
        }
    }
}

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    colored: bool,
}

impl Style {
    pub(crate) fn plain() -> Self {
        Self { colored: false }
    }

    pub(crate) fn colored() -> Self {
        Self { colored: true }
    }

    pub(crate) fn error(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(crate) fn warning(self, text: &str) -> String {
        self.paint("1;33", text)
    }

    pub(crate) fn hint(self, text: &str) -> String {
        self.paint("36", text)
    }

    /// A heading.
    pub(crate) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self.colored {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}

/// Standard output, locked and buffered.
pub(crate) struct Output {
    inner: BufWriter<io::StdoutLock<'static>>,
}

impl Output {
    pub(crate) fn open() -> Self {
        Self {
            inner: BufWriter::new(io::stdout().lock()),
        }
    }

    /// Text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.inner
            .write_all(text.as_bytes())
            .map_err(|error| Failure::output(&error))
    }

    /// A line of text.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.text(text)?;
        self.text("\n")
    }

    /// A value as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let line = serde_json::to_string(value).map_err(|error| {
            Failure::run(format!("a result cannot be written as JSON: {error}"))
        })?;
        self.line(&line)
    }

    /// Sends what is buffered on its way.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.inner.flush().map_err(|error| Failure::output(&error))
    }
}
