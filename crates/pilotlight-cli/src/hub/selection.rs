//! Which files of a repository are needed.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use super::Kind;

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Files beside the weights that a model or an adapter is made of.
const DESCRIPTIONS: [&str; 8] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "adapter_config.json",
    "adapter_model.safetensors",
    "pilotlight.json",
];

/// Formats of records that can be read, and the texts that say where records come from.
const DATA_SUFFIXES: [&str; 6] = [".jsonl", ".json", ".csv", ".tsv", ".txt", ".md"];

/// The files to fetch, or why the repository is of no use.
pub(super) fn needed(kind: Kind, names: &[String]) -> Result<Vec<String>, (String, &'static str)> {
    let chosen = match kind {
        Kind::Model => model_files(names)?,
        Kind::DataSet => data_files(names)?,
    };
    // Names become paths below the cache.
    match chosen.iter().find(|name| !is_plain(name)) {
        Some(name) => Err((
            format!("it holds a file of the name {name:?}"),
            "only names of letters, digits, `-`, `_` and `.` are fetched",
        )),
        None => Ok(chosen),
    }
}

fn model_files(names: &[String]) -> Result<Vec<String>, (String, &'static str)> {
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let ends = |suffix: &str| names.iter().any(|name| name.ends_with(suffix));
    if !has(WEIGHTS) && !has(INDEX) && !has("adapter_model.safetensors") {
        return Err((
            "it has no model.safetensors".to_owned(),
            match () {
                () if ends(".gguf") => "download its .gguf file and run `pilot import` on it",
                () if ends(".bin") => "convert its pytorch_model.bin to safetensors first",
                () => "is it a data set? Then add `--data`",
            },
        ));
    }
    if !has("config.json") && !has("adapter_config.json") {
        return Err((
            "it has no config.json".to_owned(),
            "it should be a transformers model",
        ));
    }
    // One file and shards beside it hold the same weights twice.
    let is_weight = |name: &str| match has(WEIGHTS) {
        true => name == WEIGHTS,
        false => name == INDEX || is_shard(name),
    };
    let wanted = |name: &&String| DESCRIPTIONS.contains(&name.as_str()) || is_weight(name);
    Ok(names.iter().filter(wanted).cloned().collect())
}

/// `model-00001-of-00003.safetensors`
fn is_shard(name: &str) -> bool {
    let numbers = name
        .strip_prefix("model-")
        .and_then(|name| name.strip_suffix(".safetensors"));
    numbers.is_some_and(|numbers| numbers.contains("-of-") && !numbers.contains('/'))
}

fn data_files(names: &[String]) -> Result<Vec<String>, (String, &'static str)> {
    let readable = |name: &&String| DATA_SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    let chosen: Vec<String> = names.iter().filter(readable).cloned().collect();
    if chosen.iter().all(|name| name.ends_with(".md")) {
        return Err((
            "it has no .jsonl, .json, .csv or .tsv file".to_owned(),
            "convert its files, for example Parquet to JSON lines",
        ));
    }
    Ok(chosen)
}

fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '=');
    name.split('/')
        .all(|word| !word.is_empty() && word != "." && word != ".." && word.chars().all(allowed))
}

/// Whether a folder of the cache holds a whole model: an interrupted download may have left a part.
pub(super) fn is_complete_model(folder: &Path) -> bool {
    if !folder.join("config.json").exists() {
        return false;
    }
    if folder.join(WEIGHTS).exists() {
        return true;
    }
    let shards = fs_err::read(folder.join(INDEX))
        .ok()
        .and_then(|index| serde_json::from_slice::<Value>(&index).ok());
    let Some(map) = shards
        .as_ref()
        .and_then(|index| index["weight_map"].as_object())
    else {
        return false;
    };
    let files: BTreeSet<&str> = map.values().filter_map(Value::as_str).collect();
    !files.is_empty() && files.iter().all(|file| folder.join(file).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[track_caller]
    fn check(kind: Kind, found: &[&str], expected: &[&str]) {
        assert_eq!(needed(kind, &names(found)), Ok(names(expected)));
    }

    #[test]
    fn one_copy_of_the_weights_is_enough() {
        check(
            Kind::Model,
            &[
                ".gitattributes",
                "README.md",
                "config.json",
                "model.safetensors",
                "model-00001-of-00001.safetensors",
                "onnx/model.onnx",
                "pytorch_model.bin",
                "tokenizer.json",
            ],
            &["config.json", "model.safetensors", "tokenizer.json"],
        );
    }

    #[test]
    fn shards_come_with_their_index() {
        let sharded = [
            "config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
        ];
        let mut found = sharded.to_vec();
        found.push("consolidated.safetensors");
        check(Kind::Model, &found, &sharded);
    }

    #[test]
    fn records_are_taken_in_formats_that_can_be_read() {
        check(
            Kind::DataSet,
            &["README.md", "data/train.jsonl", "data/train.parquet"],
            &["README.md", "data/train.jsonl"],
        );
    }

    #[test]
    fn what_is_of_no_use_is_refused() {
        for (kind, found) in [
            (Kind::Model, &["config.json", "pytorch_model.bin"][..]),
            (Kind::Model, &["model.safetensors"]),
            (Kind::DataSet, &["README.md", "train.parquet"]),
            (Kind::DataSet, &["../../train.jsonl"]),
            (Kind::DataSet, &["/etc/train.jsonl"]),
        ] {
            assert!(needed(kind, &names(found)).is_err(), "{found:?}");
        }
    }

    #[test]
    fn a_model_is_complete_with_all_shards() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            fs_err::write(folder.path().join(name), text).expect("written")
        };
        write("config.json", "{}");
        assert!(!is_complete_model(folder.path()));
        write(
            INDEX,
            r#"{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}"#,
        );
        write("model-1-of-2.safetensors", "");
        assert!(!is_complete_model(folder.path()));
        write("model-2-of-2.safetensors", "");
        assert!(is_complete_model(folder.path()));
    }
}
