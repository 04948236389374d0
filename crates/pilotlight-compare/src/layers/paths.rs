//! Paths in settings.

use std::path::{Path, PathBuf};

use config::{Map, Value, ValueKind};

/// Name of what is inside the program, not in a file.
const EMBEDDED: &str = "embedded:";

/// Makes the paths of a layer absolute; those that are relative are so to `folder`.
pub(super) fn anchor(settings: &mut Map<String, Value>, folder: &Path) {
    for (section, value) in settings {
        let ValueKind::Table(table) = &mut value.kind else {
            continue;
        };
        match section.as_str() {
            "base" => anchor_key(table, "model", |model| {
                is_folder(model, folder).then(|| absolute(model, folder))
            }),
            "data" => {
                for key in ["train", "validation", "test"] {
                    anchor_key(table, key, |path| Some(absolute(path, folder)));
                }
            }
            "report" => {
                if let Some(ValueKind::Table(general)) =
                    table.get_mut("general").map(|general| &mut general.kind)
                {
                    anchor_key(general, "path", |path| Some(absolute(path, folder)));
                }
            }
            "tuner" => anchor_sources(table, folder),
            "methods" => {
                for method in table.values_mut() {
                    if let ValueKind::Table(method) = &mut method.kind {
                        anchor(method, folder);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether a model's name means a folder: it exists, or the spelling leaves no other reading.
fn is_folder(model: &str, folder: &Path) -> bool {
    let path = Path::new(model);
    let spelled = path.is_absolute() || model.starts_with('.') || path.components().count() > 2;
    spelled || folder.join(path).is_dir()
}

fn absolute(path: &str, folder: &Path) -> PathBuf {
    let joined = folder.join(path);
    // Without the `.` and `..` that read badly in resolved.toml, but without following links either.
    std::path::absolute(&joined).unwrap_or(joined)
}

/// A path, or each of several.
fn anchor_key(
    table: &mut Map<String, Value>,
    key: &str,
    anchored: impl Fn(&str) -> Option<PathBuf>,
) {
    let values = match table.get_mut(key) {
        Some(Value {
            kind: ValueKind::Array(items),
            ..
        }) => items.as_mut_slice(),
        Some(value) => std::slice::from_mut(value),
        None => return,
    };
    for value in values {
        if let ValueKind::String(text) = &mut value.kind
            && !text.starts_with(EMBEDDED)
            && let Some(path) = anchored(text)
        {
            *text = path.to_string_lossy().into_owned();
        }
    }
}

/// Keys that name saved adapters, at any depth.
fn anchor_sources(table: &mut Map<String, Value>, folder: &Path) {
    for key in ["from", "from_prompt"] {
        anchor_key(table, key, |path| Some(absolute(path, folder)));
    }
    for value in table.values_mut() {
        match &mut value.kind {
            ValueKind::Table(table) => anchor_sources(table, folder),
            ValueKind::Array(items) => {
                for item in items {
                    if let ValueKind::Table(table) = &mut item.kind {
                        anchor_sources(table, folder);
                    }
                }
            }
            _ => {}
        }
    }
}
