//! Where GPU backends keep between runs what they learn about kernels: which of several is the fastest for a shape and,
//! on CUDA, the compiled kernels themselves. What wgpu compiles, the driver keeps in a cache of its own.
//!
//! It is `kernels` in the folder that `PILOT_CACHE` names, else in `pilotlight` in the user's cache folder. The folder
//! that a `cubecl.toml` in the present folder or above it names comes before both.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use burn::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig, cache::CacheConfig};

use crate::user_cache::user_cache;

/// Settled once for the process, as the backends settle it.
static FOLDER: LazyLock<Result<PathBuf, String>> = LazyLock::new(settle);

/// The folder, or why nothing is kept. It is settled by the first call, which must come before any GPU is opened.
pub(super) fn folder() -> Result<&'static Path, &'static str> {
    match &*FOLDER {
        Ok(folder) => Ok(folder),
        Err(problem) => Err(problem),
    }
}

fn settle() -> Result<PathBuf, String> {
    let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
    config.compilation.cache = true;
    // By default they would keep it in `target` of the present folder's package.
    if matches!(config.environment.path, CacheConfig::Target) {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        config.environment.path = match of_variables(variable) {
            Some(folder) => CacheConfig::Directory(folder),
            None => CacheConfig::Global,
        };
    }
    let folder = config.environment.path.root();
    CubeClRuntimeConfig::try_set(config);
    match fs_err::create_dir_all(&folder) {
        Ok(()) => Ok(folder),
        Err(error) => Err(error.to_string()),
    }
}

fn of_variables(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = match variable("PILOT_CACHE") {
        Some(folder) => folder.into(),
        None => user_cache(&variable)?.join("pilotlight"),
    };
    Some(folder.join("kernels"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_that_of_the_environment() {
        let folder = |variables: &[(&str, &str)]| {
            of_variables(|name| {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| value.into())
            })
        };
        let home = ("HOME", "/h");
        assert_eq!(folder(&[]), None);
        assert_eq!(folder(&[home]), Some("/h/.cache/pilotlight/kernels".into()));
        assert_eq!(
            folder(&[home, ("XDG_CACHE_HOME", "/x")]),
            Some("/x/pilotlight/kernels".into())
        );
        assert_eq!(
            folder(&[home, ("PILOT_CACHE", "/p")]),
            Some("/p/kernels".into())
        );
    }
}
