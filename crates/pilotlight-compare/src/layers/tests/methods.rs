//! Comparisons: one set of settings for each method.

use super::*;

#[test]
fn methods_override_any_section() {
    let text = FILE.to_owned()
        + r#"
[methods.prompt]
[methods.full]
label = "everything"
base.train = [".*"]
tuner.method = "none"
train.learning_rate = 2e-5
"#;
    let file = file(&(String::from("seeds = [1, 2]\n") + &text))
        .variables(&[("PILOT_METHODS__FULL__TRAIN__STEPS", "3")]);
    let comparison = file.layers.comparison().expect("settings");
    assert_eq!(comparison.name, "experiment");
    assert_eq!(comparison.seeds, [1, 2]);
    let [prompt, full] = ["prompt", "full"].map(|name| &comparison.methods[name]);
    assert_eq!((&*prompt.label, &*full.label), ("prompt", "everything"));
    assert_eq!(prompt.first().tuner.method(), "soft-prompt");
    assert_eq!(full.first().tuner.method(), "none");
    assert_eq!(full.first().train.learning_rate, 2e-5);
    assert_eq!(full.first().train.steps, Some(3));
    assert_eq!(prompt.first().train.steps, Some(10));

    let one = file.layers.experiment(Some("full")).expect("settings");
    assert_eq!(&one.config, full.first());
    let none = file.layers.experiment(None).expect_err("two methods");
    assert!(none.to_string().contains("`--method prompt`"), "{none}");
    let typo = file.layers.experiment(Some("ful")).expect_err("a typo");
    assert!(typo.to_string().contains("did you mean `full`?"), "{typo}");
}

#[test]
fn upper_layers_are_stronger_than_the_methods_below_them() {
    let text = FILE.to_owned()
        + r#"
[methods.prompt]
train.steps = 20
[methods.full]
train = { steps = 30, batch_size = 2 }
"#;
    let comparison = file(&text)
        .variables(&[("PILOT_TRAIN__BATCH_SIZE", "5")])
        .set(&["train.steps=3", "methods.full.train.steps=4"])
        .layers
        .comparison()
        .expect("settings");
    let trained = |name: &str| {
        let train = &comparison.methods[name].first().train;
        (train.steps, train.batch_size)
    };
    assert_eq!(trained("prompt"), (Some(3), 5));
    assert_eq!(trained("full"), (Some(4), 5));

    let text = "preset = \"default\"\n[train]\nsteps = 2\n[methods.lora]\ntrain.steps = 1";
    let comparison = file(text).layers.comparison().expect("settings");
    let steps: Vec<_> = comparison
        .methods
        .values()
        .map(|method| method.first().train.steps)
        .collect();
    assert_eq!(steps, [Some(2), Some(2), Some(1), Some(2), Some(2)]);
}

#[test]
fn methods_are_tables() {
    let text = FILE.to_owned() + "\n[methods]\nlora = 5\n";
    let file = file(&text);
    let error = file.layers.comparison().expect_err("not a table");
    assert!(
        file.report(error)
            .starts_with("experiment.toml:18: `methods.lora`: expected a table")
    );
}
