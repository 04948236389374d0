//! A tiny model with random weights and a real tokenizer.

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};
use pilotlight_transformer::{LoadOptions, init_random, save_folder};

/// A Llama of two layers whose vocabulary is that of the byte-level tokenizer among the data crate's fixtures.
pub(crate) const CONFIG: &str = r#"{
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 16, "intermediate_size": 32,
    "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "vocab_size": 325,
    "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true,
    "hidden_act": "silu", "attention_bias": false, "mlp_bias": false, "initializer_range": 0.2
}"#;

/// Makes the folder `model` in `folder`.
pub(crate) fn tiny_model(folder: &Path) -> PathBuf {
    let model = folder.join("model");
    fs_err::create_dir_all(&model).expect("a folder");
    fs_err::write(model.join("config.json"), CONFIG).expect("written");
    let fixtures =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../pilotlight-data/tests/fixtures/byte_level");
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        fs_err::copy(fixtures.join(file), model.join(file)).expect("copied");
    }
    let random = init_random(&model, 1, &LoadOptions::new(&Device::flex())).expect("a model");
    save_folder(&random.model, &model, &model, DType::F32).expect("saved");
    model
}
