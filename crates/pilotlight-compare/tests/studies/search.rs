//! Searches for learning rates.

use pilotlight_compare::{Known, Outcome, RunKind, Validation, plan, run::read_result};

use super::{FULL, PROMPT, carried_out, common::Workshop, comparison};

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
