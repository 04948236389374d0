//! The folder in which a user's programs keep what can be made again.

use std::{ffi::OsString, path::PathBuf};

/// `$XDG_CACHE_HOME`, else `.cache` in the user's home; nothing if `variable`, which looks up environment variables,
/// knows neither.
pub(crate) fn user_cache(variable: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(cache) = variable("XDG_CACHE_HOME") {
        return Some(cache.into());
    }
    let home = variable("HOME").or_else(|| variable("USERPROFILE"))?;
    Some(PathBuf::from(home).join(".cache"))
}
