//! Data that are embedded in the program.

use crate::{data_sets::DataSet, workspace};

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
