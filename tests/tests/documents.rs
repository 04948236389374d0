//! What the documents say is so.

use std::{
    fs,
    path::{Path, PathBuf},
};

use pilotlight_compare::Layers;

const READMES: [&str; 2] = ["README.md", "README.zh.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let behind = text.split(&fence).skip(1);
    let blocks: Vec<&str> = behind
        .map(|text| text.split_once("```").expect("the block ends").0)
        .collect();
    assert!(!blocks.is_empty(), "there is no block of {language}");
    blocks
}

#[test]
fn the_example_in_the_readme_is_the_one_that_is_tested() {
    let example = read("crates/pilotlight-tuners/examples/prompt_tuning.rs");
    for readme in READMES {
        assert!(
            blocks(&read(readme), "rust") == [&example],
            "{readme} shows another code than examples/prompt_tuning.rs: copy the file into it"
        );
    }
}

#[test]
fn the_experiments_in_the_readme_have_no_wrong_key() {
    let folder = tempfile::tempdir().expect("a folder");
    for readme in READMES {
        let text = read(readme);
        for block in blocks(&text, "toml") {
            let file = folder.path().join("experiment.toml");
            fs::write(&file, block).expect("written");
            let layers = Layers {
                file: Some(file),
                ..Layers::default()
            };
            let comparison = layers.comparison();
            let comparison =
                comparison.unwrap_or_else(|error| panic!("{readme}: {error}\n{block}"));
            assert!(!comparison.methods.is_empty());
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let docs = fs::read_dir(root().join("docs")).expect("the documents");
    let docs = docs.map(|entry| entry.expect("a document").path());
    let documents = docs.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let documents = documents.chain(READMES.map(|readme| root().join(readme)));
    let mut n_links = 0;
    for document in documents {
        let text = fs::read_to_string(&document).expect("a document");
        for link in text.split("](").skip(1) {
            let link = link.split([')', '#']).next().unwrap_or_default();
            if link.is_empty() || link.starts_with("https://") {
                continue;
            }
            let folder = document.parent().expect("a folder");
            assert!(
                folder.join(link).exists(),
                "{}: there is no {link}",
                document.display()
            );
            n_links += 1;
        }
    }
    assert!(n_links > 10, "only {n_links} links were found");
}
