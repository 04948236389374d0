use burn::{
    module::ModuleMapper,
    nn::LinearConfig,
    tensor::{Device, Distribution, Tensor},
};
use pilotlight_core::{ModelSpec, Projection};
use serde_json::{Value, json};

use super::*;
use crate::{
    BaseInfo, TaskType, TunerConfig, load_adapter, save_adapter,
    test_support::{assert_close, bert, context, llama, values},
};

fn config(keys: Value) -> Result<TunerConfig, String> {
    serde_json::from_value(keys).map_err(|error| error.to_string())
}

fn made(keys: Value, spec: &ModelSpec) -> AnyTuner {
    let device = Device::default();
    let config = config(keys).expect("a config");
    config.init(&context(spec, &device, 3)).expect("a tuner")
}

/// Moves every parameter to random values.
fn shaken(tuner: AnyTuner) -> AnyTuner {
    struct Shake;
    impl ModuleMapper for Shake {
        fn map_float<const D: usize>(
            &mut self,
            param: burn::module::Param<Tensor<D>>,
        ) -> burn::module::Param<Tensor<D>> {
            let noise = Distribution::Uniform(0.5, 1.5);
            param.map(|tensor| tensor.random_like(noise))
        }
    }
    tuner.map(&mut Shake)
}

fn problems(keys: Value) -> Vec<(String, String)> {
    config(keys).expect("a config").problems(&llama())
}

#[track_caller]
fn check_problem(keys: Value, key: &str, message: &str) {
    let problems = problems(keys);
    let [(found, text)] = problems.as_slice() else {
        panic!("one problem: {problems:?}");
    };
    assert_eq!(found, key);
    assert!(text.contains(message), "{text}");
}

#[test]
fn a_wrong_key_is_named_with_its_part() {
    let lora = |rank: usize| json!({ "method": "lora", "rank": rank, "alpha": -1 });
    let found = problems(json!({ "method": "compose", "parts": [{ "method": "ia3" }, lora(0)] }));
    let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["parts[1].rank", "parts[1].alpha"]);

    let nested = json!({ "method": "compose", "parts": [lora(1)] });
    let nested = json!({ "method": "compose", "parts": [nested] });
    check_problem(nested, "parts[0].parts[0].alpha", "not above 0");

    let unknown = json!({ "method": "lora", "ranks": 3 });
    let error = config(json!({ "method": "compose", "parts": [{ "method": "ia3" }, unknown] }));
    let error = error.expect_err("an error");
    assert!(
        error.starts_with("`ranks` is no key of method `lora`"),
        "{error}"
    );
    assert!(error.contains("did you mean `rank`?"), "{error}");
}

#[test]
fn parts_that_make_no_sense_are_refused() {
    let compose = |parts: Value| json!({ "method": "compose", "parts": parts });
    check_problem(compose(json!([])), "parts", "is empty");
    check_problem(
        compose(json!([{ "method": "none" }, { "method": "lora" }])),
        "parts[0].method",
        "adds nothing",
    );
    let long = |method: &str, key: &str| json!({ "method": method, key: 40 });
    check_problem(
        compose(json!([
            long("prefix", "prefix_length"),
            long("soft-prompt", "prompt_length")
        ])),
        "parts",
        "take 80 positions",
    );
    let deep = json!({ "method": "soft-prompt", "deep": true });
    check_problem(
        compose(json!([{ "method": "soft-prompt" }, deep])),
        "parts[1]",
        "the only one",
    );
    let lora = json!({ "method": "lora" });
    assert!(problems(compose(json!([deep, lora, { "method": "prefix" }]))).is_empty());
}

#[test]
fn what_parts_take_adds_up() {
    let placement = json!({ "after_part": "text" });
    let prompt = json!({
        "method": "soft-prompt", "prompt_length": 7, "placement": placement, "init": "from", "from_prompt": "p",
    });
    let parts =
        json!([{ "method": "prefix", "prefix_length": 5 }, prompt, prompt, { "from": "a" }]);
    let mut compose = config(json!({ "method": "compose", "parts": parts })).expect("a config");
    assert_eq!((compose.reserve(), compose.inserted()), (19, 14));
    let missing = compose.problems_with_parts(&["hint"]);
    let keys: Vec<&str> = missing.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["parts[1].placement", "parts[2].placement"]);

    compose.anchor_paths(std::path::Path::new("/runs"));
    let keys = serde_json::to_value(&compose).expect("json");
    let paths = [&keys["parts"][1]["from_prompt"], &keys["parts"][3]["from"]];
    assert_eq!(paths, ["/runs/p", "/runs/a"]);
}

#[test]
fn a_config_survives_toml() {
    let parts = json!([{ "method": "lora", "targets": ["q_proj"] }, { "method": "ia3" }]);
    let compose = config(json!({ "method": "compose", "parts": parts })).expect("a config");
    let text = toml::to_string(&compose).expect("toml");
    assert_eq!(
        toml::from_str::<TunerConfig>(&text).expect("the same"),
        compose,
        "{text}"
    );
}

#[test]
fn the_first_part_draws_what_it_draws_alone_and_the_second_something_else() {
    let lora = json!({ "method": "lora" });
    let alone = made(lora.clone(), &llama()).tensors(&llama());
    let parts = json!({ "method": "compose", "parts": [lora, lora] });
    let both = made(parts, &llama()).tensors(&llama());
    let (first, second) = both.split_at(alone.len());
    let drawn = |name: &str| name.contains("lora_A");
    for ((alone, first), second) in alone.iter().zip(first).zip(second) {
        assert_eq!(first.0, format!("parts.0.{}", alone.0));
        assert_eq!(second.0, format!("parts.1.{}", alone.0));
        assert_eq!(first.1, alone.1);
        assert_eq!(second.1 != alone.1, drawn(&alone.0));
    }
}

#[test]
fn prefixes_stand_in_the_order_of_the_parts() {
    let prefix =
        |prefix_length: usize| json!({ "method": "prefix", "prefix_length": prefix_length });
    let parts = json!([prefix(2), { "method": "ia3" }, prefix(3)]);
    let AnyTuner::Compose(compose) = made(json!({ "method": "compose", "parts": parts }), &llama())
    else {
        panic!("a composition");
    };
    let of = |tuner: &dyn Tuner| tuner.prefix(1, 2).expect("a prefix");
    let (first, last) = (of(&compose.parts[0]), of(&compose.parts[2]));
    let both = of(&compose);
    assert_eq!(both.lengths, [5, 5]);
    let key = both.key_value.key;
    let expected = [first.key_value.key, last.key_value.key].map(values);
    assert_eq!(values(key.clone().slice_dim(2, 0..2)), expected[0]);
    assert_eq!(values(key.slice_dim(2, 2..5)), expected[1]);
}

#[test]
fn folding_in_any_order_gives_what_the_hooks_give() {
    let ia3 = json!({ "method": "ia3", "targets": "all-linear" });
    let lora = json!({ "method": "lora", "targets": "all-linear", "rank": 2 });
    let nested = json!({ "method": "compose", "parts": [ia3, lora] });
    for parts in [
        json!([ia3, lora]),
        json!([lora, ia3]),
        json!([lora, nested, ia3, lora]),
    ] {
        let tuner = shaken(made(
            json!({ "method": "compose", "parts": parts }),
            &llama(),
        ));
        let tuner: &dyn Tuner = &tuner;
        for (projection, d_input, d_output) in [(Projection::Key, 8, 4), (Projection::Down, 12, 8)]
        {
            let site = Site {
                layer: 1,
                projection,
            };
            let device = Device::default();
            let base = LinearConfig::new(d_input, d_output).init(&device);
            let input = Tensor::<3>::random([2, 3, d_input], Distribution::Default, &device);
            let merged = tuner.merged(site, &base).expect("all parts fold");
            let merged = values(merged.forward(input.clone()));
            let input = tuner.project_input(site, input);
            let output = base.forward(input.clone());
            let hooked = values(tuner.project_output(site, &base, &input, output));
            let largest = hooked
                .iter()
                .fold(1.0_f32, |largest, x| largest.max(x.abs()));
            assert_close(&merged, &hooked, 1e-5 * largest);
        }
    }
}

#[test]
fn a_saved_composition_comes_back_and_can_be_a_part() {
    let parts = json!([
        { "method": "soft-prompt", "prompt_length": 2 },
        { "method": "prefix", "prefix_length": 3, "projection_dim": 5 },
        { "method": "compose", "parts": [{ "method": "lora" }, { "method": "ia3" }] },
    ]);
    let tuner = shaken(made(
        json!({ "method": "compose", "parts": parts }),
        &bert(),
    ));
    let folder = tempfile::tempdir().expect("a folder");
    let base = BaseInfo {
        name_or_path: "tiny".into(),
        spec: bert(),
        task_type: TaskType::CausalLm,
    };
    let written = save_adapter(folder.path(), &tuner, None, &base).expect("it is saved");
    assert_eq!(written.peft_description, None);
    let mut files: Vec<String> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    files.sort();
    assert_eq!(files, ["adapter.safetensors", "pilotlight.json"]);

    let device = Device::default();
    let back = load_adapter(folder.path(), &bert(), &device).expect("it comes back");
    assert_eq!(back.tuner.tensors(&bert()), tuner.tensors(&bert()));

    let parts = json!([{ "from": folder.path() }, { "method": "lora" }]);
    let more = made(json!({ "method": "compose", "parts": parts }), &bert());
    assert_eq!((more.config().reserve(), more.config().inserted()), (5, 2));
    let own: Vec<_> = back.tuner.tensors(&bert());
    for ((name, data), (own_name, own)) in more.tensors(&bert()).iter().zip(&own) {
        assert_eq!(*name, format!("parts.0.{own_name}"));
        assert_eq!(data, own);
    }
    assert!(!more.config().names_folder(), "{:?}", more.config());
}

#[test]
fn a_description_cannot_hide_another_folder_in_a_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = json!({
        "format": 1, "base_model_name_or_path": "tiny", "task_type": "CAUSAL_LM", "tensors": "adapter.safetensors",
        "tuner": { "method": "compose", "parts": [{ "from": folder.path() }] },
    });
    std::fs::write(folder.path().join("pilotlight.json"), own.to_string()).expect("it is written");
    let error = load_adapter(folder.path(), &llama(), &Device::default());
    let error = error.expect_err("it is refused").to_string();
    assert!(error.contains("names another adapter"), "{error}");
}

#[test]
fn missing_tensors_of_all_parts_are_named() {
    let parts = json!([{ "method": "soft-prompt", "prompt_length": 2 }, { "method": "ia3" }]);
    let config = config(json!({ "method": "compose", "parts": parts })).expect("a config");
    let mut tensors = crate::method::Tensors::new(
        [(
            "parts.1.extra".to_owned(),
            burn::tensor::TensorData::from([1.0]),
        )]
        .into(),
    );
    assert!(
        config
            .restore(&mut tensors, &llama(), &Device::default())
            .is_none()
    );
    let (rest, problems) = tensors.into_rest();
    assert!(rest.contains_key("parts.1.extra"));
    let missing: Vec<&str> = problems
        .listed()
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(missing.len(), 1 + 2 * 3);
    assert_eq!(missing[0], "parts.0.prompt_embeddings");
    assert!(
        missing[1].starts_with("parts.1.base_model.model."),
        "{missing:?}"
    );
}
