//! Licences of all dependencies, against those that may be used.

use anyhow::bail;

use crate::ci::metadata::Metadata;

/// Licences that allow use in a program of any licence. The MPL binds only changes to the files under it.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "NCSA",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "bzip2-1.0.6",
];

/// Packages whose manifest names no licence, and the one that their own file holds.
const BY_FILE: &[(&str, &str)] = &[("cfg_block", "Apache-2.0")];

pub(super) fn check(metadata: &Metadata) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    for package in metadata.dependencies() {
        let by_file = BY_FILE
            .iter()
            .find(|(name, _)| *name == package.name)
            .map(|(_, licence)| *licence);
        match package.license.as_deref().or(by_file) {
            Some(expression) if is_allowed(expression) => {}
            licence => problems.push(format!(
                "{} {}: {}",
                package.name,
                package.version,
                licence.unwrap_or("names no licence"),
            )),
        }
    }
    if !problems.is_empty() {
        bail!(
            "these licences are not on the list of those allowed:\n{}",
            problems.join("\n")
        );
    }
    Ok(())
}

/// Whether an SPDX expression can be met by allowed licences alone: all parts of an `AND`, one of an `OR`.
fn is_allowed(expression: &str) -> bool {
    // Old manifests write `/` for `OR`.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut tokens = spaced.split_whitespace().peekable();
    let allowed = any_of(&mut tokens);
    allowed && tokens.next().is_none()
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(tokens: &mut Tokens<'_>) -> bool {
    let mut allowed = all_of(tokens);
    while tokens.next_if_eq(&"OR").is_some() {
        allowed |= all_of(tokens);
    }
    allowed
}

fn all_of(tokens: &mut Tokens<'_>) -> bool {
    let mut allowed = one(tokens);
    while tokens.next_if_eq(&"AND").is_some() {
        allowed &= one(tokens);
    }
    allowed
}

fn one(tokens: &mut Tokens<'_>) -> bool {
    if tokens.next_if_eq(&"(").is_some() {
        let allowed = any_of(tokens);
        return tokens.next() == Some(")") && allowed;
    }
    let mut licence = tokens.next().unwrap_or_default().to_owned();
    if tokens.next_if_eq(&"WITH").is_some() {
        licence = format!("{licence} WITH {}", tokens.next().unwrap_or_default());
    }
    ALLOWED.contains(&licence.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_expressions() {
        for expression in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        ] {
            assert!(is_allowed(expression), "{expression}");
        }
        for expression in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR Apache-2.0) AND GPL-3.0",
            "GPL-3.0 WITH Classpath-exception-2.0",
            "(MIT",
            "MIT Apache-2.0",
            "",
        ] {
            assert!(!is_allowed(expression), "{expression}");
        }
    }
}
