use burn::tensor::{DType, Device};
use safetensors::SafeTensors;
use serde_json::{Map, Value};

use super::{description::PEFT_PICKLE, *};
use crate::{
    lora::LoraConfig,
    soft_prompt::{Place, Placement, SoftPromptConfig},
    test_support::{bert, context, llama},
    untuned::UntunedConfig,
};

fn base(spec: ModelSpec) -> BaseInfo {
    BaseInfo {
        name_or_path: "hub/name".into(),
        spec,
        task_type: TaskType::SeqCls,
    }
}

fn placed(place: Place) -> SoftPromptConfig {
    SoftPromptConfig {
        prompt_length: Some(3),
        placement: Placement::Whole(place),
        ..SoftPromptConfig::default()
    }
}

fn tuner(config: impl Into<TunerConfig>, spec: &ModelSpec) -> AnyTuner {
    let device = Device::default();
    config
        .into()
        .init(&context(spec, &device, 3))
        .expect("a tuner")
}

fn load(folder: &Path, spec: &ModelSpec) -> Result<SavedAdapter, TunerError> {
    load_adapter(folder, spec, &Device::default())
}

fn file_names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

#[test]
fn an_adapter_survives_its_folder_bit_by_bit() {
    let head = [
        (
            "classifier.weight".to_owned(),
            TensorData::from([[1.0f32, 2.0], [3.0, 4.0]]),
        ),
        (
            "classifier.bias".to_owned(),
            TensorData::from([0.5f32, -0.5]),
        ),
    ];
    let configs: [TunerConfig; 4] = [
        UntunedConfig {}.into(),
        placed(Place::Before).into(),
        placed(Place::After).into(),
        LoraConfig::default().into(),
    ];
    for config in configs {
        let folder = tempfile::tempdir().expect("a folder");
        let spec = bert();
        let saved = tuner(config.clone(), &spec);
        save_adapter(folder.path(), &saved, Some(&head), &base(spec.clone())).expect("saved");
        let loaded = load(folder.path(), &spec).expect("loaded");
        assert_eq!(loaded.config, config);
        assert_eq!(loaded.tuner.tensors(&spec), saved.tensors(&spec));
        let mut found = loaded.head;
        found.sort_by(|a, b| b.0.cmp(&a.0));
        assert_eq!(found, head);
        assert_eq!(
            TunerConfig::Saved(folder.path().into()).method(),
            config.method()
        );
    }
}

#[test]
fn the_files_are_those_of_peft() {
    let folder = tempfile::tempdir().expect("a folder");
    let lora = tuner(LoraConfig::default(), &llama());
    save_adapter(folder.path(), &lora, None, &base(llama())).expect("saved");
    let expected = [PEFT_CONFIG, PEFT_TENSORS, OWN_CONFIG];
    assert_eq!(file_names(folder.path()), expected);

    let bytes = std::fs::read(folder.path().join(PEFT_TENSORS)).expect("tensors");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let name = "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight";
    assert_eq!(file.tensor(name).expect("a factor").shape(), [4, 8]);
    let (_, metadata) = SafeTensors::read_metadata(&bytes).expect("metadata");
    let format = metadata
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get("format"));
    assert_eq!(format.map(String::as_str), Some("pt"));

    let json = std::fs::read(folder.path().join(PEFT_CONFIG)).expect("a description");
    let fields: Map<String, Value> = serde_json::from_slice(&json).expect("json");
    assert!(fields.keys().is_sorted());
    assert_eq!(fields["peft_type"], "LORA");
    assert_eq!(fields["task_type"], "SEQ_CLS");
    assert_eq!(
        fields["target_modules"],
        serde_json::json!(["q_proj", "v_proj"])
    );
    assert_eq!(fields["lora_alpha"].to_string(), "16");
    assert_eq!(fields["base_model_name_or_path"], "hub/name");
}

#[test]
fn peft_finds_no_file_that_it_would_misread() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |place| {
        let prompt = tuner(placed(place), &llama());
        let files = save_adapter(folder.path(), &prompt, None, &base(llama())).expect("saved");
        assert_eq!(files.peft_description.is_some(), is_for_peft(folder.path()));
        assert!(files.description.exists() && files.tensors.exists());
        file_names(folder.path())
    };
    assert_eq!(
        write(Place::Before),
        [PEFT_CONFIG, PEFT_TENSORS, OWN_CONFIG]
    );
    assert_eq!(write(Place::After), [OWN_TENSORS, OWN_CONFIG]);
    assert_eq!(
        write(Place::Before),
        [PEFT_CONFIG, PEFT_TENSORS, OWN_CONFIG]
    );
}

/// A PEFT folder of these fields and tensors.
fn peft_folder(fields: Value, tensors: &[(&str, TensorData)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write_json(&folder.path().join(PEFT_CONFIG), &fields).expect("written");
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, data)| ((*name).to_owned(), data.clone()))
        .collect();
    let path = folder.path().join(PEFT_TENSORS);
    let bytes = tensor_file::to_bytes(&tensors, &path).expect("bytes");
    write(&path, &bytes).expect("written");
    folder
}

#[track_caller]
fn check_error(folder: &Path, expected: &[&str]) {
    let message = load(folder, &llama()).expect_err("an error").to_string();
    for part in expected {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

fn prompt_fields() -> Value {
    serde_json::json!({ "peft_type": "PROMPT_TUNING", "num_virtual_tokens": 2 })
}

#[test]
fn tensors_of_half_precision_are_read() {
    let values = [[0.5f32, -1.0, 2.0, 0.0, 1.5, 8.0, -0.25, 4.0]; 2];
    for dtype in [DType::F16, DType::BF16, DType::F32] {
        let data = TensorData::from(values).convert_dtype(dtype);
        let folder = peft_folder(prompt_fields(), &[("prompt_embeddings", data)]);
        let AnyTuner::SoftPrompt(prompt) = load(folder.path(), &llama()).expect("loaded").tuner
        else {
            panic!("a soft prompt");
        };
        assert_eq!(prompt.vectors.val().into_data(), TensorData::from(values));
        assert_eq!(prompt.config.prompt_length, Some(2));
    }
}

#[test]
fn all_tensors_that_do_not_fit_are_named() {
    let fields = serde_json::json!({ "peft_type": "LORA", "r": 2, "target_modules": ["q_proj"] });
    let path = |layer, factor| {
        format!("base_model.model.model.layers.{layer}.self_attn.q_proj.lora_{factor}.weight")
    };
    let zeros = |shape: [usize; 2]| TensorData::zeros::<f32, _>(shape);
    let folder = peft_folder(
        fields,
        &[
            (path(0, "A").as_str(), zeros([2, 8])),
            (path(0, "B").as_str(), zeros([8, 3])),
            (path(1, "A").as_str(), zeros([2, 8])),
            ("base_model.model.lm_head.weight", zeros([8, 8])),
        ],
    );
    let misshapen = format!("`{}` has shape [8, 3], expected [8, 2]", path(0, "B"));
    let missing = format!("`{}` is missing", path(1, "B"));
    let unexpected = "`base_model.model.lm_head.weight` is unexpected";
    check_error(
        folder.path(),
        &[&misshapen, &missing, unexpected, PEFT_TENSORS],
    );
}

#[test]
fn fields_that_change_the_result_are_not_ignored() {
    let fields = serde_json::json!({
        "peft_type": "LORA", "r": "many", "target_modules": ["q_proj"], "use_qalora": true, "bias": "some",
        "init_lora_weights": "pissa", "layers_to_transform": null, "loftq_config": {}, "lora_bias": false,
    });
    let folder = peft_folder(fields, &[]);
    let expected = [
        "`use_qalora` is true",
        "`bias` is \"some\"",
        "`init_lora_weights`",
        "`r` is \"many\"",
    ];
    check_error(folder.path(), &expected);
    let folder = peft_folder(serde_json::json!({ "peft_type": "VERA" }), &[]);
    check_error(
        folder.path(),
        &[
            "`peft_type` is \"VERA\"",
            "`PROMPT_TUNING`, `P_TUNING`, `PREFIX_TUNING`, `LORA`",
        ],
    );
}

#[test]
fn biases_of_the_base_are_read_beside_a_tuner() {
    let fields = serde_json::json!({
        "peft_type": "LORA", "r": 2, "target_modules": ["model.layers.0.self_attn.q_proj"], "bias": "all",
    });
    let path = "base_model.model.model.layers.0.self_attn";
    let zeros = |shape: [usize; 2]| TensorData::zeros::<f32, _>(shape);
    let bias = || TensorData::ones::<f32, _>([8]);
    let folder = peft_folder(
        fields,
        &[
            (&format!("{path}.q_proj.lora_A.weight"), zeros([2, 8])),
            (&format!("{path}.q_proj.lora_B.weight"), zeros([8, 2])),
            (&format!("{path}.q_proj.base_layer.bias"), bias()),
            (&format!("{path}.k_proj.bias"), bias()),
            ("base_model.model.score.bias", bias()),
            ("base_model.model.score.original_module.bias", bias()),
            ("base_model.model.score.modules_to_save.bias", bias()),
        ],
    );
    let saved = load(folder.path(), &llama()).expect("loaded");
    let names = |tensors: &[(String, TensorData)]| -> Vec<String> {
        tensors.iter().map(|(name, _)| name.clone()).collect()
    };
    let biases = ["k_proj", "q_proj"].map(|name| format!("model.layers.0.self_attn.{name}.bias"));
    assert_eq!(names(&saved.biases), biases);
    assert_eq!(names(&saved.head), ["score.bias"]);
    assert!(replaces_biases(folder.path()).expect("readable"));
    let config = TunerConfig::Saved(folder.path().to_owned());
    let error = config.init(&context(&llama(), &Device::default(), 1));
    let message = error.expect_err("no tuner alone").to_string();
    assert!(message.contains("biases of the base"), "{message}");
}

#[test]
fn damaged_files_are_named() {
    let tensors = [("prompt_embeddings", TensorData::zeros::<f32, _>([2, 8]))];
    let folder = peft_folder(prompt_fields(), &tensors);
    let path = folder.path().join(PEFT_TENSORS);
    let bytes = std::fs::read(&path).expect("tensors");
    write(&path, &bytes[..bytes.len() - 5]).expect("written");
    check_error(folder.path(), &[PEFT_TENSORS, "no safetensors file"]);
    write(&folder.path().join(PEFT_CONFIG), b"[1]").expect("written");
    check_error(folder.path(), &[PEFT_CONFIG, "no JSON object"]);
    write(
        &folder.path().join(OWN_CONFIG),
        b"{\"format\": 1, \"formar\": 2}",
    )
    .expect("written");
    check_error(folder.path(), &[OWN_CONFIG, "formar"]);
}

#[test]
fn a_description_names_no_file_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = serde_json::json!({
        "format": 2, "base_model_name_or_path": "", "task_type": "CAUSAL_LM", "tensors": "../../secret",
        "tuner": { "from": "." },
    });
    write_json(&folder.path().join(OWN_CONFIG), &own).expect("written");
    check_error(
        folder.path(),
        &["`format` is 2", "`tensors` is `../../secret`", "`tuner`"],
    );
}

#[test]
fn a_pickle_is_never_read() {
    let folder = peft_folder(prompt_fields(), &[]);
    std::fs::remove_file(folder.path().join(PEFT_TENSORS)).expect("removed");
    check_error(folder.path(), &["cannot read", PEFT_TENSORS]);
    write(&folder.path().join(PEFT_PICKLE), b"\x80").expect("written");
    check_error(folder.path(), &["is a pickle", "hint: convert it"]);
    let empty = tempfile::tempdir().expect("a folder");
    check_error(
        empty.path(),
        &["neither `pilotlight.json` nor `adapter_config.json`"],
    );
}

#[test]
fn an_adapter_for_another_model_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let lora = tuner(LoraConfig::default(), &llama());
    save_adapter(folder.path(), &lora, None, &base(llama())).expect("saved");
    let error = load(folder.path(), &bert())
        .expect_err("another model")
        .to_string();
    assert!(
        error.contains("self_attn.q_proj") || error.contains("lora_A"),
        "{error}"
    );
}
