//! Splits of a data set, drawn from the texts themselves.

use std::collections::HashSet;

use md5::{Digest as _, Md5};
use serde::Serialize;

/// A labelled text.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Record {
    pub(crate) text: String,
    pub(crate) label: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) domain: Option<&'static str>,
    /// Records of one group stand in one split; without it each text is its own.
    #[serde(skip)]
    pub(crate) group: Option<String>,
}

/// The records of each split, in their original order.
#[derive(Default)]
pub(crate) struct Splits {
    pub(crate) train: Vec<Record>,
    pub(crate) validation: Vec<Record>,
    pub(crate) test: Vec<Record>,
}

impl Splits {
    /// Drops empty texts and repetitions of a text, then sends each record where the hash of its group (or text)
    /// says: a tenth to the test split, a tenth to validation, the rest to training.
    pub(crate) fn new(records: impl IntoIterator<Item = Record>) -> Self {
        let mut splits = Self::default();
        let mut seen = HashSet::new();
        for record in records {
            if record.text.is_empty() || !seen.insert(record.text.clone()) {
                continue;
            }
            let key = match &record.group {
                Some(group) => hash(group),
                // A text is hashed as the first of a pair whose second is empty, joined by a NUL.
                None => hash(&format!("{}\0", record.text)),
            };
            let split = match key % 10 {
                0 => &mut splits.test,
                1 => &mut splits.validation,
                _ => &mut splits.train,
            };
            split.push(record);
        }
        splits
    }

    /// Each split under the name of its file.
    pub(crate) fn named(&self) -> [(&'static str, &[Record]); 3] {
        [
            ("train", &self.train),
            ("validation", &self.validation),
            ("test", &self.test),
        ]
    }
}

/// A number that only the text decides: its MD5, read as a big-endian integer.
pub(crate) fn hash(text: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(text).into())
}

/// The text with each run of white space made one space, and none at its ends.
pub(crate) fn squeeze(text: &str) -> String {
    // The separators 0x1c to 0x1f count too, as they do for Python, in which the splits were first drawn.
    let is_space = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    let words: Vec<&str> = text
        .split(is_space)
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str, group: Option<&str>) -> Record {
        Record {
            text: text.into(),
            label: "positive",
            domain: None,
            group: group.map(Into::into),
        }
    }

    #[test]
    fn hashes_as_md5() {
        // int(hashlib.md5(b"good").hexdigest(), 16)
        assert_eq!(hash("good"), 0x755f85c2723bb39381c7379a604160d8);
    }

    #[test]
    fn squeezes_all_white_space() {
        assert_eq!(squeeze(" a\u{a0}\n b\u{1c}c "), "a b c");
    }

    #[test]
    fn drops_repetitions_and_keeps_groups_together() {
        let mut records: Vec<Record> = (0..40)
            .map(|index| record(&format!("text {index}"), Some("film")))
            .collect();
        records.push(record("text 0", Some("film")));
        records.push(record("", Some("film")));
        let splits = Splits::new(records);
        let mut sizes = splits.named().map(|(_, split)| split.len());
        sizes.sort_unstable();
        assert_eq!(sizes, [0, 0, 40]);
    }
}
