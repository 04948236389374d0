use pilotlight_data::TaskKind;
use pilotlight_train::{OptimizerKind, TrainConfig};

use super::*;

mod axes;
mod methods;

const FILE: &str = r#"
seed = 7
[base]
model = "./model"
[data]
train = "train.jsonl"
test = "/else/test.jsonl"
[task]
kind = "classification"
labels = { B = " bad", A = " good" }
[tuner]
method = "soft-prompt"
prompt_length = 5
[train]
steps = 10
"#;

/// A folder with an experiment file, and its layer.
struct File {
    folder: tempfile::TempDir,
    layers: Layers,
}

fn file(text: &str) -> File {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("experiment.toml");
    std::fs::write(&path, text).expect("written");
    let layers = Layers {
        file: Some(path),
        ..Layers::default()
    };
    File { folder, layers }
}

impl File {
    fn set(mut self, assignments: &[&str]) -> Self {
        self.layers.assignments = assignments.iter().map(ToString::to_string).collect();
        self
    }

    fn variables(mut self, variables: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.layers.variables = variables.iter().map(own).collect();
        self
    }

    #[track_caller]
    fn config(&self) -> ExperimentConfig {
        let experiment = self.layers.experiment(None);
        experiment.unwrap_or_else(|error| panic!("{error}")).config
    }

    /// The report without the path of the temporary folder.
    #[track_caller]
    fn report(&self, error: CompareError) -> String {
        let folder = self.folder.path().display().to_string();
        error.to_string().replace(&(folder + "/"), "")
    }

    #[track_caller]
    fn fails(&self, expected: &str) {
        let error = self.layers.experiment(None).expect_err("a mistake");
        assert_eq!(self.report(error), expected);
    }
}

#[test]
fn a_file_is_read_with_its_paths_made_absolute() {
    let file = file(FILE);
    let config = file.config();
    assert_eq!(config.seed, 7);
    assert_eq!(config.device, "auto");
    assert_eq!(config.task.kind, TaskKind::Classification);
    assert_eq!(config.data.train, file.folder.path().join("train.jsonl"));
    assert_eq!(config.data.test, Some("/else/test.jsonl".into()));
    let model = file.folder.path().join("./model");
    assert_eq!(Path::new(&config.base.model), model);
    // The order of the labels is that of the classes.
    assert!(config.task.labels.keys().eq(["B", "A"]));
}

#[test]
fn later_layers_are_stronger() {
    let config = file(FILE)
        .variables(&[
            ("PILOT_TRAIN__STEPS", "20"),
            ("PILOT_TRAIN__BATCH_SIZE", "4"),
            ("PILOT_SEED", "9"),
            ("PILOT_CACHE", "not a setting"),
            ("PILOT_DATA", "not a setting"),
            ("PATH", "not ours"),
        ])
        .set(&[
            "train.steps=30",
            "train.optimizer=sgd",
            "base.train = [\".*\"]",
        ])
        .config();
    assert_eq!(config.seed, 9);
    assert_eq!(config.train.batch_size, 4);
    assert_eq!(config.train.steps, Some(30));
    assert_eq!(config.train.optimizer, OptimizerKind::Sgd);
    assert_eq!(config.base.train, [".*"]);
}

#[test]
fn another_method_on_the_command_line_replaces_the_section() {
    let config = file(FILE)
        .set(&["tuner.rank=4", "tuner.method=lora"])
        .config();
    assert_eq!(config.tuner.method(), "lora");
}

#[test]
fn resolved_settings_are_the_settings_again() {
    let first = file(FILE).config();
    let text = toml::to_string(&first).expect("TOML");
    assert_eq!(file(&text).config(), first, "{text}");
}

#[test]
fn a_preset_is_the_bottom_layer() {
    let preset = |layers: Layers| layers.comparison().expect("settings");
    let own = preset(Layers {
        preset: Some("default".into()),
        ..Layers::default()
    });
    let named = preset(file("preset = \"default\"\nseed = 5\n[train]\nbatch_size = 3").layers);
    assert_eq!(own.name, "default");
    assert_eq!(named.seeds, [5]);
    assert_eq!(named.methods.len(), own.methods.len());
    let method = named.methods.first().expect("a method").1;
    assert_eq!(method.first().train.batch_size, 3);
    let error = presets::find("defualt").expect_err("no such preset");
    assert!(error.to_string().contains("hint: "), "{error}");
}

#[test]
fn a_task_is_a_preset_without_a_method() {
    let config = file("preset = \"sentences\"\ntuner.method = \"lora\"").config();
    assert_eq!(config.base.model, "embedded:decoder");
    assert_eq!(config.train.batch_size, 16);
    // A study stands on it too, and a file on the study.
    let study = file("preset = \"length\"\ntrain.steps = 7")
        .layers
        .comparison();
    let study = study.expect("settings");
    assert_eq!(study.methods["prompt-tuning"].points.len(), 4);
    let trained = TrainConfig {
        steps: Some(7),
        learning_rate: 3e-1,
        ..config.train
    };
    assert_eq!(study.methods["prefix-tuning"].first().train, trained);
}

#[test]
fn every_preset_can_be_read() {
    for preset in presets::PRESETS {
        let layers = Layers {
            preset: Some(preset.name.into()),
            data_folder: "/data".into(),
            ..Layers::default()
        };
        let comparison = layers
            .comparison()
            .unwrap_or_else(|error| panic!("{}: {error}", preset.name));
        let methods = comparison.methods.values();
        let points: Vec<&Point> = methods.flat_map(|method| &method.points).collect();
        assert!(points.len() > 2 || comparison.seeds.len() > 2);
        for point in points {
            let model = &point.config.base.model;
            assert!(
                model.starts_with("/data/models/") || model.starts_with("embedded:"),
                "{model}"
            );
        }
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = FILE
        .replace(
            "steps = 10",
            "stesp = 10\nlearning_rate = \"fast\"\nbetas = [0.9, \"x\"]",
        )
        .replace(
            "kind = \"classification\"",
            "kind = \"clasification\"\nmax_tokens = -3",
        )
        .replace("train = \"train.jsonl\"", "train = 5\nlearning_rate = 0.1");
    file(&text).set(&["tuner.prompt_lenght=4"]).fails(
        "experiment.toml:6: `data.train`: expected a text in quotes, found 5\n\
         experiment.toml:7: `data.learning_rate`: there is no such key\n  \
           hint: `learning_rate` belongs to [train]\n\
         experiment.toml:10: `task.kind`: expected \"classification\", \"completion\" or \"language-modelling\", found \"clasification\"\n  \
           hint: did you mean \"classification\"?\n\
         experiment.toml:11: `task.max_tokens`: expected a whole number, 0 or more, found -3\n\
         --set tuner.prompt_lenght=4: `tuner.prompt_lenght`: is no key of method `soft-prompt`\n  \
           hint: did you mean `prompt_length`? There are `prompt_length`, `placement`, `deep`, `init`, `std`, `vocab_top_k`, `text`, `from_prompt`, \
           `encoder`, `encoder_dim`, `encoder_layers`, `encoder_dropout`\n\
         experiment.toml:17: `train.stesp`: there is no such key\n  \
           hint: did you mean `steps`?\n\
         experiment.toml:18: `train.learning_rate`: expected a number, found \"fast\"\n\
         experiment.toml:19: `train.betas[1]`: expected a number, found \"x\"",
    );
}

#[test]
fn mistakes_in_a_composition_name_their_part() {
    let parts = |parts: &str| {
        let parts = format!("parts = [{parts}]");
        let text = FILE.replace("soft-prompt", "compose");
        file(&text.replace("prompt_length = 5", &parts))
    };
    let fine = "{ method = 'ia3' }";
    parts(&format!("{fine}, {{ method = 'none', rank = 4 }}, {{ method = 'lora', rank = 'x' }}, {{ method = 'lroa' }}"))
        .fails(
            "experiment.toml:13: `tuner.parts[1].rank`: is no key of method `none`, which has none\n\
             experiment.toml:13: `tuner.parts[2].rank`: expected a whole number, 0 or more, found \"x\"\n\
             experiment.toml:13: `tuner.parts[3].method`: `lroa` is no method\n  \
               hint: did you mean `lora`? There are `none`, `soft-prompt`, `prefix`, `lora`, `ia3`, `bottleneck`, `compose`",
        );
    parts(&format!("{fine}, {{ rank = 4 }}")).fails(
        "experiment.toml:13: `tuner.parts[1].method`: is missing\n  \
           hint: add it",
    );
}

#[test]
fn what_is_missing_is_asked_for() {
    file("[train]\nsteps = 1").fails(
        "`base.model`: is missing\n  \
           hint: name a model: `model = \"folder or hub name\"` in [base]\n\
         `data.train`: is missing\n  \
           hint: name the training data: `train = \"train.jsonl\"` in [data]\n\
         `task.kind`: is missing\n  \
           hint: say what is learned: `kind = \"classification\"`, \"completion\" or \"language-modelling\" in [task]\n\
         `tuner.method`: is missing\n  \
           hint: name a method: `method = \"soft-prompt\"` in [tuner], \"none\" to train the base alone",
    );
}

#[test]
fn a_variable_with_one_underscore_is_explained() {
    file(FILE).variables(&[("PILOT_TRAIN_STEPS", "5")]).fails(
        "PILOT_TRAIN_STEPS: `train_steps`: there is no such key\n  \
           hint: two underscores part section and key: PILOT_TRAIN__STEPS",
    );
}

#[test]
fn top_level_mistakes_find_their_section() {
    let text = FILE.replace("seed = 7", "sede = 7\nsteps = 3");
    file(&text).fails(
        "experiment.toml:2: `sede`: there is no such key\n  \
           hint: did you mean `seed`?\n\
         experiment.toml:3: `steps`: there is no such key\n  \
           hint: `steps` belongs to [train]",
    );
}

#[test]
fn values_that_make_no_sense_name_their_line() {
    let text = FILE
        .replace("steps = 10", "batch_size = 0")
        .replace("\"./model\"", "\"./model\"\ntrain = [\"(\"]");
    let report = {
        let file = file(&text);
        let error = file.layers.experiment(None).expect_err("mistakes");
        file.report(error)
    };
    assert!(
        report.contains(
            "experiment.toml:5: `base.train[0]`: is not a regular expression: unclosed group"
        ),
        "{report}"
    );
    assert!(
        report.contains("experiment.toml:16: `train.batch_size`: must be at least 1"),
        "{report}"
    );
}

#[test]
fn all_that_is_not_toml_is_reported_with_its_line() {
    let report = {
        let file = file("seed = 1\n[base]\nmodel = folder\n[data\ntrain = 3\n");
        let error = file.layers.experiment(None).expect_err("not TOML");
        file.report(error)
    };
    assert!(
        report.starts_with("experiment.toml:3: not TOML: "),
        "{report}"
    );
    assert!(
        report.contains("\nexperiment.toml:4: not TOML: "),
        "{report}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let mut layers = file("").layers;
    layers.file = Some("/nowhere/experiment.toml".into());
    let error = layers.experiment(None).expect_err("no file").to_string();
    assert!(error.contains("/nowhere/experiment.toml"), "{error}");
}

#[test]
fn a_single_run_has_no_use_for_keys_of_comparisons() {
    let text = "seeds = [1, 2]\nlabel = \"x\"\n".to_owned() + FILE;
    file(&text).fails(
        "experiment.toml:1: `seeds`: has no effect on a single run\n  \
           hint: remove it, or use `pilot compare`\n\
         experiment.toml:2: `label`: has no effect on a single run\n  \
           hint: remove it, or use `pilot compare`",
    );
}

#[test]
fn a_mistake_of_all_methods_is_reported_once() {
    let text = FILE.replace("steps", "stesp")
        + r#"
[methods.a]
[methods.b]
seeds = [1]
"#;
    let file = file(&text).set(&["seeds=[2,1,2]"]);
    let error = file.layers.comparison().expect_err("mistakes");
    assert_eq!(
        file.report(error),
        "--set seeds=[2,1,2]: `seeds`: expected different seeds, found 2 twice\n  \
           hint: for example `seeds = [1, 2, 3]`, or `seeds = 3` for the same\n\
         experiment.toml:15: `train.stesp`: there is no such key\n  \
           hint: did you mean `steps`?\n\
         experiment.toml:19: `seeds`: there is no such key\n  \
           hint: it stands at the top of the file, not in a method"
    );
}
