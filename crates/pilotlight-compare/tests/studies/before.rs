//! What is known of runs before they are done: budgets and estimates.

use pilotlight_compare::{Estimates, Evidence, Standing, Survey};

use super::{
    FULL, PROMPT, carried_out,
    common::{Local, Workshop},
    comparison,
};

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
