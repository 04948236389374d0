//! The tasks of adapters: how a record becomes an input, and what the classes are.

use std::path::Path;

use pilotlight_data::{Head, TaskConfig, TaskKind, Verbalizer};
use pilotlight_train::Tuned;
use pilotlight_transformer::Model;
use serde::Deserialize;

use crate::failure::Failure;

/// The task beside an adapter, or in the settings of the run that it is in.
pub(crate) fn of_adapter(adapter: &Path) -> Result<Option<TaskConfig>, Failure> {
    let beside = [
        Some(adapter.join("task.toml")),
        adapter.parent().map(|run| run.join("resolved.toml")),
    ];
    let file = beside.into_iter().flatten().find(|file| file.is_file());
    file.map(|file| read(&file)).transpose()
}

/// The section `[task]` of a file; its other sections are not looked at.
pub(crate) fn read(file: &Path) -> Result<TaskConfig, Failure> {
    #[derive(Deserialize)]
    struct Sections {
        task: TaskConfig,
    }
    let text = fs_err::read_to_string(file).map_err(|error| {
        Failure::input(error)
            .hint("give an experiment file, or the resolved.toml of a run, by `--task FILE`")
    })?;
    toml::from_str::<Sections>(&text)
        .map(|sections| sections.task)
        .map_err(|error| {
            Failure::input(format!(
                "{}: {}",
                file.display(),
                error.to_string().trim_end()
            ))
            .hint("the section [task] says how a record becomes an input")
        })
}

/// What reads a class off a model where the task does not say.
pub(crate) fn default_head(base: &Model) -> Head {
    match base.has_language_head() {
        true => Head::Verbalizer,
        false => Head::Linear,
    }
}

/// The names of the classes, as many as the model tells apart; `own` are those of the checkpoint's own head.
pub(crate) fn labels(
    tuned: &Tuned,
    own: &[String],
    task: &TaskConfig,
    verbalizer: Option<&Verbalizer>,
) -> Result<Vec<String>, Failure> {
    if task.kind != TaskKind::Classification {
        return Err(Failure::input(
            "the task is no classification: there are no labels to predict",
        )
        .hint("`pilot score` compares texts, `pilot generate` writes on"));
    }
    if let Some(verbalizer) = verbalizer {
        let names = verbalizer.labels.iter().map(|label| label.name.clone());
        return Ok(names.collect());
    }
    let Some(head) = &tuned.head else {
        return Err(Failure::input(
            "there is no classification head: neither the model nor the adapter has one",
        )
        .hint("train one by `pilot train`, or give label words by `--task FILE`"));
    };
    let named: Vec<String> = match (task.labels.is_empty(), task.label_names.is_empty()) {
        (false, _) => task.labels.keys().cloned().collect(),
        (true, false) => task.label_names.clone(),
        (true, true) => own.to_vec(),
    };
    match (named.len(), head.n_labels()) {
        (n_named, n_classes) if n_named == n_classes => Ok(named),
        (0, n_classes) => Ok((0..n_classes).map(|class| class.to_string()).collect()),
        (n_named, n_classes) => Err(Failure::input(format!(
            "the task names {n_named} labels, the head tells {n_classes} classes apart"
        ))
        .hint("name the labels in the order of the classes by `label_names` in [task]")),
    }
}
