//! What the benchmarks measure on: a small Llama with random weights, and texts of random tokens.
//!
//! `cargo bench -p pilotlight-benches` runs them on the CPU. Weights do not change what a step costs, so nothing has to
//! be fetched.

use burn::tensor::Device;
use pilotlight_core::TokenRow;
use pilotlight_data::{Example, Split, Target, TaskData, TaskKind};
use pilotlight_train::Tuned;
use pilotlight_transformer::{LoadOptions, Model, init_random};
use pilotlight_tuners::{InitContext, NoVocabulary, TunerConfig};
use serde_json::{Value, json};

/// Texts of a batch.
pub const N_BATCH: usize = 8;

/// Tokens of a text.
pub const N_TOKENS: usize = 64;

const N_VOCAB: u32 = 4096;

/// A Llama of 4 layers, width 192 and 4,096 words: the shape of the model that `pilot` carries.
pub fn model() -> Model {
    let config = json!({
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": 192,
        "intermediate_size": 512,
        "max_position_embeddings": 256,
        "num_attention_heads": 6,
        "num_hidden_layers": 4,
        "num_key_value_heads": 3,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": true,
        "vocab_size": N_VOCAB,
    });
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    fs_err::write(folder.path().join("config.json"), config.to_string()).expect("room on the disk");
    let options = LoadOptions::new(&Device::flex());
    init_random(folder.path(), 1, &options)
        .expect("the configuration is complete")
        .model
}

/// The model with a method on it; `full` trains the base as well.
pub fn tuned(method: &Value, full: bool) -> Tuned {
    let base = model().set_trained(&|_| full);
    let config: TunerConfig = serde_json::from_value(method.clone()).expect("names a method");
    let context = InitContext {
        base: &base,
        vocabulary: &NoVocabulary,
        seed: 1,
        device: &Device::flex(),
    };
    let tuner = config.init(&context).expect("the method fits the model");
    Tuned::new(base, tuner, None, None)
}

/// A batch of texts.
pub fn rows() -> Vec<TokenRow> {
    (0..N_BATCH).map(row).collect()
}

/// Texts, each of which one token follows.
pub fn completions() -> TaskData {
    let example = |index| Example {
        input: row(index),
        target: Target::Completion(vec![token(index, N_TOKENS)]),
        origin: index + 1,
    };
    TaskData {
        kind: TaskKind::Completion,
        labels: Vec::new(),
        verbalizer: None,
        train: Split {
            examples: (0..N_BATCH).map(example).collect(),
            ..Split::default()
        },
        validation: Split::default(),
        test: Split::default(),
    }
}

fn row(index: usize) -> TokenRow {
    TokenRow::new((0..N_TOKENS).map(|offset| token(index, offset)).collect())
}

/// A token that looks drawn.
fn token(index: usize, offset: usize) -> u32 {
    let mixed = (index * N_TOKENS + offset) as u32;
    (mixed.wrapping_mul(2_654_435_761) >> 8) % N_VOCAB
}
