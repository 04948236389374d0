//! Several `pilot compare` on one folder, some of them killed: every run is done exactly once.

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, SystemTime},
};

use fs_err::File;
use serde_json::Value;
use support::{
    experiment::{EXPERIMENT, prepare, steps_so_far},
    pilot, run,
};

const N_WORKERS: usize = 4;
const N_KILLS: usize = 5;
const N_STEPS: usize = 200;
const TITLES: [&str; 4] = ["untuned", "prompt", "lora", "ia3"];
const N_SEEDS: usize = 2;

/// A comparison whose runs are long enough to be killed in their middle.
fn prepare_comparison(folder: &Path) {
    prepare(folder);
    let (head, tail) = EXPERIMENT.split_once("[tuner]").expect("a section");
    let (_, train) = tail.split_once("[train]").expect("a section");
    let train = train
        .replace("steps = 24", &format!("steps = {N_STEPS}"))
        .replace("eval_every = 8", "eval_every = 50")
        .replace("checkpoint_every = 2", "checkpoint_every = 20");
    let methods = r#"
[methods.prompt]
tuner = { method = "soft-prompt", prompt_length = 4, placement = "after" }
[methods.lora]
tuner = { method = "lora", rank = 2 }
[methods.ia3]
tuner = { method = "ia3" }
"#;
    let text = format!("seeds = {N_SEEDS}\nbaselines.shots = 0\n{head}[train]{train}{methods}");
    fs_err::write(folder.join("comparison.toml"), text).expect("written");
}

fn compare(folder: &Path, out: &str) -> Command {
    let mut command = pilot(folder);
    command.args(["compare", "comparison.toml", "--json", "--out", out]);
    // Long enough for a busy machine, short enough for whoever waits.
    command.env("PILOT_CLAIM_SECONDS", "6");
    command
}

/// A worker, and the files that it writes to.
struct Worker {
    process: Child,
    report: PathBuf,
    log: PathBuf,
}

impl Worker {
    fn start(folder: &Path, number: usize) -> Self {
        let report = folder.join(format!("report-{number}.json"));
        let log = folder.join(format!("log-{number}.txt"));
        let file = |path: &PathBuf| File::create(path).expect("a file").into_parts().0;
        let mut command = compare(folder, "shared");
        let command = command.stdout(file(&report)).stderr(file(&log));
        Self {
            process: command.spawn().expect("starts"),
            report,
            log,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One of a test that has failed goes on still.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Numbers that are the same each time (splitmix64).
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % bound as u64) as usize
    }
}

/// What the runs of a comparison were seen to be while workers carried them out.
#[derive(Default)]
struct Seen {
    /// Results, and when they were written.
    results: BTreeMap<PathBuf, (SystemTime, Vec<u8>)>,
}

impl Seen {
    /// A result that was there before has to be the same still.
    fn look(&mut self, runs: &[PathBuf]) {
        for run in runs {
            let path = run.join("result.json");
            let Ok(written) = fs_err::metadata(&path).and_then(|it| it.modified()) else {
                assert!(
                    !self.results.contains_key(run),
                    "{} is gone",
                    path.display()
                );
                continue;
            };
            let content = fs_err::read(&path).expect("a result");
            let now = (written, content);
            let before = self
                .results
                .entry(run.clone())
                .or_insert_with(|| now.clone());
            assert!(*before == now, "{} was written again", path.display());
        }
    }
}

fn runs(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs_err::read_dir(folder.join("shared/runs")) else {
        return Vec::new();
    };
    let mut runs: Vec<_> = entries.map(|entry| entry.expect("a run").path()).collect();
    runs.sort();
    runs
}

/// The process that holds the claim of a run.
fn holder(run: &Path) -> Option<u32> {
    let claims = fs_err::read_dir(run).ok()?.flatten();
    let numbers = claims.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let number = name.strip_prefix("claim-")?.strip_suffix(".json")?;
        number.parse::<u64>().ok()
    });
    let newest = run.join(format!("claim-{}.json", numbers.max()?));
    let claim: Value = serde_json::from_slice(&fs_err::read(newest).ok()?).ok()?;
    claim["worker"].as_str()?.rsplit('-').next()?.parse().ok()
}

#[test]
fn killed_workers_leave_their_runs_to_others_and_each_is_done_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    prepare_comparison(folder);
    let mut workers: Vec<Worker> = (0..N_WORKERS)
        .map(|number| Worker::start(folder, number))
        .collect();
    let mut killed: Vec<Worker> = Vec::new();
    let mut draws = Draws(7);
    let mut next_kill = draws.below(N_STEPS - 40);
    let mut seen = Seen::default();
    loop {
        let runs = runs(folder);
        seen.look(&runs);
        // A worker whose run has come far enough is killed, and another one started.
        let mut victims = runs.iter().filter(|run| {
            !run.join("result.json").exists() && (next_kill..N_STEPS).contains(&steps_so_far(run))
        });
        let victim = victims.find_map(|run| {
            let holder = holder(run)?;
            workers
                .iter()
                .position(|worker| worker.process.id() == holder)
        });
        if let Some(victim) = victim.filter(|_| killed.len() < N_KILLS) {
            let number = N_WORKERS + killed.len();
            let mut worker = std::mem::replace(&mut workers[victim], Worker::start(folder, number));
            worker.process.kill().expect("killed");
            worker.process.wait().expect("ended");
            killed.push(worker);
            next_kill = draws.below(N_STEPS - 40);
        }
        let states = workers
            .iter_mut()
            .map(|worker| worker.process.try_wait().expect("a state"));
        if states.filter(Option::is_some).count() == N_WORKERS {
            break;
        }
        thread::sleep(Duration::from_millis(2));
    }
    for worker in &mut workers {
        let log = fs_err::read_to_string(&worker.log).expect("a log");
        assert!(worker.process.wait().expect("ended").success(), "{log}");
    }
    assert_eq!(killed.len(), N_KILLS, "too fast to be killed");
    let runs = runs(folder);
    assert_eq!(runs.len(), 1 + N_SEEDS * (TITLES.len() - 1));
    seen.look(&runs);
    assert_eq!(seen.results.len(), runs.len());
    check_logs(&killed, &workers);

    // A single worker comes to the same, bit by bit.
    let alone = report(&run(&mut compare(folder, "alone")).done());
    for worker in &workers {
        let text = fs_err::read_to_string(&worker.report).expect("a report");
        assert_eq!(report(&text), alone);
    }
    let json = fs_err::read_to_string(folder.join("shared/results.json")).expect("a report");
    assert_eq!(report(&json), alone);
    for run in &runs {
        let name = run.file_name().expect("a name");
        let of_alone = folder.join("alone/runs").join(name);
        // One line for each step, in order: no two processes trained here at once.
        for file in ["metrics.jsonl", "predictions.jsonl"] {
            let read = |run: &Path| fs_err::read(run.join(file)).ok();
            assert!(read(run) == read(&of_alone), "{name:?}: {file} differs");
        }
    }
}

/// A report without its folder and command, and without what was measured by a clock or in memory.
fn report(text: &str) -> Value {
    const MEASURED: [&str; 6] = [
        "command",
        "memory",
        "seconds",
        "per_second",
        "peak_share",
        "latency",
    ];
    fn without(value: &mut Value) {
        match value {
            Value::Object(entries) => {
                entries.retain(|key, _| !MEASURED.iter().any(|it| key.contains(it)));
                entries.values_mut().for_each(without);
            }
            Value::Array(items) => items.iter_mut().for_each(without),
            _ => {}
        }
    }
    let text = text.replace("shared/runs/", "alone/runs/");
    let mut report = serde_json::from_str(&text).expect("JSON");
    without(&mut report);
    report
}

/// How a run went on in the log of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Course {
    /// It was carried out to its end.
    Done,
    /// It was begun, and the worker was killed or lost it.
    Interrupted,
}

/// The runs that a worker carried out, by their titles.
fn courses(log: &Path) -> Vec<(String, Course)> {
    let text = fs_err::read_to_string(log).expect("a log");
    let mut courses: Vec<(String, Course)> = Vec::new();
    let mut is_own = false;
    for line in text.lines() {
        if let Some((_, title)) = line.strip_prefix('[').and_then(|it| it.split_once("] ")) {
            is_own = !title.ends_with("(done before)");
            if is_own {
                let title = title.split(" (").next().unwrap_or_default();
                courses.push((title.to_owned(), Course::Interrupted));
            }
        } else if is_own && line.starts_with("test: ") {
            courses.last_mut().expect("a run").1 = Course::Done;
        }
    }
    courses
}

/// Every run was carried out to its end by at most one worker, and otherwise begun only by those that were killed.
fn check_logs(killed: &[Worker], others: &[Worker]) {
    let mut n_done: BTreeMap<String, usize> = BTreeMap::new();
    for (title, course) in killed
        .iter()
        .chain(others)
        .flat_map(|worker| courses(&worker.log))
    {
        *n_done.entry(title).or_default() += usize::from(course == Course::Done);
    }
    let expected: BTreeSet<String> = (1..=N_SEEDS)
        .flat_map(|seed| TITLES.map(|title| format!("{title}, seed {seed}")))
        .filter(|title| title != "untuned, seed 2")
        .collect();
    assert_eq!(n_done.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(n_done.values().all(|times| *times <= 1), "{n_done:?}");
    // A killed worker was in the middle of its last run, or just behind its end.
    for worker in killed {
        let courses = courses(&worker.log);
        let earlier = &courses[..courses.len().saturating_sub(1)];
        assert!(
            earlier.iter().all(|(_, course)| *course == Course::Done),
            "{courses:?}"
        );
    }
    let text = |worker: &Worker| fs_err::read_to_string(&worker.log).expect("a log");
    let resumed = killed.iter().chain(others).map(text);
    let n_resumed: usize = resumed
        .map(|log| log.matches("going on behind step").count())
        .sum();
    assert!(n_resumed > 0, "no run was resumed");
    let n_done: usize = n_done.values().sum();
    assert!(
        n_done + killed.len() >= expected.len(),
        "{n_done} of {}",
        expected.len()
    );
}
