//! Settings with several values.

use super::*;

/// The label of each method with the values at each of its points.
#[track_caller]
fn points(file: &File) -> Vec<String> {
    let comparison = file.layers.comparison();
    let comparison = comparison.unwrap_or_else(|error| panic!("{error}"));
    let of_method = |(name, method): (&String, &MethodConfig)| {
        let points = method.points.iter().map(|point| {
            let values = point.values.iter();
            let values: Vec<String> = values.map(|(key, it)| format!("{key}={it}")).collect();
            format!("{name} {}", values.join(" ")).trim_end().to_owned()
        });
        points.collect::<Vec<_>>()
    };
    comparison.methods.iter().flat_map(of_method).collect()
}

#[test]
fn lists_and_ranges_of_scalars_are_axes() {
    let text = FILE
        .replace(
            "prompt_length = 5",
            "prompt_length = [1, 5]\nplacement = ['before', 'after']",
        )
        .replace(
            "steps = 10",
            "learning_rate = { from = 1e-3, to = 1e-1, steps = 3, scale = 'log' }",
        );
    let comparison = file(&text).layers.comparison().expect("settings");
    let keys: Vec<&str> = comparison.axes.iter().map(|axis| &*axis.key).collect();
    assert_eq!(
        keys,
        [
            "tuner.prompt_length",
            "tuner.placement",
            "train.learning_rate"
        ]
    );
    let method = &comparison.methods["soft-prompt"];
    assert_eq!(method.points.len(), 2 * 2 * 3);
    let rates = method
        .points
        .iter()
        .map(|point| point.config.train.learning_rate);
    let rates: Vec<f64> = rates.collect();
    assert_eq!(rates[..4], [1e-3, 1e-2, 1e-1, 1e-3]);
    let last = method.points.last().expect("a point");
    let expected = toml::toml! { placement = "after" prompt_length = 5 };
    for (key, value) in &expected {
        assert_eq!(&last.values[&format!("tuner.{key}")], value);
    }
    let mut alone = FILE.replace(
        "prompt_length = 5",
        "prompt_length = 5\nplacement = 'after'",
    );
    alone = alone.replace("steps = 10", "learning_rate = 0.1");
    // A point is what the same settings are in a file of their own.
    let alone = file(&alone).config();
    assert_eq!(
        (&last.config.tuner, &last.config.train),
        (&alone.tuner, &alone.train)
    );
}

#[test]
fn lists_by_nature_are_none_unless_they_hold_lists() {
    let text = FILE
        .replace("steps = 10", "betas = [0.9, 0.99]")
        .replace("\" bad\"", "[\" bad\", \" poor\"]")
        .replace(
            "model = \"./model\"",
            "model = \"./model\"\ntrain = ['norm', 'bias']",
        )
        .replace("test = ", "where_test = { stars = [4, 5] }\ntest = ");
    assert_eq!(points(&file(&text)), ["soft-prompt"]);
    let text = text
        .replace("['norm', 'bias']", "[['norm'], ['bias'], []]")
        .replace("[4, 5]", "[[1, 2], [4, 5]]");
    let comparison = file(&text).layers.comparison().expect("settings");
    let points = &comparison.methods["soft-prompt"].points;
    assert_eq!(points.len(), 6);
    assert_eq!(points[0].config.base.train, ["norm"]);
    assert!(points[5].config.base.train.is_empty());
    // A list with a single value is the value.
    let single = file(FILE).set(&["tuner.prompt_length=[7]"]);
    assert_eq!(super::axes::points(&single), ["soft-prompt"]);
    assert_eq!(single.config().tuner.reserve(), 7);
}

#[test]
fn axes_come_through_all_layers_and_belong_to_their_methods() {
    let text = FILE.to_owned()
        + r#"
[methods.prompt]
tuner.prompt_length = [1, 2]
[methods.lora]
tuner = { method = "lora", rank = 4 }
"#;
    let read = file(&text)
        .variables(&[("PILOT_DATA__LIMIT_PER_CLASS", "[8, 32]")])
        .set(&["methods.lora.tuner.rank={from = 2, to = 8, steps = 3, scale = \"log\"}"]);
    let of_data = |method: &str, key: &str, values: &[i64]| -> Vec<String> {
        let pairs = [8, 32]
            .into_iter()
            .flat_map(|n| values.iter().map(move |it| (n, it)));
        let line = |(n, it)| format!("{method} data.limit_per_class={n} tuner.{key}={it}");
        pairs.map(line).collect()
    };
    let mut expected = of_data("prompt", "prompt_length", &[1, 2]);
    expected.extend(of_data("lora", "rank", &[2, 4, 8]));
    assert_eq!(points(&read), expected);
    // A stronger layer with one value takes the axis away.
    let fixed = file(&text).set(&["methods.prompt.tuner.prompt_length=3"]);
    assert_eq!(points(&fixed), ["prompt", "lora"]);

    let named = "preset = \"default\"\n[train]\nsteps = [1, 2]";
    let comparison = file(named).layers.comparison().expect("settings");
    assert!(
        comparison
            .methods
            .values()
            .all(|method| method.points.len() == 2)
    );
}

#[test]
fn paths_in_lists_are_relative_to_the_file() {
    let read = file(&FILE.replace("model = \"./model\"", "model = [\"./a\", \"org/b\"]"));
    let comparison = read.layers.comparison().expect("settings");
    let models = comparison.methods["soft-prompt"].points.iter();
    let models: Vec<&str> = models.map(|point| &*point.config.base.model).collect();
    assert_eq!(Path::new(models[0]), read.folder.path().join("a"));
    assert_eq!(models[1], "org/b");
}

#[test]
fn a_mistake_in_one_value_names_it() {
    let text = FILE.replace(
        "prompt_length = 5",
        "prompt_length = [\n1,\n\"x\"]\ninit = ['vocab', 'vocba']",
    );
    let read = file(&text).set(&[
        "train.step=[1, 2]",
        "train.batch_size=[]",
        "train.epochs=[0, 1]",
    ]);
    let error = read.layers.comparison().expect_err("mistakes");
    let report = read.report(error);
    for line in [
        "experiment.toml:15: `tuner.prompt_length`: expected a whole number, 0 or more, found \"x\"",
        "hint: did you mean \"vocab\"?",
        "--set train.step=[1, 2]: `train.step`: there is no such key\n  hint: did you mean `steps`?",
        "--set train.batch_size=[]: `train.batch_size`: expected a whole number, 0 or more, found an empty list",
    ] {
        assert!(report.contains(line), "{line}\nis not in\n{report}");
    }
    let read = file(FILE).set(&["train.epochs=[0, 1]"]);
    let report = read.report(read.layers.comparison().expect_err("a mistake"));
    assert!(
        report.starts_with("--set train.epochs=[0, 1]: `train.epochs`"),
        "{report}"
    );
    // Mistakes that read alike.
    let read = file(FILE).set(&["train.epochs=[]", "train.warmup=[]", "train.accumulate=3"]);
    let report = read.report(read.layers.comparison().expect_err("mistakes"));
    assert_eq!(report.matches("found an empty list").count(), 2, "{report}");
    let many = ["steps", "epochs", "batch_size", "warmup", "accumulate"]
        .map(|key| format!("train.{key}={{from=1, to=100, steps=100}}"));
    let read = file(FILE).set(&many.each_ref().map(|it| &**it));
    let error = read.layers.comparison().expect_err("too many").to_string();
    assert!(
        error.contains("more than 10000 combinations of train.steps"),
        "{error}"
    );
}

#[test]
fn a_single_run_has_single_values() {
    file(&FILE.replace("prompt_length = 5", "prompt_length = [1, 5]"))
        .set(&["train.learning_rate = {from=0.1, to=0.2, steps=2}"])
        .fails(
            "experiment.toml:13: `tuner.prompt_length`: expected one value, found 2\n  \
               hint: `pilot compare` runs all of them; `--set tuner.prompt_length=1` chooses one\n\
             --set train.learning_rate = {from=0.1, to=0.2, steps=2}: `train.learning_rate`: expected one value, \
             found 2\n  \
               hint: `pilot compare` runs all of them; `--set train.learning_rate=0.1` chooses one",
        );
}

#[test]
fn seeds_may_be_counted() {
    let seeds = |text: &str| {
        let read = file(&format!("seeds = {text}\n{FILE}"));
        let comparison = read.layers.comparison();
        comparison
            .map(|it| it.seeds)
            .map_err(|error| read.report(error))
    };
    assert_eq!(seeds("3"), Ok(vec![1, 2, 3]));
    assert_eq!(seeds("[4, 2]"), Ok(vec![4, 2]));
    for (text, found) in [
        ("0", "1 to 1000 seeds, found 0"),
        ("-1", "1 to 1000 seeds, found -1"),
        ("99999999999", "1 to 1000 seeds"),
        ("[]", "different seeds, found an empty list"),
        ("'x'", "expected a list"),
    ] {
        let report = seeds(text).expect_err("a mistake");
        assert!(report.contains(found), "{report}");
    }
}
