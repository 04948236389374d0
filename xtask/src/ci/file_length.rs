//! Source files stay short enough to be read at once.

use std::process::Command;

use anyhow::bail;

use crate::workspace;

const MOST_LINES: usize = 400;

pub(super) fn check() -> anyhow::Result<()> {
    let output = Command::new("git")
        .current_dir(workspace::root())
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.rs",
        ])
        .output()?;
    if !output.status.success() {
        bail!(
            "git ls-files failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let mut problems = Vec::new();
    for name in String::from_utf8(output.stdout)?.lines() {
        // A file that was removed is listed until the removal is committed.
        let path = workspace::root().join(name);
        if !path.exists() {
            continue;
        }
        let n_lines = fs_err::read_to_string(path)?.lines().count();
        if n_lines > MOST_LINES {
            problems.push(format!(
                "{name} has {n_lines} lines; the most is {MOST_LINES}"
            ));
        }
    }
    if !problems.is_empty() {
        bail!(
            "{}\nhint: give each concept a file of its own",
            problems.join("\n")
        );
    }
    Ok(())
}
