//! What a comparison and its runs are about, in a few words.

use std::path::Path;

use crate::{
    embedded::PREFIX,
    experiment::{AxisValues, Comparison},
    numbers::short,
};

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

/// A method's name with values of axes, such as `prompt tuning, prompt_length 5, before`.
pub(crate) fn titled(name: &str, point: &AxisValues) -> String {
    match point.is_empty() {
        true => name.to_owned(),
        false => format!("{name}, {}", point_text(point)),
    }
}

/// Values of axes, such as `prompt_length 5, before`: a word speaks for itself.
pub(crate) fn point_text(point: &AxisValues) -> String {
    let value = |(key, value): (&String, &toml::Value)| {
        let text = value_text(key, value);
        let setting = short_key(key, point);
        match value.is_str() && !text.contains(' ') {
            true => text,
            false => format!("{setting} {text}"),
        }
    };
    point.iter().map(value).collect::<Vec<_>>().join(", ")
}

/// As much of the end of a key as tells it from those of the other values.
fn short_key<'a>(key: &'a str, point: &AxisValues) -> &'a str {
    let starts = key.rmatch_indices('.').map(|(dot, _)| dot + 1);
    let mut names = starts.map(|start| &key[start..]);
    let is_its_own = |name: &&str| {
        let mut others = point.keys().filter(|other| *other != key);
        others.all(|other| !other.ends_with(name))
    };
    names.find(is_its_own).unwrap_or(key)
}

/// The value of a setting as people write it: without quotes, braces and the folders of a path.
pub(crate) fn value_text(key: &str, value: &toml::Value) -> String {
    match (key, value) {
        ("base.model", toml::Value::String(model)) => model_name(model),
        ("data.train" | "data.validation" | "data.test", toml::Value::String(path)) => {
            data_name(Path::new(path))
        }
        (_, toml::Value::String(text)) => last_part(text).to_owned(),
        (_, toml::Value::Float(number)) => short(*number),
        (_, toml::Value::Array(items)) => {
            let items = items.iter().map(|item| match item {
                // Of a list of tables the keys are always the same: `before 10+after 10`.
                toml::Value::Table(table) => {
                    let values = table.values().map(|value| value_text("", value));
                    values.collect::<Vec<_>>().join(" ")
                }
                item => value_text("", item),
            });
            items.collect::<Vec<_>>().join("+")
        }
        (_, toml::Value::Table(table)) => {
            let entries = table.iter();
            let entries = entries.map(|(key, value)| format!("{key} {}", value_text("", value)));
            entries.collect::<Vec<_>>().join(" ")
        }
        (_, other) => other.to_string(),
    }
}

/// The last part of a path or of a name on a hub.
fn model_name(model: &str) -> String {
    if let Some(name) = model.strip_prefix(PREFIX) {
        return format!("embedded {name}");
    }
    last_part(model).to_owned()
}

fn last_part(path: &str) -> &str {
    let mut parts = path.split(['/', '\\']).filter(|part| !part.is_empty());
    parts.next_back().unwrap_or(path)
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

    #[test]
    fn titles_name_the_values_of_axes() {
        let point = AxisValues::from_iter([
            ("tuner.prompt_length".to_owned(), toml::Value::Integer(5)),
            (
                "base.model".to_owned(),
                toml::Value::String("org/SmolLM2".into()),
            ),
            ("train.learning_rate".to_owned(), toml::Value::Float(3e-4)),
        ]);
        assert_eq!(
            titled("prompt", &point),
            "prompt, prompt_length 5, SmolLM2, learning_rate 3e-4"
        );
        let parted = toml::toml! { parts = [{ place = "before", length = 10 }, { place = "after", length = 5 }] };
        assert_eq!(
            value_text("tuner.placement", &parted["parts"]),
            "before 10+after 5"
        );
        let domain = |key: &str, value: &str| {
            let values = toml::Value::Array(vec![value.into()]);
            (format!("data.{key}.domain"), values)
        };
        let point =
            AxisValues::from_iter([domain("where_train", "film"), domain("where_test", "food")]);
        assert_eq!(
            titled("prompt", &point),
            "prompt, where_train.domain film, where_test.domain food"
        );
    }
}
