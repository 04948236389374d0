//! Where the hub and its cache are, as the environment says.
//!
//! | variable | meaning |
//! |---|---|
//! | `HF_ENDPOINT` | address of the hub, by default `https://huggingface.co` |
//! | `HF_HOME` | folder of cache and token, by default `huggingface` in `$XDG_CACHE_HOME` or `~/.cache` |
//! | `HF_HUB_CACHE` | folder of the cache, by default `$HF_HOME/hub` |
//! | `HF_TOKEN` | access token |
//! | `HF_TOKEN_PATH` | file of the access token, by default `$HF_HOME/token` |
//! | `HF_HUB_OFFLINE` | `1`, `true`, `yes` or `on`: the cache only |

use std::{env, ffi::OsString, path::PathBuf};

use crate::{failure::Failure, user_cache::user_cache};

/// The hub as the environment describes it.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(super) endpoint: String,
    pub(super) cache: PathBuf,
    pub(super) token: Option<String>,
    pub(super) is_offline: bool,
}

impl Hub {
    /// Reads the environment of the process.
    pub(crate) fn from_environment() -> Result<Self, Failure> {
        Self::from_variables(|name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let path = |name: &str| variable(name).map(PathBuf::from);
        let text = |name: &str| {
            let value = variable(name).map(OsString::into_string).transpose();
            value.map_err(|_| {
                Failure::input(format!("the environment variable {name} is not UTF-8"))
            })
        };
        let home = path("HF_HOME").or_else(|| Some(user_cache(&variable)?.join("huggingface")));
        let Some(home) = home else {
            return Err(
                Failure::input("there is no home folder for the cache of the hub")
                    .hint("set HF_HOME to a folder"),
            );
        };
        let endpoint = text("HF_ENDPOINT")?.unwrap_or_else(|| "https://huggingface.co".to_owned());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if !(endpoint.starts_with("http://") || endpoint.starts_with("https://")) {
            return Err(Failure::input(format!(
                "HF_ENDPOINT is `{endpoint}`, which is no address"
            ))
            .hint("write it like `https://huggingface.co`"));
        }
        let token = match text("HF_TOKEN")? {
            Some(token) => Some(token),
            None => {
                let file = path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
                // The file is there only after a login.
                fs_err::read_to_string(file).ok()
            }
        };
        let token = token.map(|token| token.trim().to_owned());
        let is_offline = text("HF_HUB_OFFLINE")?.is_some_and(|value| {
            ["1", "true", "yes", "on"].contains(&value.to_lowercase().as_str())
        });
        Ok(Self {
            endpoint,
            cache: path("HF_HUB_CACHE").unwrap_or_else(|| home.join("hub")),
            token: token.filter(|token| !token.is_empty()),
            is_offline,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(variables: &[(&str, &str)]) -> Hub {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.into())
        };
        Hub::from_variables(variable).unwrap_or_else(|failure| panic!("{failure}"))
    }

    #[test]
    fn variables_come_before_defaults() {
        let plain = hub(&[("HOME", "/h")]);
        assert_eq!(plain.endpoint, "https://huggingface.co");
        assert_eq!(plain.cache, PathBuf::from("/h/.cache/huggingface/hub"));
        assert!(!plain.is_offline);
        let given = hub(&[
            ("HOME", "/h"),
            ("HF_HOME", "/f"),
            ("HF_ENDPOINT", "http://mirror/"),
            ("HF_TOKEN", " t\n"),
            ("HF_HUB_OFFLINE", "ON"),
        ]);
        assert_eq!(given.endpoint, "http://mirror");
        assert_eq!(given.cache, PathBuf::from("/f/hub"));
        assert_eq!(given.token.as_deref(), Some("t"));
        assert!(given.is_offline);
        assert_eq!(
            hub(&[("HF_HOME", "/f"), ("HF_HUB_CACHE", "/c")]).cache,
            PathBuf::from("/c")
        );
    }

    #[test]
    fn a_token_may_stand_in_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_str().expect("UTF-8");
        fs_err::write(folder.path().join("token"), "secret\n").expect("written");
        assert_eq!(hub(&[("HF_HOME", path)]).token.as_deref(), Some("secret"));
    }

    #[test]
    fn an_endpoint_is_an_address() {
        let variable = |name: &str| matches!(name, "HF_ENDPOINT" | "HOME").then(|| "mirror".into());
        assert!(Hub::from_variables(variable).is_err());
    }
}
