//! Comparisons that several workers, or several machines, carry out.

mod common;

use std::{
    fs::{self, File},
    process::Command,
    sync::Barrier,
    thread,
    time::Duration,
};

use common::Workshop;
use pilotlight_compare::{
    ChildProcess, CompareEvent, CompareOptions, Comparison, Known, Launcher, Outcome, Plan,
    PlannedRun, Report, RunKind, Validation, Worker, claim::LIFETIME, compare, plan,
};

const METHODS: &str = r#"
[train]
steps = 2
batch_size = 4
[methods.prompt]
tuner = { method = "soft-prompt", prompt_length = [1, 2, 3] }
[methods.lora]
tuner = { method = "lora", rank = 2 }
"#;

fn comparison(workshop: &Workshop, top: &str) -> Comparison {
    let mut layers = workshop.layers(METHODS);
    layers.assignments = top.lines().map(String::from).collect();
    layers.comparison().expect("settings")
}

/// A process for each run that says who it is and goes on by `script`.
fn process(
    script: &'static str,
) -> ChildProcess<impl FnMut(&PlannedRun) -> Command, impl FnMut(&str)> {
    ChildProcess {
        command: move |run: &PlannedRun| {
            let mut command = Command::new("sh");
            command.arg("-c").arg(script).current_dir(&run.folder);
            command
        },
        hear: |_: &str| {},
    }
}

#[test]
fn shards_are_all_of_a_comparison_and_have_no_run_in_common() {
    let workshop = Workshop::new();
    let out = workshop.path("out");
    for (top, belong_together) in [
        ("seeds=3", false),
        ("seeds=3\nsearch.trials=2", true),
        ("seeds=3\nensembles.sizes=[2,3]", true),
        ("seeds=3\nsearch.trials=2\nensembles.sizes=[3]", true),
    ] {
        let whole = comparison(&workshop, top);
        // More runs are known when trials are done, and again when the members of ensembles are.
        let mut known = Known::default();
        for _ in 0..3 {
            let all = plan(&whole, &out, &known);
            for count in 1..=7 {
                let parts: Vec<Plan> = (1..=count)
                    .map(|number| {
                        let mut part = whole.clone();
                        part.shard = Some(format!("{number}/{count}").parse().expect("a shard"));
                        plan(&part, &out, &known)
                    })
                    .collect();
                check_parts(&all, &parts, belong_together);
            }
            for (index, run) in all.runs.iter().enumerate() {
                let validation = Validation {
                    loss: Some(index as f64),
                    accuracy: None,
                };
                known.insert(run.folder.clone(), Outcome::Finished(validation));
            }
        }
    }
}

/// What is known of runs: all but the folder of one that waits.
fn names(plan: &Plan) -> Vec<String> {
    let runs = plan.runs.iter().chain(&plan.waiting);
    let name = |run: &PlannedRun| format!("{} {} {:?}", run.title(), run.config.seed, run.folder);
    runs.map(name).collect()
}

#[track_caller]
fn check_parts(all: &Plan, parts: &[Plan], belong_together: bool) {
    let mut united: Vec<String> = parts.iter().flat_map(names).collect();
    let mut expected = names(all);
    united.sort();
    expected.sort();
    assert_eq!(united, expected);
    let sizes: Vec<usize> = parts.iter().map(Plan::n_runs).collect();
    if !belong_together {
        let (least, most) = (sizes.iter().min(), sizes.iter().max());
        assert!(
            most.expect("parts") - least.expect("parts") <= 1,
            "{sizes:?}"
        );
        return;
    }
    // Who has one run of a method at a point has all of them.
    let of_method = |plan: &Plan, of: &PlannedRun| {
        let runs = plan.runs.iter().chain(&plan.waiting);
        let same = |run: &&PlannedRun| run.method == of.method && run.point == of.point;
        runs.filter(same).count()
    };
    for part in parts {
        for run in part.runs.iter().filter(|run| run.kind != RunKind::Baseline) {
            assert_eq!(of_method(part, run), of_method(all, run));
        }
    }
}

#[test]
fn workers_do_each_run_once_and_write_the_same_report() {
    let workshop = Workshop::new();
    let comparison = comparison(&workshop, "seeds=2");
    let out = workshop.path("out");
    // What fails is done once too, and once more by those that were asked for it together.
    for (retry, n_tries) in [(false, 1), (false, 1), (true, 2)] {
        let n_workers = 4;
        let begun = Barrier::new(n_workers);
        let work = || -> Report {
            let options = CompareOptions {
                retry,
                // The pauses of those that wait are shorter then.
                claim_lifetime: Duration::from_secs(20),
                ..CompareOptions::default()
            };
            let mut launcher = process("echo once >> tries; exit 1");
            let mut is_first = true;
            let report = compare(&comparison, &out, options, &mut launcher, &mut |event| {
                if matches!(event, CompareEvent::Plan(_)) && is_first {
                    is_first = false;
                    begun.wait();
                }
            });
            report.expect("a report")
        };
        let reports: Vec<Report> = thread::scope(|scope| {
            let workers: Vec<_> = (0..n_workers).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .map(|worker| worker.join().expect("a worker"))
                .collect()
        });
        assert!(reports.iter().all(|report| *report == reports[0]));
        assert_eq!(reports[0].failures.len(), 1 + 2 * 4);
        for failure in &reports[0].failures {
            let tries = fs::read_to_string(failure.folder.join("tries")).expect("tried");
            assert_eq!(tries.lines().count(), n_tries, "{}", failure.method);
            assert!(
                failure.message.contains("exit status: 1"),
                "{}",
                failure.message
            );
            let left = fs::read_dir(&failure.folder).expect("a folder");
            let names = left.map(|entry| entry.expect("an entry").file_name());
            let claims = names.filter(|name| name.to_string_lossy().starts_with("claim"));
            assert_eq!(claims.count(), 0);
        }
    }
}

#[test]
fn a_process_ends_with_the_claim_of_its_run() {
    let workshop = Workshop::new();
    let comparison = comparison(&workshop, "");
    let plan = plan(&comparison, &workshop.path("out"), &Known::default());
    let run = &plan.runs[0];
    fs::create_dir_all(&run.folder).expect("made");
    // It looks at its claim every tenth of a second.
    let worker = Worker::new(Duration::from_millis(500));
    let claim = worker.claim(&run.folder).expect("readable");
    let claim = claim.expect("nobody else is there");
    // The process makes another worker's claim by itself, and ends with its standard input.
    let error = process("touch claim-2.json; cat; exit 3").launch(run, &claim);
    assert!(error.expect_err("it ended").contains("exit status: 3"));
    assert!(claim.is_lost());
    // That is no failure of the run.
    assert!(!run.folder.join("error.txt").exists());
    drop(claim);

    // Nor is it one to be asked to stop.
    for number in 1..=2 {
        fs::remove_file(run.folder.join(format!("claim-{number}.json"))).expect("there");
    }
    let claim = Worker::new(LIFETIME).claim(&run.folder).expect("readable");
    let claim = claim.expect("nobody else is there");
    let error = process("kill -TERM $$").launch(run, &claim);
    assert!(error.expect_err("it ended").contains("signal: 15"));
    assert!(!run.folder.join("error.txt").exists());
    process("kill -KILL $$")
        .launch(run, &claim)
        .expect_err("it ended");
    assert!(File::open(run.folder.join("error.txt")).is_ok());
}
