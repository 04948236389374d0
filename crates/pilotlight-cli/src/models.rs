//! From the name of a model to its folder.
//!
//! What is looked at, in this order: a folder of that path; a fetched model of that name in `.data/models` (or in
//! `$PILOT_DATA/models`); the cache of the hub; the hub.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{
    console::Console,
    failure::Failure,
    hub::{Hub, Repository, RepositoryName},
    progress::Download,
};

/// The folder of a model that is given by path or by name.
pub(crate) fn folder(model: &str, console: &Console) -> Result<PathBuf, Failure> {
    let mut tried = Vec::new();
    let path = Path::new(model);
    if path.is_dir() {
        return Ok(path.to_owned());
    }
    if path.is_file() {
        return Err(not_a_folder(model));
    }
    tried.push(format!("a folder {model}: there is none"));

    let name: RepositoryName = match model.parse() {
        Ok(name) => name,
        // It is spelled like a path and like nothing else.
        Err(_) => {
            return Err(Failure::input(format!("there is no folder {model}")).hint(
                "a model is a folder with config.json and model.safetensors, or a name on the hub",
            ));
        }
    };
    let fetched = data_folder().join("models").join(model);
    if fetched.is_dir() {
        return Ok(fetched);
    }
    tried.push(format!(
        "a fetched model {}: there is none",
        fetched.display()
    ));

    let hub = Hub::from_environment()?;
    let repository = Repository::model(name);
    if let Some(cached) = hub.cached_model(&repository) {
        return Ok(cached);
    }
    tried.push(format!(
        "the hub's cache {}: it is not there",
        hub.cache_folder().display()
    ));

    console.note(&format!("fetching {model} from {}", hub.endpoint()));
    match hub.fetch(&repository, || Download::new(console)) {
        Ok(fetched) => Ok(fetched.folder),
        Err(failure) => {
            tried.push(format!("the hub: {failure}"));
            let tried: String = tried.iter().map(|place| format!("\n  {place}")).collect();
            Err(Failure::input(format!("there is no model {model}. Looked for:{tried}")).hint(
                "give the path of a model's folder; or fetch one where there is a network by `pilot fetch` (by \
                 `cargo xtask fetch` from the package registries)",
            ))
        }
    }
}

fn not_a_folder(model: &str) -> Failure {
    let failure = Failure::input(format!("{model} is a file, not the folder of a model"));
    match model.ends_with(".gguf") {
        true => failure.hint(format!(
            "make a folder of it by `pilot import {model} --out DIR`"
        )),
        false => failure.hint("give the folder that holds config.json and model.safetensors"),
    }
}

/// Where fetched models and data are.
pub(crate) fn data_folder() -> PathBuf {
    env::var_os("PILOT_DATA").map_or(PathBuf::from(".data"), PathBuf::from)
}
