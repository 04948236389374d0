//! A small model and a small data set inside the program, so that a first run needs no download.

use std::borrow::Cow;

use pilotlight_data::{DataFormat, DataSource};

use crate::sources::EmbeddedModel;

/// What the names of embedded things begin with.
pub const PREFIX: &str = "embedded:";

/// The embedded models by name.
pub const MODELS: &[EmbeddedModel] = &[
    #[cfg(all(feature = "embedded", embedded_model))]
    EmbeddedModel {
        name: "decoder",
        config: include_bytes!("../assets/model/config.json"),
        weights: include_bytes!("../assets/model/model.safetensors"),
        tokenizer: include_bytes!("../assets/model/tokenizer.json"),
        tokenizer_config: include_bytes!("../assets/model/tokenizer_config.json"),
    },
];

/// The embedded files by name: JSON lines.
const FILES: &[(&str, &[u8])] = &[
    #[cfg(all(feature = "embedded", embedded_sentences))]
    (
        "sentences/train.jsonl",
        include_bytes!("../assets/sentences/train.jsonl"),
    ),
    #[cfg(all(feature = "embedded", embedded_sentences))]
    (
        "sentences/validation.jsonl",
        include_bytes!("../assets/sentences/validation.jsonl"),
    ),
    #[cfg(all(feature = "embedded", embedded_sentences))]
    (
        "sentences/test.jsonl",
        include_bytes!("../assets/sentences/test.jsonl"),
    ),
    #[cfg(all(feature = "embedded", embedded_magazines))]
    (
        "magazines/texts.jsonl",
        include_bytes!("../assets/magazines/texts.jsonl"),
    ),
];

/// The names of all embedded data files.
pub fn file_names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// The records of an embedded file.
pub(crate) fn file(name: &str) -> Option<DataSource> {
    let (_, bytes) = FILES.iter().find(|(known, _)| *known == name)?;
    Some(DataSource::Embedded {
        name: Cow::Owned(format!("{PREFIX}{name}")),
        bytes: Cow::Borrowed(bytes),
        format: DataFormat::Jsonl,
    })
}

#[cfg(all(test, feature = "embedded", embedded_sentences, embedded_magazines))]
mod tests {
    use pilotlight_data::read_records;

    use super::*;

    #[test]
    fn the_files_are_whole() {
        for (name, n_records) in [
            ("sentences/train", 2396),
            ("sentences/validation", 295),
            ("sentences/test", 291),
            ("magazines/texts", 53),
        ] {
            let source = file(&format!("{name}.jsonl")).expect("embedded");
            let records = read_records(&source).expect("JSON lines");
            assert_eq!(records.len(), n_records, "{name}");
        }
    }
}
