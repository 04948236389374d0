//! Comparisons of methods on a small model.

mod common;

use std::process::{Command, Stdio};

use common::{Local, Workshop};
use pilotlight_compare::{
    ChildProcess, Claim, CompareEvent, CompareOptions, Comparison, InProcess, Known, Launcher,
    Layers, PlannedRun, Report, RunResult, Unwatched, Worker, claim::LIFETIME, compare,
    layers::Origins, plan, presets::PRESETS, table::Standing,
};

const METHODS: &str = r#"
[train]
steps = 6
batch_size = 4
[methods.prompt]
tuner = { method = "soft-prompt", prompt_length = 3 }
train.learning_rate = 0.05
[methods.broken]
label = "no such adapter"
tuner.from = "nowhere"
[methods.full]
label = "full fine-tuning"
base.train = [".*"]
tuner.method = "none"
train.learning_rate = 1e-3
"#;

const ONCE: CompareOptions = CompareOptions {
    retry: false,
    command: None,
    claim_lifetime: LIFETIME,
};

fn comparison(workshop: &Workshop) -> Comparison {
    let mut comparison = workshop.layers(METHODS).comparison().expect("readable");
    comparison.seeds = vec![3, 4];
    comparison
}

/// Nothing is left to be done.
struct Idle;

impl Launcher for Idle {
    fn launch(&mut self, run: &PlannedRun, _claim: &Claim) -> Result<RunResult, String> {
        Err(format!("{} was launched", run.label))
    }
}

#[test]
fn finished_runs_are_kept_and_failed_ones_reported() {
    let workshop = Workshop::new();
    let comparison = comparison(&workshop);
    let out = workshop.path("out");
    let mut launcher = InProcess {
        resolver: &Local,
        origins: &Origins::default(),
        observer: &mut Unwatched,
    };
    let mut events = Vec::new();
    let report = compare(&comparison, &out, ONCE, &mut launcher, &mut |event| {
        events.push(match event {
            CompareEvent::Run {
                run,
                number,
                n_runs,
                ..
            } => {
                format!("{number}/{n_runs} {}", run.label)
            }
            CompareEvent::Plan(plan) => format!("{} planned", plan.n_runs()),
            CompareEvent::Done { .. } => "done".into(),
            CompareEvent::Failed { message, .. } => {
                assert!(message.contains("holds no adapter"), "{message}");
                "failed".into()
            }
            _ => String::new(),
        });
    });
    let report = report.expect("a report");
    assert_eq!(
        events.join(", "),
        "7 planned, 1/7 untuned, done, 2/7 prompt, done, 3/7 no such adapter, failed, 4/7 full fine-tuning, done, \
         5/7 prompt, done, 6/7 no such adapter, failed, 7/7 full fine-tuning, done"
    );

    let labels: Vec<&str> = report.table.rows.iter().map(|row| &*row.label).collect();
    assert_eq!(
        labels,
        ["majority", "untuned", "prompt", "full fine-tuning"]
    );
    let [_, untuned, prompt, full] = report.table.rows.as_slice() else {
        panic!("four rows");
    };
    assert_eq!((prompt.trained, untuned.trained), (Some(3 * 32), Some(0)));
    assert_eq!(full.percent, Some(100.0));
    assert_eq!(full.seeds, [3, 4]);
    assert!(prompt.deviation.is_some() && prompt.accuracy.is_some());
    // The untuned base and both methods against each other.
    let [against_prompt, against_full, of_methods] = report.table.comparisons.as_slice() else {
        panic!("three pairs");
    };
    assert_eq!((against_prompt.first, against_prompt.second), (1, 2));
    assert_eq!((against_full.n_seeds, of_methods.n_seeds), (2, 2));
    let standings = report.table.rows.iter().map(|row| row.standing);
    assert_eq!(
        standings
            .clone()
            .filter(|it| *it == Some(Standing::Best))
            .count(),
        1
    );
    assert_eq!(standings.flatten().count(), 3);
    assert_eq!(report.failures.len(), 2);
    let markdown = String::from_utf8(workshop.read("out/report.md")).expect("text");
    assert!(markdown.contains("| full fine-tuning |"), "{markdown}");
    assert!(
        markdown.contains("## Failed runs\n\n**no such adapter, seed 3**"),
        "{markdown}"
    );
    let costs = markdown
        .split_once("\n## What it costs\n")
        .expect("a table");
    for title in [
        "time/step",
        "operations/token",
        "% of peak",
        "latency ratio",
        "extra KV",
    ] {
        assert!(costs.1.contains(&format!(" {title} |")), "{markdown}");
        assert!(!costs.0.contains(title), "{markdown}");
    }
    // One measurement for all runs, those of processes too.
    let peaks: Vec<serde_json::Value> =
        serde_json::from_slice(&workshop.read("out/peaks.json")).expect("JSON");
    let [peak] = peaks.as_slice() else {
        panic!("one device: {peaks:?}");
    };
    let peak = peak["operations_per_second"].as_f64();
    let of_runs = report.runs.iter().filter_map(|run| run.result.operations);
    let of_runs: Vec<Option<f64>> = of_runs.map(|it| it.peak_per_second).collect();
    assert_eq!(of_runs, [peak; 4]);
    let rows = String::from_utf8(workshop.read("out/results.csv")).expect("text");
    let header = rows.lines().next().expect("a header");
    for title in [
        "operations_per_token",
        "peak_share",
        "latency_ratio",
        "extra_kv_bytes",
    ] {
        assert!(header.split(',').any(|it| it == title), "{header}");
    }
    let seeds: Vec<&str> = rows
        .lines()
        .skip(1)
        .filter_map(|row| row.split(',').nth(2))
        .collect();
    assert_eq!(seeds, ["3", "3", "3", "4", "4"]);
    let figures = [
        "accuracy-parameters",
        "accuracy-time",
        "confusion",
        "training-loss",
    ];
    for name in figures {
        let figure = String::from_utf8(workshop.read(&format!("out/figures/{name}.svg")));
        assert!(figure.expect("text").contains("full fine-tuning"), "{name}");
        assert!(
            markdown.contains(&format!("](figures/{name}.svg)")),
            "{markdown}"
        );
    }
    let page = String::from_utf8(workshop.read("out/report.html")).expect("text");
    assert_eq!(page.matches("<svg").count(), figures.len());
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("@import"));
    let hash = report.sources.files[0].1.as_str();
    for part in [
        "full fine-tuning",
        "<h2 id=\"costs\">What it costs</h2>",
        "no such adapter, seed 3",
        "tuner.prompt_length = 3",
        hash,
    ] {
        assert!(page.contains(part), "{part}");
    }
    let latex = String::from_utf8(workshop.read("out/table.tex")).expect("text");
    assert!(
        latex.contains("\\textbf{") && latex.matches("\\bottomrule").count() == 2,
        "{latex}"
    );
    let json: Report = serde_json::from_slice(&workshop.read("out/results.json")).expect("JSON");
    assert_eq!(json, report);

    // What failed is reported again, and done again on request.
    let report_again = compare(&comparison, &out, ONCE, &mut Idle, &mut |_| {});
    assert_eq!(report_again.expect("a report"), report);
    let retry = CompareOptions {
        retry: true,
        ..ONCE
    };
    let retried = compare(&comparison, &out, retry, &mut Idle, &mut |_| {}).expect("a report");
    let failed = retried.failures.iter();
    let messages: Vec<&str> = failed.map(|failure| &*failure.message).collect();
    assert_eq!(messages, ["no such adapter was launched"; 2]);

    // What is finished is not done again, and gives the same table.
    let mut again = comparison.clone();
    again.methods.shift_remove("broken");
    let report_again = compare(&again, &out, ONCE, &mut Idle, &mut |_| {}).expect("a report");
    assert_eq!(report_again.table, report.table);
    assert!(report_again.failures.is_empty());
    // Other settings are another run.
    let method = again.methods.get_mut("prompt").expect("a method");
    method.points[0].config.train.learning_rate = 0.06;
    let changed = compare(&again, &out, ONCE, &mut Idle, &mut |_| {}).expect("a report");
    assert_eq!(changed.failures.len(), 2);
}

#[test]
fn all_runs_share_their_data() {
    let workshop = Workshop::new();
    let plan = plan(
        &comparison(&workshop),
        &workshop.path("out"),
        &Known::default(),
    );
    let runs = plan.runs;
    assert!(runs.iter().all(|run| run.config.data.seed == Some(3)));
    let seeds: Vec<u64> = runs.iter().map(|run| run.config.seed).collect();
    assert_eq!(seeds, [3, 3, 3, 3, 4, 4, 4]);
    let mut folders: Vec<_> = runs.iter().map(|run| &run.folder).collect();
    folders.sort();
    folders.dedup();
    assert_eq!(folders.len(), runs.len());
}

#[test]
fn a_process_that_fails_says_why() {
    let workshop = Workshop::new();
    let plan = plan(
        &comparison(&workshop),
        &workshop.path("out"),
        &Known::default(),
    );
    let run = plan.runs.into_iter().next().expect("a run");
    std::fs::create_dir_all(&run.folder).expect("made");
    let claim = Worker::new(LIFETIME).claim(&run.folder);
    let claim = claim.expect("readable").expect("nobody else is there");
    let mut heard = Vec::new();
    let mut fails = |script: &str| {
        let mut launcher = ChildProcess {
            command: |run: &PlannedRun| {
                let mut command = Command::new("sh");
                command.arg("-c").arg(script).current_dir(&run.folder);
                command.stderr(Stdio::piped());
                command
            },
            hear: |line: &str| heard.push(line.to_owned()),
        };
        launcher.launch(&run, &claim).expect_err("it fails")
    };
    assert_eq!(fails("echo the reason > error.txt; exit 1"), "the reason");
    assert!(fails("kill -9 $$").contains("memory"));
    assert!(fails("echo one >&2; echo two >&2").contains("result.json"));
    assert_eq!(heard, ["one", "two"]);
}

/// Presets that ask something else than which method is the best.
const STUDIES: [&str; 8] = [
    "length",
    "placement",
    "init",
    "data-size",
    "learning-rate",
    "domain-shift",
    "ensembles",
    "model-size",
];

#[test]
fn presets_compare_every_method() {
    for preset in PRESETS {
        let layers = Layers {
            preset: Some(preset.name.into()),
            ..Layers::default()
        };
        let comparison = layers.comparison().expect("settings");
        let configs = comparison.methods.values().map(|method| method.first());
        let found: Vec<&str> = configs.map(|config| config.tuner.method()).collect();
        // What is run without an argument must not take long.
        let missing: Vec<&&str> = pilotlight_tuners::METHODS
            .iter()
            .filter(|name| !found.contains(name))
            .collect();
        match preset.name {
            "default" => assert_eq!(comparison.methods.len(), 5),
            name if STUDIES.contains(&name) => assert!(!comparison.methods.is_empty()),
            name => assert!(missing.is_empty(), "{name} lacks {missing:?}"),
        }
    }
}
