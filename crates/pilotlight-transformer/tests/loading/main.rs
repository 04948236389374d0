//! Loading, changing and saving models, and every kind of bad input.

mod refused;

use std::path::{Path, PathBuf};

use burn::{
    module::Module,
    tensor::{DType, Device, TensorData},
};
use pilotlight_core::{Identity, Projection, Site, TokenRow};
use pilotlight_transformer::{
    LoadError, LoadOptions, Model, Pretrained, init_random, load_bytes, load_folder,
    save_classifier, save_folder,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const CASES: [&str; 6] = [
    "llama",
    "llama_tied",
    "llama_bias",
    "qwen2",
    "qwen3",
    "gpt2",
];

fn golden(case: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/goldens")
        .join(case)
}

fn options() -> LoadOptions {
    LoadOptions::new(&Device::default())
}

fn model(case: &str) -> Model {
    let loaded = load_folder(&golden(case), &options());
    loaded.unwrap_or_else(|error| panic!("{error}")).model
}

/// A copy of a golden model whose configuration is changed.
fn changed(case: &str, change: impl FnOnce(&mut Value)) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(golden(case)).expect("a golden folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_owned();
        std::fs::copy(&path, folder.path().join(name)).expect("a copy");
    }
    let path = folder.path().join("config.json");
    let mut config = serde_json::from_slice(&std::fs::read(&path).expect("it")).expect("JSON");
    change(&mut config);
    std::fs::write(&path, config.to_string()).expect("a file");
    folder
}

#[track_caller]
fn message(folder: &Path) -> String {
    load_folder(folder, &options())
        .map(|_| ())
        .expect_err("an error")
        .to_string()
}

#[track_caller]
fn check_config(case: &str, change: impl FnOnce(&mut Value), expected: &[&str]) {
    let folder = changed(case, change);
    let message = message(folder.path());
    for part in expected {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn models_in_memory_load() {
    let read = |name: &str| std::fs::read(golden("llama").join(name)).expect("a file");
    let (config, weights) = (read("config.json"), read("model.safetensors"));
    let Pretrained { model: loaded, .. } =
        load_bytes("the embedded model", &config, &weights, &options()).expect("a model");
    assert_eq!(loaded.parameter_hash(), model("llama").parameter_hash());
    let error = load_bytes("the embedded model", &config, &weights[..50], &options());
    assert!(
        error
            .expect_err("an error")
            .to_string()
            .contains("the embedded model")
    );
}

#[test]
fn names_are_those_of_the_checkpoint() {
    for case in CASES {
        let model = model(case);
        let mut names = model.parameter_names();
        names.sort();
        let file = std::fs::read(golden(case).join("model.safetensors")).expect("weights");
        let tensors = safetensors::SafeTensors::deserialize(&file).expect("tensors");
        let mut expected: Vec<String> = tensors.names().into_iter().map(str::to_owned).collect();
        expected.sort();
        assert_eq!(names, expected, "{case}");

        let n_parameters: usize = tensors.iter().map(|(_, view)| view.data().len() / 4).sum();
        assert_eq!(model.n_parameters(), n_parameters, "{case}");
        for (name, data) in model.export(&|_| true) {
            let view = tensors.tensor(&name).expect("a tensor");
            assert_eq!(data.shape().to_vec(), view.shape(), "{name}");
            assert_eq!(data.as_bytes(), view.data(), "{name}");
        }
    }
}

#[test]
fn sites_have_the_paths_of_their_weights() {
    for case in CASES {
        let model = model(case);
        let shapes: std::collections::HashMap<_, _> = model
            .export(&|_| true)
            .into_iter()
            .map(|(name, data)| (name, data.shape().to_vec()))
            .collect();
        for spec in &model.spec().projections {
            let site = Site {
                layer: 1,
                projection: spec.projection,
            };
            let path = model.spec().path(site).expect("a path");
            let mut shape = shapes[&format!("{path}.weight")].clone();
            if case != "gpt2" {
                shape.reverse();
            }
            assert_eq!(shape, [spec.d_input, spec.d_output], "{path}");
        }
    }
    let fused = model("gpt2")
        .spec()
        .projection(Projection::QueryKeyValue)
        .is_some();
    assert!(fused);
}

#[test]
fn saved_models_load_again() {
    for case in CASES {
        let model = model(case);
        let out = tempfile::tempdir().expect("a folder");
        save_folder(&model, &golden(case), out.path(), DType::F32).expect("a folder");
        let again = load_folder(out.path(), &options()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            again.model.parameter_hash(),
            model.parameter_hash(),
            "{case}"
        );

        let half = tempfile::tempdir().expect("a folder");
        save_folder(&model, &golden(case), half.path(), DType::F16).expect("a folder");
        let config = std::fs::read_to_string(half.path().join("config.json")).expect("it");
        assert!(config.contains("\"dtype\": \"float16\""), "{config}");
        load_folder(half.path(), &options()).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn saved_classifiers_load_again() {
    let labels = ["bad", "so so", "good"].map(str::to_owned);
    for (case, architecture) in [
        ("llama", "LlamaForSequenceClassification"),
        ("llama_tied", "LlamaForSequenceClassification"),
        ("gpt2", "GPT2ForSequenceClassification"),
    ] {
        let model = model(case);
        let head = model.fresh_head(3, 1);
        let out = tempfile::tempdir().expect("a folder");
        let save = |labels: &[String]| {
            save_classifier(&model, &head, labels, &golden(case), out.path(), DType::F32)
        };
        assert!(save(&labels[..2]).is_err());
        save(&labels).expect("a folder");
        let again = load_folder(out.path(), &options()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(again.labels, labels);
        let found = again.head.expect("a head").export();
        for ((name, found), (expected_name, expected)) in found.iter().zip(head.export()) {
            assert_eq!(*name, expected_name);
            assert_eq!(found.as_bytes(), expected.as_bytes());
        }
        // Only a head that is the word embeddings stays.
        let is_tied = model.spec().tied_head;
        assert_eq!(again.model.has_language_head(), is_tied, "{case}");
        let own = |name: &str| !name.starts_with("lm_head.");
        let found = again.model.export(&|_| true);
        for ((name, found), (expected_name, expected)) in found.iter().zip(model.export(&own)) {
            assert_eq!(*name, expected_name);
            assert_eq!(found.as_bytes(), expected.as_bytes());
        }
        let config = std::fs::read_to_string(out.path().join("config.json")).expect("it");
        assert!(config.contains(architecture), "{config}");
    }
}

#[cfg(unix)]
#[test]
fn saved_models_are_as_readable_as_any_file() {
    use std::os::unix::fs::PermissionsExt;
    let out = tempfile::tempdir().expect("temporary folder");
    save_folder(&model("llama"), &golden("llama"), out.path(), DType::F32).expect("a folder");
    let mode = |name: &str| {
        let file = std::fs::metadata(out.path().join(name)).expect("a file");
        file.permissions().mode()
    };
    std::fs::write(out.path().join("any"), "").expect("a file");
    assert_eq!(mode("model.safetensors"), mode("any"));
    assert_eq!(mode("config.json"), mode("any"));
}

#[test]
fn imported_parameters_replace_only_themselves() {
    let before = model("llama");
    let name = "model.layers.1.self_attn.q_proj.weight";
    let mut tensors = before.export(&|other| other == name);
    assert_eq!(tensors.len(), 1);
    let values: Vec<f32> = (0..256).map(|value| value as f32).collect();
    tensors[0].1 = TensorData::new(values, [16, 16]);
    let hash = before.parameter_hash();
    let after = before.import(tensors.clone()).expect("it fits");
    assert_ne!(after.parameter_hash(), hash);
    let exported = after.export(&|other| other == name);
    assert_eq!(exported[0].1.as_bytes(), tensors[0].1.as_bytes());

    let wrong = vec![
        ("lm_head.bias".to_owned(), TensorData::from([0.0_f32])),
        ("model.norm.weight".to_owned(), TensorData::from([0.0_f32])),
    ];
    let message = after.import(wrong).expect_err("an error").to_string();
    assert!(message.contains("unexpected: lm_head.bias"), "{message}");
    assert!(
        message.contains("misshapen: model.norm.weight is [1], expected [16]"),
        "{message}"
    );
}

#[test]
fn fresh_models_depend_on_the_seed_alone() {
    for case in CASES {
        let fresh = |seed| {
            let fresh = init_random(&golden(case), seed, &options()).expect("a model");
            assert_eq!(fresh.model.parameter_names(), model(case).parameter_names());
            fresh.model
        };
        assert_eq!(fresh(1).parameter_hash(), fresh(1).parameter_hash());
        assert_ne!(fresh(1).parameter_hash(), fresh(2).parameter_hash());
    }
    let fresh = init_random(&golden("gpt2"), 3, &options())
        .expect("a model")
        .model;
    let spread = |name: &str| {
        let (_, data) = fresh.export(&|other| other == name).remove(0);
        let values = data.try_into_vec::<f32>().expect("f32");
        let sum: f32 = values.iter().map(|value| value * value).sum();
        (sum / values.len() as f32).sqrt()
    };
    assert!((spread("transformer.h.0.attn.c_attn.weight") - 0.02).abs() < 0.002);
    assert!((spread("transformer.h.0.mlp.c_proj.weight") - 0.01).abs() < 0.001);
    assert_eq!(spread("transformer.ln_f.weight"), 1.0);
    assert_eq!(spread("transformer.ln_f.bias"), 0.0);
}

#[test]
fn giants_are_not_made_afresh() {
    let folder = changed("llama", |config| {
        config["vocab_size"] = json!(2_000_000);
        config["hidden_size"] = json!(2_000_000);
    });
    let message = init_random(folder.path(), 1, &options())
        .expect_err("an error")
        .to_string();
    assert!(
        message.contains("the whole model has 8.0e12 parameters; at most 2e10"),
        "{message}"
    );
}

#[test]
fn only_chosen_parameters_are_trained() {
    let device = Device::default().autodiff();
    let loaded = load_folder(&golden("qwen2"), &LoadOptions::new(&device)).expect("a model");
    let model = loaded.model.set_trained(&|name| name.ends_with(".bias"));
    let hash = model.parameter_hash();
    let hidden = model.forward(&[TokenRow::new(vec![3, 4, 5])], &Identity);
    let loss = model.logits_at(&hidden, &[(0, 2)], &Identity).sum();
    let gradients = burn::optim::GradientsParams::from_grads(loss.backward(), &model);
    // Queries, keys and values of two layers have one.
    assert_eq!(gradients.len(), 6);
    // Nothing is trained, and the values are the same, after freezing again.
    let frozen = model.set_trained(&|_| false);
    assert_eq!(frozen.parameter_hash(), hash);
    assert!(
        !frozen
            .forward(&[TokenRow::new(vec![3])], &Identity)
            .states()
            .is_require_grad()
    );
}

#[test]
fn heads_are_seeded_and_travel_by_name() {
    let model = model("llama");
    let head = model.fresh_head(3, 1);
    let exported = head.export();
    assert_eq!(exported[0].0, "score.weight");
    assert_eq!(exported[0].1.shape().to_vec(), [3, 16]);
    assert_eq!(model.fresh_head(3, 1).export()[0].1, exported[0].1);
    let other = model.fresh_head(3, 2);
    assert_ne!(other.export()[0].1, exported[0].1);
    let other = other.import(exported.clone()).expect("it fits");
    assert_eq!(other.export()[0].1, exported[0].1);
    let error = other.import(Vec::new()).expect_err("nothing");
    assert!(error.to_string().contains("missing: score.weight"));
    assert_eq!(head.num_params(), 48);
}
