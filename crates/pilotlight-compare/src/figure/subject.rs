//! What a comparison is about, in a few words.

use std::path::Path;

use crate::{embedded::PREFIX, experiment::Comparison};

/// The model and the data, such as `smollm2-135m on sentences`; all of them where methods differ.
pub(crate) fn subject(comparison: &Comparison) -> String {
    let distinct = |name: &dyn Fn(&crate::ExperimentConfig) -> String| {
        let mut names: Vec<String> = Vec::new();
        let points = comparison.methods.values().flat_map(|it| &it.points);
        for point in points {
            let name = name(&point.config);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(", ")
    };
    let models = distinct(&|config| model_name(&config.base.model));
    let data = distinct(&|config| data_name(&config.data.train));
    match models.is_empty() {
        true => String::new(),
        false => format!("{models} on {data}"),
    }
}

/// The last part of a path or of a name on a hub.
fn model_name(model: &str) -> String {
    if let Some(name) = model.strip_prefix(PREFIX) {
        return format!("embedded {name}");
    }
    let mut parts = model.split(['/', '\\']).filter(|part| !part.is_empty());
    parts.next_back().unwrap_or(model).to_owned()
}

/// The file's name, or its folder's where the file is only called what it is for.
fn data_name(train: &Path) -> String {
    let path = train.to_string_lossy();
    let path = Path::new(path.strip_prefix(PREFIX).unwrap_or(&path));
    let name = |part: Option<&std::ffi::OsStr>| part.map(|it| it.to_string_lossy().into_owned());
    let stem = name(path.file_stem()).unwrap_or_default();
    let folder = name(path.parent().and_then(Path::file_name));
    match stem.starts_with("train") {
        true => folder.unwrap_or(stem),
        false => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_telling_parts() {
        assert_eq!(model_name("./models/smollm2-135m/"), "smollm2-135m");
        assert_eq!(model_name("org/SmolLM2-135M"), "SmolLM2-135M");
        assert_eq!(model_name("embedded:decoder"), "embedded decoder");
        for (path, name) in [
            ("embedded:sentences/train.jsonl", "sentences"),
            ("/data/sst2/train-1.tsv", "sst2"),
            ("reviews.csv", "reviews"),
            ("train.jsonl", "train"),
        ] {
            assert_eq!(data_name(Path::new(path)), name);
        }
    }
}
