//! The text that the embedded model is pretrained on, and the model's tokenizer and configuration.
//!
//! Written are `train.jsonl` and `validation.jsonl` (one `{"text": ..}` a line, a
//! document each) and `model/`, a Hugging Face folder without weights. The result is the same on every machine.

mod exclusion;
mod model;
mod sources;

use std::{collections::HashSet, path::Path};

use serde::Serialize;

use crate::{
    corpus::{exclusion::Exclusion, sources::Source},
    data_sets, splits, workspace,
};

/// One document in so many is held out for validation.
const HELD_OUT: u128 = 50;

/// A document as it stands in the corpus; no label ever does.
#[derive(Serialize)]
pub(crate) struct Document {
    pub(crate) text: String,
}

/// The documents of one source.
struct Gathered {
    source: &'static Source,
    train: Vec<Document>,
    held_out: Vec<Document>,
    n_words: usize,
    n_left_out: usize,
}

/// The documents of all sources, without what a model is judged on and without what occurs twice.
fn gather() -> anyhow::Result<Vec<Gathered>> {
    let exclusion = exclusion()?;
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for source in sources::ALL {
        let mut gathered = Gathered {
            source,
            train: Vec::new(),
            held_out: Vec::new(),
            n_words: 0,
            n_left_out: 0,
        };
        for pieces in (source.read)()? {
            let pieces: Vec<String> = pieces
                .into_iter()
                .filter(|piece| {
                    let kept = !exclusion.holds(piece)
                        && seen.insert(exclusion::normalised(piece).join(" "));
                    gathered.n_left_out += usize::from(!kept);
                    kept
                })
                .collect();
            if pieces.is_empty() {
                continue;
            }
            let text = pieces.join("\n");
            gathered.n_words += text.split_whitespace().count();
            let part = if splits::hash(&text).is_multiple_of(HELD_OUT) {
                &mut gathered.held_out
            } else {
                &mut gathered.train
            };
            part.push(Document { text });
        }
        all.push(gathered);
    }
    Ok(all)
}

/// The documents of the Open American National Corpus that the embedded model has not read.
pub(crate) fn held_out_magazines() -> anyhow::Result<Vec<Document>> {
    let all = gather()?.into_iter();
    let of_magazines = all.filter(|gathered| gathered.source.name == sources::MAGAZINES);
    Ok(of_magazines
        .flat_map(|gathered| gathered.held_out)
        .collect())
}

/// Gathers the corpus, then trains the tokenizer on its training part.
pub(crate) fn build(folder: &Path) -> anyhow::Result<()> {
    let (mut train, mut validation) = (Vec::new(), Vec::new());
    let mut table = String::from(
        "| source | licence | documents | words | left out |\n|---|---|---|---|---|\n",
    );
    for gathered in gather()? {
        let Gathered {
            source,
            n_words,
            n_left_out,
            ..
        } = gathered;
        let n_documents = gathered.train.len() + gathered.held_out.len();
        let row = format!(
            "| {} | {} | {n_documents} | {n_words} | {n_left_out} |\n",
            source.name, source.licence
        );
        print!("{row}");
        table.push_str(&row);
        train.extend(gathered.train);
        validation.extend(gathered.held_out);
    }
    workspace::write_json_lines(&folder.join("train.jsonl"), &train)?;
    workspace::write_json_lines(&folder.join("validation.jsonl"), &validation)?;
    let model = model::write(&folder.join("model"), &train)?;
    let count = |documents: &[Document]| model.n_tokens(documents);
    let summary = format!(
        "{} training documents of {} tokens, {} validation documents of {} tokens",
        train.len(),
        count(&train)?,
        validation.len(),
        count(&validation)?,
    );
    println!("{}: {summary}", folder.display());
    let note = format!(
        "# Pretraining corpus\n\n{summary}; written by `cargo xtask corpus`.\n\n{table}\n\
         Left out: pieces that occur twice, and those that share a text, or eight words in a row, with a data set that\n\
         is used to judge the model.\n"
    );
    workspace::write(&folder.join("README.md"), note.as_bytes())
}

/// What the model must not have read: all of `sentences`, on which it is tuned and judged, and what the other English
/// data sets hold out.
fn exclusion() -> anyhow::Result<Exclusion> {
    let mut exclusion = Exclusion::default();
    for name in ["sentences", "sarcasm", "rotten-tomatoes"] {
        let splits = data_sets::find(name)?.splits()?;
        for (split, records) in splits.named() {
            if split != "train" || name == "sentences" {
                records
                    .iter()
                    .for_each(|record| exclusion.add(&record.text));
            }
        }
    }
    Ok(exclusion)
}
