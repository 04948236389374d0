//! What the end-to-end tests share.

#![allow(dead_code, reason = "every test file uses some of it")]

pub(crate) mod experiment;
pub(crate) mod hub;
pub(crate) mod model;

use std::{
    path::Path,
    process::{Command, Output},
};

/// The program, in a folder of its own and an environment without settings.
pub(crate) fn pilot(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pilot"));
    command
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("HF_HUB_OFFLINE", "1");
    command
}

/// What a program that ended has said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// Runs the program to its end.
pub(crate) fn run(command: &mut Command) -> Said {
    command.output().expect("the program starts").into()
}

impl Said {
    /// Standard output of a program that did what was asked.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// The message of a program that did not, which must hold all of `parts`.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, parts: &[&str]) -> String {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        assert!(self.stderr.contains("error:"), "{}", self.stderr);
        assert!(
            self.stderr.contains("hint:"),
            "no remedy in: {}",
            self.stderr
        );
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "`{part}` is not in: {}",
                self.stderr
            );
        }
        self.stderr
    }

    /// Standard output as JSON, one value a line.
    #[track_caller]
    pub(crate) fn json_lines(self) -> Vec<serde_json::Value> {
        let text = self.done();
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        text.lines().map(parse).collect()
    }
}
