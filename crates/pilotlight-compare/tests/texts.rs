//! What is measured of texts: what a model writes, and what training makes it forget.

mod common;

use std::collections::BTreeMap;

use common::{Local, Workshop};
use pilotlight_compare::{
    CompareOptions, Experiment, InProcess, Layers, Report, RunOptions, RunResult, Survey,
    Unwatched, claim::LIFETIME, compare, generated::TextOutcome, layers::Origins, run,
};

/// A word decides what follows; the end of a text is learned too.
const COMPLETION: &str = r#"
seed = 3
[base]
model = "decoder"
[data]
train = "answers.jsonl"
test = "asked.jsonl"
[task]
kind = "completion"
template = "{{ text }} is"
target = "answer"
append_eos = true
[report]
resamples = 200
generate = { max_tokens = 16 }
general = { path = "general.jsonl", text = "body", limit = 6, max_tokens = 20 }
"#;

const FULL: &str = r#"
[methods.full]
base.train = [".*"]
tuner.method = "none"
train = { steps = 160, batch_size = 8, learning_rate = 3e-3 }
"#;

/// Methods that leave the base as it is.
const FROZEN: &str = r#"
[methods.after]
tuner = { method = "soft-prompt", prompt_length = 3, placement = "after" }
train = { steps = 2, batch_size = 4, learning_rate = 0.1 }
[methods.before]
tuner = { method = "soft-prompt", prompt_length = 3, placement = "before" }
train = { steps = 2, batch_size = 4, learning_rate = 0.1 }
"#;

fn workshop() -> Workshop {
    let workshop = Workshop::new();
    let answers = |n: usize, start: usize| {
        let record = |index: usize| {
            let (word, answer) = [("fine", " Yes, good."), ("dull", " no")][index % 2];
            format!("{{\"text\": \"a {word} film {index}\", \"answer\": \"{answer}\"}}\n")
        };
        (start..start + n).map(record).collect::<String>()
    };
    workshop.write("answers.jsonl", &answers(40, 0));
    // Of different lengths, so that batches are ragged.
    workshop.write("asked.jsonl", &(answers(6, 96) + &answers(4, 1000)));
    let general = |index: usize| {
        let text = ["the sea is wide and ", "over the hills "][index % 2].repeat(1 + index % 3);
        format!("{{\"body\": \"{text}{index}\"}}\n")
    };
    workshop.write("general.jsonl", &(0..9).map(general).collect::<String>());
    workshop
}

fn layers(workshop: &Workshop, text: &str) -> Layers {
    workshop.write("texts.toml", text);
    Layers {
        file: Some(workshop.path("texts.toml")),
        ..Layers::default()
    }
}

#[track_caller]
fn compared(workshop: &Workshop, text: &str, out: &str) -> Report {
    let comparison = layers(workshop, text).comparison();
    let comparison = comparison.unwrap_or_else(|error| panic!("{error}"));
    let mut launcher = InProcess {
        resolver: &Local,
        origins: &Origins::default(),
        observer: &mut Unwatched,
    };
    let options = CompareOptions {
        retry: false,
        command: None,
        claim_lifetime: LIFETIME,
    };
    let out = workshop.path(out);
    let report = compare(&comparison, &out, options, &mut launcher, &mut |_| {});
    let report = report.unwrap_or_else(|error| panic!("{error}"));
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    report
}

fn lines<T: serde::de::DeserializeOwned>(folder: &std::path::Path, file: &str) -> Vec<T> {
    let text = std::fs::read_to_string(folder.join(file)).expect("written");
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("JSON lines")
}

#[test]
fn the_work_of_texts_is_known_before() {
    let workshop = workshop();
    let work = || {
        let comparison = layers(&workshop, &format!("{COMPLETION}{FULL}")).comparison();
        let comparison = comparison.expect("sound");
        let survey = Survey::new(&comparison, &Local).expect("sound");
        *survey
            .work(comparison.methods["full"].first())
            .expect("surveyed")
    };
    let usual = work();
    // Twenty tokens and six texts, twice; sixteen tokens behind ten inputs.
    assert!(usual.general_operations > 0.0 && usual.generation_operations > usual.test_operations);
    workshop.write("general.jsonl", "{\"body\": \"the sea\"}\n");
    let less = work();
    assert!(less.general_operations < usual.general_operations / 6.0);
    assert_eq!(less.generation_operations, usual.generation_operations);
}

#[test]
fn generated_texts_are_scored_and_reported() {
    let workshop = workshop();
    let report = compared(&workshop, &format!("seeds = 2\n{COMPLETION}{FULL}"), "out");
    let [untuned, full] = report.table.rows.as_slice() else {
        panic!("two rows, {:?}", report.table.rows);
    };
    // The task is easy: what was learned is written to its end.
    let learned = full.generated.expect("generated");
    assert!(learned.exact_match.value >= 0.8, "{learned:?}");
    assert!(learned.rouge_l.value >= learned.exact_match.value);
    assert!(learned.bleu.value > 50.0, "{learned:?}");
    let random = untuned.generated.expect("generated");
    assert_eq!(random.exact_match.value, 0.0);
    let [of_full, of_random] = [full, untuned].map(|row| row.perplexity.expect("texts").value);
    assert!(
        1.0 <= of_full && of_full < of_random / 10.0,
        "{of_full} {of_random}"
    );

    let mut exact = Vec::new();
    for reported in &report.runs {
        let outcomes: Vec<TextOutcome> = lines(&reported.folder, "predictions.jsonl");
        let asked: Vec<usize> = outcomes.iter().map(|outcome| outcome.line).collect();
        assert_eq!(asked, (1..=10).collect::<Vec<_>>());
        let written = outcomes.iter().map(|outcome| {
            let written = outcome.written.as_ref().expect("generated");
            // The raw text of the record.
            assert_eq!(written.reference, [" no", " Yes, good."][outcome.line % 2]);
            usize::from(written.text == written.reference)
        });
        let n_exact: usize = written.sum();
        if reported.label == "full" {
            exact.push(n_exact as f64 / 10.0);
        }
        let test = reported.result.test.expect("tested");
        let perplexity = test.perplexity.expect("texts").value;
        assert!((perplexity / test.loss.exp() - 1.0).abs() < 1e-9);
        assert!(test.generated.is_some() && test.accuracy.is_none());
        let seconds = reported.result.seconds;
        assert!(seconds.generation > 0.0 && seconds.test > 0.0);
    }

    let mean = exact.iter().sum::<f64>() / 2.0;
    assert!((mean - learned.exact_match.value).abs() < 1e-9, "{exact:?}");

    let titles: Vec<&str> = report
        .table
        .results()
        .titles
        .iter()
        .map(|it| it.0)
        .collect();
    let wanted = [
        "BLEU",
        "ROUGE-L",
        "exact match",
        "perplexity",
        "test loss",
        "general loss",
    ];
    assert!(titles.ends_with(&wanted), "{titles:?}");
    let notes = report.table.results().notes;
    assert!(
        notes[0].starts_with("Test scores on 10 examples"),
        "{notes:?}"
    );
    assert!(notes[1].starts_with("General loss: "), "{notes:?}");
    let rows = String::from_utf8(workshop.read("out/results.csv")).expect("text");
    let header = rows.lines().next().expect("a header");
    for column in [
        "bleu_low",
        "exact_match",
        "general_loss_after",
        "generation_seconds",
    ] {
        assert!(header.split(',').any(|title| title == column), "{header}");
    }
    for file in ["report.md", "report.html", "table.tex"] {
        let text = String::from_utf8(workshop.read(&format!("out/{file}"))).expect("text");
        assert!(
            text.contains("ROUGE-L") && text.contains("general loss"),
            "{file}"
        );
    }
    let again: Report = serde_json::from_slice(&workshop.read("out/results.json")).expect("JSON");
    assert_eq!(again, report);
}

#[test]
fn what_is_forgotten_is_the_loss_on_general_text() {
    let workshop = workshop();
    let report = compared(&workshop, &format!("{COMPLETION}{FROZEN}{FULL}"), "out");
    let forgetting = |label: &str| {
        let run = report.runs.iter().find(|run| run.label == label);
        run.expect("a run").result.forgetting.clone()
    };
    // The base has learned nothing.
    assert_eq!(forgetting("untuned"), None);
    let of_methods: BTreeMap<&str, _> = ["after", "before", "full"]
        .into_iter()
        .map(|label| (label, forgetting(label).expect("measured")))
        .collect();
    // What the base alone reaches on the same texts, as a run of language modelling finds it.
    let drawn: Vec<serde_json::Value> = lines(&report.runs[1].folder, "general.jsonl");
    let texts: Vec<&serde_json::Value> = drawn.iter().map(|text| &text["line"]).collect();
    assert_eq!(texts.len(), 6);
    let all = String::from_utf8(workshop.read("general.jsonl")).expect("text");
    let chosen = all.lines().enumerate();
    let chosen = chosen.filter(|(index, _)| texts.contains(&&serde_json::json!(index + 1)));
    let chosen: String = chosen.map(|(_, line)| format!("{line}\n")).collect();
    workshop.write("chosen.jsonl", &chosen);
    let alone = tested(
        &workshop,
        r#"
[base]
model = "decoder"
[data]
train = "general.jsonl"
test = "chosen.jsonl"
[task]
kind = "language-modelling"
text = "body"
max_tokens = 20
[tuner]
method = "none"
[report]
test_only = true
resamples = 200
"#,
    );
    let alone = alone.test.expect("tested").loss;
    for (label, found) in &of_methods {
        assert!(
            (found.before - alone).abs() < 1e-6,
            "{label}: {found:?} {alone}"
        );
        let difference = found.after - found.before;
        assert!(
            (found.difference.value - difference).abs() < 1e-9,
            "{label}: {found:?}"
        );
        assert!(found.difference.low <= difference && difference <= found.difference.high);
        assert_eq!(
            (found.n_texts, found.n_tokens),
            (6, of_methods["full"].n_tokens)
        );
    }
    // What stands behind a text does not change how likely it is.
    assert!(of_methods["after"].difference.value.abs() < 1e-6);
    assert!(of_methods["before"].difference.value.abs() > 1e-3);
    assert!(of_methods["full"].difference.value.abs() > 1e-2);
    let rows = report.table.rows.iter();
    let shown: Vec<bool> = rows.map(|row| row.general_loss.is_some()).collect();
    assert_eq!(shown, [false, true, true, true]);
    let file = report
        .sources
        .files
        .iter()
        .find(|file| file.1 == of_methods["full"].sha256);
    assert!(file.expect("a source").0.ends_with("general.jsonl"));
}

fn options(origins: &Origins) -> RunOptions<'_> {
    RunOptions {
        resolver: &Local,
        origins,
        resume: false,
        untuned: false,
        keep_checkpoints: false,
        peaks: None,
    }
}

#[track_caller]
fn tested(workshop: &Workshop, text: &str) -> RunResult {
    let Experiment { config, origins } = layers(workshop, text).experiment(None).expect("settings");
    let result = run(
        &config,
        &workshop.path("alone"),
        &options(&origins),
        &mut Unwatched,
    );
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let workshop = workshop();
    let text = COMPLETION
        .replace("kind = \"completion\"", "kind = \"language-modelling\"")
        .replace("append_eos = true", "")
        .replace("max_tokens = 16", "max_tokens = 0")
        .replace("limit = 6, max_tokens = 20", "limit = 0, max_tokens = 1");
    let found = layers(&workshop, &(text + FULL)).experiment(Some("full"));
    let message = workshop.plain(found.expect_err("refused"));
    for part in [
        "`report.generate`: texts are generated in tasks of completion alone",
        "`report.generate.max_tokens`: expected at least 1, found 0",
        "`report.general.limit`: expected at least 1, found 0",
        "`report.general.max_tokens`: expected at least 2, found 1",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let text = COMPLETION.replace("general.jsonl", "nowhere.jsonl");
    let Experiment { config, origins } = layers(&workshop, &(text + FULL))
        .experiment(Some("full"))
        .expect("settings");
    let found = run(
        &config,
        &workshop.path("run"),
        &options(&origins),
        &mut Unwatched,
    );
    let message = workshop.plain(found.expect_err("not there"));
    assert!(
        message.starts_with("texts.toml:16: `report.general.path`: there is no file nowhere.jsonl"),
        "{message}"
    );
}

#[test]
fn runs_without_these_measures_are_as_they_were() {
    let workshop = Workshop::new();
    let experiment = workshop.experiment("[tuner]\nmethod = \"none\"\n[train]\nsteps = 1\n");
    // No key is written that an older program would not know, and that would give the run another name.
    let resolved = toml::to_string(&experiment.config).expect("TOML");
    assert!(!resolved.contains("gener"), "{resolved}");
    // A result that an older program wrote.
    let mut config = experiment.config.clone();
    config.base.train = vec![".*".into()];
    let out = workshop.path("run");
    let result = run(&config, &out, &options(&experiment.origins), &mut Unwatched).expect("done");
    let mut value = serde_json::to_value(&result).expect("JSON");
    value.as_object_mut().expect("fields").remove("forgetting");
    for (part, keys) in [
        ("test", ["perplexity", "generated"]),
        ("seconds", ["generation", "general"]),
    ] {
        let part = value[part].as_object_mut().expect("fields");
        assert!(keys.into_iter().all(|key| part.remove(key).is_some()));
    }
    workshop.write("run/result.json", &value.to_string());
    let read = pilotlight_compare::run::read_result(&out.join("result.json"));
    assert_eq!(read.expect("readable"), result);
}
