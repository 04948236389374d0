//! What a comparison runs: axes, searches for learning rates, budgets.

mod common;

use common::{Local, Workshop};
use pilotlight_compare::{
    Comparison, Estimates, Evidence, InProcess, Known, Launcher, Outcome, PlannedRun, Report,
    RunKind, RunResult, Standing, Survey, Unwatched, Validation, compare, layers::Origins, plan,
    run::read_result,
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
    fn launch(&mut self, run: &PlannedRun) -> Result<RunResult, String> {
        let seed = run.config.seed;
        self.launched.push(format!("{}, seed {seed}", run.title()));
        let mut launcher = InProcess {
            resolver: &Local,
            origins: &Origins::default(),
            observer: &mut Unwatched,
        };
        launcher.launch(run)
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
    assert_eq!(first.axes.len(), 1);
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
fn every_method_is_tried_alike_and_the_best_is_tested() {
    let workshop = Workshop::new();
    let methods = PROMPT.to_owned() + FULL;
    let comparison = comparison(&workshop, "seeds=[3,4]\nsearch.trials=2", &methods);
    let (report, launched) = carried_out(&comparison, &workshop);
    let seed_of = |title: &str, seed| format!("{title}, seed {seed}");
    let trials = |name: &str, rates: [f64; 2]| {
        rates.map(|rate| seed_of(&format!("{name}, trial of {rate}"), 3))
    };
    let mut expected = vec![seed_of("untuned", 3)];
    expected.extend(trials("prompt", [0.01667, 0.05]));
    expected.push(seed_of("prompt", 3));
    expected.extend(trials("full", [0.0003333, 0.001]));
    expected.push(seed_of("full", 3));
    expected.extend(["prompt", "full"].map(|name| seed_of(name, 4)));
    assert_eq!(launched, expected);

    let mut known = Known::default();
    let out = workshop.path("out");
    let planned = plan(&comparison, &out, &known);
    assert_eq!((planned.runs.len(), planned.waiting.len()), (1 + 2 * 2, 4));
    for run in &planned.runs {
        let file = |name: &str| run.folder.join(name).exists();
        let is_trial = run.kind == RunKind::Trial;
        assert!(!file("adapter") && file("predictions.jsonl") != is_trial);
        let result = read_result(&run.folder.join("result.json")).expect("a result");
        assert_eq!(result.test.is_none(), is_trial);
        let validation = Validation::of(&result);
        assert_eq!(validation.accuracy.is_some(), is_trial);
        known.insert(run.folder.clone(), Outcome::Finished(validation));
    }
    let planned = plan(&comparison, &out, &known);
    assert!(planned.waiting.is_empty());
    assert_eq!(planned.chosen, report.chosen);
    for chosen in &report.chosen {
        let loss = |(_, found): &(f64, Option<Validation>)| found.and_then(|it| it.loss);
        let mut trials = chosen.trials.clone();
        trials.sort_by(|a, b| loss(a).partial_cmp(&loss(b)).expect("losses"));
        assert_eq!(chosen.learning_rate, Some(trials[0].0));
        let mut tested = planned
            .runs
            .iter()
            .filter(|run| run.kind == RunKind::Method && run.method == chosen.method);
        let rate = trials[0].0;
        assert!(tested.all(|run| run.config.train.learning_rate == rate));
    }
    let labels: Vec<&str> = report.table.rows.iter().map(|row| &*row.label).collect();
    assert_eq!(labels, ["majority", "untuned", "prompt", "full"]);
    let markdown = String::from_utf8(workshop.read("out/report.md")).expect("text");
    assert!(
        markdown.contains("tried with 2 learning rates"),
        "{markdown}"
    );
    assert!(markdown.contains("## Learning rates"), "{markdown}");
    // Another trial is all that is new.
    let mut wider = comparison.clone();
    wider.search.as_mut().expect("a search").trials = 3;
    let (_, launched) = carried_out(&wider, &workshop);
    let new = launched.iter().filter(|title| title.contains("trial"));
    assert_eq!(new.count(), 2);
}

#[test]
fn a_trial_that_fails_is_not_chosen() {
    let workshop = Workshop::new();
    let rates = "search.learning_rates=[0.05, 9e5]";
    let methods = FULL.to_owned() + "train.steps = 6\ntrain.optimizer = \"sgd\"\n";
    let (report, launched) = carried_out(&comparison(&workshop, rates, &methods), &workshop);
    assert_eq!(launched.last().expect("a run"), "full, seed 3");
    // A learning rate that is too high is a result.
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    assert_eq!(report.chosen[0].trials[1], (9e5, None));
    assert_eq!(report.chosen[0].learning_rate, Some(0.05));
    // With no trial left there is nothing to be tested.
    let hopeless = "search.learning_rates=[9e5]";
    let (report, _) = carried_out(&comparison(&workshop, hopeless, &methods), &workshop);
    assert_eq!(report.chosen[0].learning_rate, None);
    assert_eq!(report.table.rows.len(), 2);
    let [failure] = report.failures.as_slice() else {
        panic!("{:?}", report.failures);
    };
    assert!(
        failure.message.contains("the loss is"),
        "{}",
        failure.message
    );
}

#[test]
fn budgets_are_equal_in_steps_or_in_computation() {
    let workshop = Workshop::new();
    let lora = r#"
[methods.lora]
tuner = { method = "lora", rank = 2 }
train = { steps = 100, warmup = 10, eval_every = 20, batch_size = 8 }
"#;
    let methods = PROMPT.to_owned() + FULL + lora;
    let budgeted = |budget: &str| {
        let comparison = comparison(&workshop, &format!("budget={budget}"), &methods);
        let survey = Survey::new(&comparison, &Local).expect("sound");
        let comparison = comparison.settled(&survey).expect("a budget");
        let trained = comparison.methods.values().map(|method| {
            let config = method.first();
            let work = survey.work(config).expect("surveyed");
            let operations = work.step_operations * config.train.batch_size as f64;
            (config.train.clone(), operations)
        });
        trained.collect::<Vec<_>>()
    };
    let steps = budgeted("steps");
    assert!(steps.iter().all(|(train, _)| train.steps == Some(6)));
    let of_lora = &steps[2].0;
    assert_eq!((of_lora.warmup, of_lora.eval_every), (1, Some(1)));

    let compute = budgeted("compute");
    let (first, of_step) = &compute[0];
    assert_eq!(first.steps, Some(6));
    for (train, operations) in &compute[1..] {
        let n_steps = train.steps.expect("steps") as f64;
        let difference = n_steps * operations - 6.0 * of_step;
        assert!(difference.abs() <= operations / 2.0, "{difference}");
    }
    // The prompt makes a text of nine tokens longer by three, full fine-tuning computes half as much again.
    let ratio = compute[1].1 / of_step;
    assert!((1.0..1.5).contains(&ratio), "{ratio}");

    let steps = comparison(&workshop, "budget=steps\ntrain.steps=[1, 2]", FULL);
    let survey = Survey::new(&steps, &Local).expect("sound");
    let error = steps.settled(&survey).expect_err("no room");
    assert!(
        error.to_string().contains("`train.steps`: is an axis"),
        "{error}"
    );
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
fn runs_are_estimated_from_what_is_known() {
    let workshop = Workshop::new();
    let comparison = comparison(&workshop, "seeds=2", &(PROMPT.to_owned() + FULL));
    let survey = Survey::new(&comparison, &Local).expect("sound");
    let out = workshop.path("out");
    let standing = Standing::read(&comparison, &out).expect("no folder yet");
    assert!(standing.ended.iter().all(Option::is_none));
    let mut estimates = Estimates::new(&survey);
    let [untuned, prompt, full, ..] = standing.plan.runs.as_slice() else {
        panic!("five runs");
    };
    let of = |estimates: &Estimates<'_>, run| estimates.of(run).expect("surveyed");
    let first = of(&estimates, prompt);
    assert_eq!(first.seconds_from, Evidence::TimedPass);
    assert!(first.seconds > 0.0);
    let memory = |estimates: &Estimates<'_>, run| of(estimates, run).memory_bytes;
    assert!(memory(&estimates, full) > memory(&estimates, prompt));
    assert_eq!(memory(&estimates, untuned), None);

    // One run is done: the next seed of its method is like it, and another method computes as fast.
    let mut only = comparison.clone();
    only.seeds = vec![1];
    only.methods.shift_remove("full");
    carried_out(&only, &workshop);
    let standing = Standing::read(&comparison, &out).expect("readable");
    assert_eq!(standing.finished().count(), 2);
    for (run, result) in standing.finished() {
        estimates.learn(run, result);
    }
    let next = &standing.plan.runs[3];
    let (_, result) = standing.finished().last().expect("the prompt");
    let (found, other) = (of(&estimates, next), of(&estimates, full));
    assert_eq!(found.seconds_from, Evidence::SameMethod);
    assert!((found.seconds - result.seconds.total).abs() < 1e-6 * result.seconds.total);
    assert_eq!(
        found.memory_bytes,
        result.peak_memory_bytes.map(|it| it as f64)
    );
    assert_eq!(other.seconds_from, Evidence::OtherRuns);
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
