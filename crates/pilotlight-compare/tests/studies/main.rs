//! What a comparison runs: axes and baselines; in the files beside this one searches, budgets, ensembles.

#[path = "../common/mod.rs"]
mod common;

mod before;
mod ensembles;
mod search;

use common::{Local, Workshop};
use pilotlight_compare::{
    Claim, Comparison, InProcess, Known, Launcher, PlannedRun, Report, RunKind, RunResult, Survey,
    Unwatched, compare, layers::Origins, plan,
};

const PROMPT: &str = r#"
[train]
steps = 6
batch_size = 4
[methods.prompt]
tuner = { method = "soft-prompt", prompt_length = 3 }
train.learning_rate = 0.05
"#;
const FULL: &str = r#"
[methods.full]
base.train = [".*"]
tuner.method = "none"
train.learning_rate = 1e-3
"#;

#[track_caller]
fn comparison(workshop: &Workshop, top: &str, rest: &str) -> Comparison {
    // Keys of comparisons stand at the top, where a file of several sections has no room left but in front.
    let mut layers = workshop.layers(rest);
    layers.assignments = top.lines().map(String::from).collect();
    let comparison = layers.comparison();
    comparison.unwrap_or_else(|error| panic!("{error}"))
}

/// Carries out runs and remembers them.
#[derive(Default)]
struct Recorder {
    launched: Vec<String>,
}

impl Launcher for Recorder {
    fn launch(&mut self, run: &PlannedRun, claim: &Claim) -> Result<RunResult, String> {
        let seed = run.config.seed;
        self.launched.push(format!("{}, seed {seed}", run.title()));
        let mut launcher = InProcess {
            resolver: &Local,
            origins: &Origins::default(),
            observer: &mut Unwatched,
        };
        launcher.launch(run, claim)
    }
}

/// The report of a comparison, and what was launched for it.
#[track_caller]
fn carried_out(comparison: &Comparison, workshop: &Workshop) -> (Report, Vec<String>) {
    let mut recorder = Recorder::default();
    let out = workshop.path("out");
    let report = compare(
        comparison,
        &out,
        Default::default(),
        &mut recorder,
        &mut |_| {},
    );
    (report.expect("a report"), recorder.launched)
}

#[test]
fn a_new_value_of_an_axis_runs_what_is_missing() {
    let workshop = Workshop::new();
    let lengths = |values: &str| {
        let length = format!("methods.prompt.tuner.prompt_length={values}");
        comparison(&workshop, &format!("seeds=2\n{length}"), PROMPT)
    };
    let (first, launched) = carried_out(&lengths("[1, 3]"), &workshop);
    assert_eq!(
        launched,
        [
            "untuned, seed 1",
            "prompt, prompt_length 1, seed 1",
            "prompt, prompt_length 3, seed 1",
            "prompt, prompt_length 1, seed 2",
            "prompt, prompt_length 3, seed 2",
        ]
    );
    assert_eq!(first.about.axes.len(), 1);
    let (more, launched) = carried_out(&lengths("{ from = 1, to = 5, steps = 3 }"), &workshop);
    assert_eq!(
        launched,
        [
            "prompt, prompt_length 5, seed 1",
            "prompt, prompt_length 5, seed 2"
        ]
    );
    let labels: Vec<&str> = more.table.rows.iter().map(|row| &*row.label).collect();
    let lengths = [1, 3, 5].map(|it| format!("prompt, prompt_length {it}"));
    assert_eq!(labels[2..], lengths);
    assert_eq!(more.table.rows[3], first.table.rows[3]);
}

#[test]
fn an_untuned_base_stands_beside_every_model_and_task() {
    let workshop = Workshop::new();
    let methods = PROMPT.replace("prompt_length = 3", "prompt_length = [1, 3]")
        + FULL
        + "data.limit_per_class = [2, 4]\n";
    let template = "task.template=[\"{{ text }} is\", \"{{ text }} was\"]";
    let comparison = comparison(
        &workshop,
        &format!("{template}\ndata.limit=[20, 30]"),
        &methods,
    );
    let plan = plan(&comparison, &workshop.path("out"), &Known::default());
    let of_kind = |kind| plan.runs.iter().filter(move |run| run.kind == kind);
    let untuned: Vec<String> = of_kind(RunKind::Baseline).map(PlannedRun::title).collect();
    // The data that are trained on change nothing for it.
    let titles = ["is", "was"].map(|word| format!("untuned, template {{{{ text }}}} {word}"));
    assert_eq!(untuned, titles);
    assert_eq!(of_kind(RunKind::Method).count(), 2 * 2 * 2 + 2 * 2 * 2);
    let mut folders: Vec<_> = plan.runs.iter().map(|run| &run.folder).collect();
    folders.sort();
    folders.dedup();
    assert_eq!(folders.len(), plan.runs.len());
}

#[test]
fn decoders_are_shown_examples_in_context() {
    let workshop = Workshop::new();
    let planned = |top: &str| {
        let comparison = comparison(&workshop, &format!("seeds=2\n{top}"), PROMPT);
        let survey = Survey::new(&comparison, &Local).expect("sound");
        let comparison = comparison.settled(&survey).expect("settled");
        let plan = plan(&comparison, &workshop.path("out"), &Known::default());
        let baselines = plan
            .runs
            .into_iter()
            .filter(|run| run.kind == RunKind::Baseline);
        let titles = baselines.map(|run| format!("{}, seed {}", run.title(), run.config.seed));
        titles.collect::<Vec<_>>()
    };
    let few_shot = |shots: &str| [1, 2].map(|it| format!("few-shot, {shots} per class, seed {it}"));
    let beside_untuned = |more: &[String]| {
        let mut all = vec!["untuned, seed 1".to_owned()];
        all.extend_from_slice(more);
        all
    };
    // As many as find room in 64 positions beside an input.
    let short = "task.max_tokens=16";
    assert_eq!(planned(short), beside_untuned(&few_shot("1")));
    assert_eq!(planned("baselines.shots=0"), beside_untuned(&[]));
    let wished = format!("{short}\nbaselines.shots=[1, 0]");
    assert_eq!(planned(&wished), beside_untuned(&few_shot("1")));
    // An encoder has no next word to say.
    let encoder = format!("base.model={:?}", workshop.path("encoder"));
    assert_eq!(planned(&encoder), beside_untuned(&[]));

    let (report, launched) = {
        let comparison = comparison(&workshop, &format!("seeds=2\n{short}"), PROMPT);
        let survey = Survey::new(&comparison, &Local).expect("sound");
        carried_out(&comparison.settled(&survey).expect("settled"), &workshop)
    };
    assert_eq!(launched.len(), 5);
    let row = &report.table.rows[2];
    assert_eq!(
        (&*row.label, &*row.seeds),
        ("few-shot, 1 per class", [1, 2].as_slice())
    );
    assert!(row.accuracy.is_some());

    let too_many = comparison(&workshop, "baselines.shots=50", PROMPT);
    let error = Survey::new(&too_many, &Local)
        .expect_err("no room")
        .to_string();
    assert!(
        error.contains("few-shot, 50 per class: ") && error.contains("task.shots"),
        "{error}"
    );
}

#[test]
fn mistakes_of_a_comparison_as_a_whole_are_told() {
    let workshop = Workshop::new();
    let mistake = |top: &str| {
        let mut layers = workshop.layers(&(PROMPT.to_owned() + FULL));
        layers.assignments = top.lines().map(String::from).collect();
        layers.comparison().expect_err("a mistake").to_string()
    };
    for (top, expected) in [
        ("budget=computer", "did you mean \"compute\"?"),
        ("search.trails=2", "did you mean `trials`?"),
        (
            "search.trials=0",
            "`search.trials`: expected 1 to 100, found 0",
        ),
        ("trials=2", "`trials` belongs to [search]"),
        (
            "search.trials=2\nsearch.learning_rates={from=0.1, to=0.4, steps=2}",
            "`search.trials`: has no effect beside `learning_rates`",
        ),
        (
            "search.trials=2\nmethods.full.train.learning_rate=[0.1, 0.2]",
            "`search`: chooses the learning rate, which is an axis",
        ),
        (
            "search.choose_by=accuracy\ntask.kind=language-modelling",
            "`search.choose_by`: a task without classes",
        ),
        (
            "methods.full.budget=steps",
            "it stands at the top of the file",
        ),
    ] {
        let report = mistake(top);
        assert!(report.contains(expected), "{expected}\nis not in\n{report}");
    }
    // A method that does not fit its model is named.
    let wrong = comparison(&workshop, "methods.full.base.train=[\"nothing\"]", FULL);
    let error = Survey::new(&wrong, &Local)
        .expect_err("a mistake")
        .to_string();
    assert!(error.starts_with("method full: "), "{error}");
}
