//! Small models, data and experiments in a temporary folder.

// No test needs all of it.
#![allow(dead_code)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use burn::tensor::{DType, Device};
use pilotlight_compare::{CompareError, Experiment, Layers, Precision, Resolver};
use pilotlight_transformer::{LoadOptions, init_random, save_folder};

/// A decoder for the byte-level tokenizer of the fixtures.
const DECODER: &str = r#"{
    "model_type": "llama", "vocab_size": 325, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-6,
    "tie_word_embeddings": true, "hidden_act": "silu", "initializer_range": 0.1
}"#;

/// An encoder for the word-piece tokenizer of the fixtures.
const ENCODER: &str = r#"{
    "model_type": "bert", "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 32, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
    "hidden_act": "gelu", "initializer_range": 0.1
}"#;

pub(crate) struct Workshop {
    folder: tempfile::TempDir,
}

/// Knows no model beyond folders, and one device.
pub(crate) struct Local;

impl Resolver for Local {
    fn model(&self, name: &str) -> Result<PathBuf, CompareError> {
        Err(CompareError::Unresolved {
            message: format!("there is no model {name}"),
            hint: "name a folder".into(),
        })
    }

    fn device(&self, _names: &str, _precision: Precision) -> Result<Device, CompareError> {
        Ok(Device::default())
    }

    fn helpers(&self, names: &str, _precision: Precision) -> Result<Vec<Device>, CompareError> {
        Ok(vec![Device::default(); names.matches(',').count()])
    }
}

impl Workshop {
    /// A folder with the models `decoder` and `encoder` and with reviews that a word decides.
    pub(crate) fn new() -> Self {
        let workshop = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        workshop.add_model("decoder", DECODER, "byte_level");
        workshop.add_model("encoder", ENCODER, "word_piece");
        let reviews = |n: usize, start: usize| {
            let review = |index: usize| {
                let (word, label) = [("fine", "positive"), ("dull", "negative")][index % 2];
                format!("{{\"text\": \"a {word} film {index}\", \"label\": \"{label}\"}}\n")
            };
            (start..start + n).map(review).collect::<String>()
        };
        workshop.write("train.jsonl", &reviews(40, 0));
        workshop.write("validation.jsonl", &reviews(8, 100));
        workshop.write("test.jsonl", &reviews(20, 200));
        workshop
    }

    fn add_model(&self, name: &str, config: &str, tokenizer: &str) {
        let source = self.path(&format!("{name}-config"));
        fs::create_dir_all(&source).expect("made");
        fs::write(source.join("config.json"), config).expect("written");
        let options = LoadOptions::new(&Device::default());
        let model = init_random(&source, 1, &options).expect("a model").model;
        let out = self.path(name);
        save_folder(&model, &source, &out, DType::F32).expect("saved");
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../pilotlight-data/tests/fixtures")
            .join(tokenizer);
        for file in ["tokenizer.json", "tokenizer_config.json"] {
            fs::copy(fixtures.join(file), out.join(file)).expect("copied");
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The layers of an experiment file: what all tests share, then `text`.
    pub(crate) fn layers(&self, text: &str) -> Layers {
        let shared = r#"
seed = 3
[base]
model = "decoder"
[data]
train = "train.jsonl"
validation = "validation.jsonl"
test = "test.jsonl"
[task]
kind = "classification"
template = "{{ text }} is"
labels = { negative = " no", positive = " yes" }
[report]
resamples = 200
"#;
        self.write("shared.toml", &(shared.to_owned() + text));
        Layers {
            file: Some(self.path("shared.toml")),
            ..Layers::default()
        }
    }

    #[track_caller]
    pub(crate) fn experiment(&self, text: &str) -> Experiment {
        let experiment = self.layers(text).experiment(None);
        experiment.unwrap_or_else(|error| panic!("{error}"))
    }

    /// A message without the path of this folder.
    pub(crate) fn plain(&self, message: impl ToString) -> String {
        let folder = self.folder.path().display().to_string();
        message.to_string().replace(&(folder + "/"), "")
    }
}
