//! Folders that are no model are refused, with all that is wrong in one error.

use super::*;

#[test]
fn all_wrong_values_are_listed_together() {
    let change = |config: &mut Value| {
        config["num_attention_heads"] = json!(0);
        config["hidden_size"] = json!(-3);
        config["num_hidden_layers"] = json!(1_000_000_000);
        config["vocab_size"] = Value::Null;
        config["rms_norm_eps"] = json!("small");
        config["hidden_act"] = json!("sine");
    };
    check_config(
        "llama",
        change,
        &[
            "config.json",
            "num_attention_heads is 0; it must be a number from 1",
            "hidden_size is -3",
            "num_hidden_layers is 1000000000",
            "vocab_size is missing",
            "rms_norm_eps is \"small\"",
            "hidden_act is \"sine\"",
        ],
    );
}

#[test]
fn heads_must_divide_the_width() {
    let change = |config: &mut Value| {
        config["num_attention_heads"] = json!(3);
        config["head_dim"] = Value::Null;
    };
    check_config(
        "llama",
        change,
        &[
            "num_attention_heads is 3, which does not divide hidden_size = 16",
            "num_key_value_heads",
        ],
    );
    let change = |config: &mut Value| config["n_head"] = json!(5);
    check_config(
        "gpt2",
        change,
        &["n_head is 5, which does not divide n_embd = 16"],
    );
}

#[test]
fn unknown_rotary_scalings_are_refused() {
    let change = |config: &mut Value| {
        config["rope_parameters"] = json!({"rope_type": "yarn", "factor": 4.0});
    };
    check_config("llama", change, &["rope_type is \"yarn\"", "\"llama3\""]);
    let change = |config: &mut Value| {
        config["rope_parameters"] = json!({"rope_type": "llama3", "factor": 0});
    };
    check_config(
        "llama",
        change,
        &["factor is 0", "low_freq_factor is missing"],
    );
}

#[test]
fn unknown_families_are_named_with_the_known_ones() {
    let change = |config: &mut Value| config["model_type"] = json!("mamba");
    check_config(
        "llama",
        change,
        &["\"mamba\"", "llama, mistral, qwen2, qwen3, gpt2"],
    );
}

#[test]
fn every_tensor_that_does_not_fit_is_listed() {
    let change = |config: &mut Value| {
        config["num_hidden_layers"] = json!(1);
        config["vocab_size"] = json!(41);
        config["attention_bias"] = json!(true);
    };
    check_config(
        "llama",
        change,
        &[
            "misshapen: model.embed_tokens.weight is [40, 16], expected [41, 16]",
            "missing: model.layers.0.self_attn.q_proj.bias [16]",
            "unexpected: model.layers.1.mlp.down_proj.weight [16, 24]",
            "hint:",
        ],
    );
    // Very many layers are missing very many tensors: they are counted, not all shown.
    let change = |config: &mut Value| config["num_hidden_layers"] = json!(4096);
    check_config("llama", change, &["missing: model.layers.2.", "more"]);
}

#[test]
fn damaged_files_are_refused() {
    let folder = changed("llama", |_| {});
    let path = folder.path().join("model.safetensors");
    let whole = std::fs::read(&path).expect("weights");
    for damaged in [
        &whole[..whole.len() - 1],
        &whole[..100],
        &whole[..5],
        b"",
        b"not tensors at all",
    ] {
        std::fs::write(&path, damaged).expect("a file");
        let message = message(folder.path());
        assert!(
            message.contains("model.safetensors is not a whole safetensors file"),
            "{message}"
        );
    }
    std::fs::write(folder.path().join("config.json"), "{\"a\": ").expect("a file");
    assert!(message(folder.path()).contains("config.json is not a JSON object"));
}

#[test]
fn missing_files_are_named() {
    let folder = changed("llama", |_| {});
    std::fs::rename(
        folder.path().join("model.safetensors"),
        folder.path().join("pytorch_model.bin"),
    )
    .expect("a file");
    let message_ = message(folder.path());
    assert!(
        message_.contains("neither model.safetensors nor model.safetensors.index.json"),
        "{message_}"
    );
    assert!(
        message_.contains("hint: pytorch_model.bin is not read"),
        "{message_}"
    );
    std::fs::remove_file(folder.path().join("config.json")).expect("a file");
    assert!(message(folder.path()).contains("there is no config.json"));
    let nowhere = folder.path().join("nowhere");
    assert!(matches!(
        load_folder(&nowhere, &options()),
        Err(LoadError::Io { .. })
    ));
}

#[test]
fn an_index_that_does_not_fit_its_shards_is_refused() {
    let folder = changed("llama_sharded", |_| {});
    let path = folder.path().join("model.safetensors.index.json");
    let index: Value = serde_json::from_slice(&std::fs::read(&path).expect("it")).expect("JSON");
    let check = |change: &dyn Fn(&mut Value), expected: &str| {
        let mut index = index.clone();
        change(&mut index["weight_map"]);
        std::fs::write(&path, index.to_string()).expect("a file");
        let message = message(folder.path());
        assert!(
            message.contains(expected),
            "{expected:?} is not in: {message}"
        );
    };
    for outside in [
        "../model.safetensors",
        "/etc/passwd",
        "sub/model.safetensors",
        "..",
        "",
    ] {
        check(
            &|map| map["model.norm.weight"] = json!(outside),
            &format!("names the shard {outside:?}, which is not a file of its folder"),
        );
    }
    check(
        &|map| map["model.extra"] = json!("model-00001-of-00003.safetensors"),
        "missing: model.extra",
    );
    check(&|map| *map = json!({"a": 1}), "is not an index of shards");
    check(
        &|map| map["model.norm.weight"] = json!("gone.safetensors"),
        "gone.safetensors",
    );
}

#[test]
fn an_element_type_in_which_nothing_is_computed_is_refused() {
    let options = LoadOptions {
        dtype: DType::I32,
        ..options()
    };
    let loaded = load_folder(&golden("llama"), &options);
    let made = init_random(&golden("llama"), 1, &options);
    for refused in [loaded, made] {
        let Err(error @ LoadError::Type { .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(
            error.to_string(),
            "the device does not compute models in I32\nhint: it computes in [F32, F16, BF16]"
        );
    }
}
