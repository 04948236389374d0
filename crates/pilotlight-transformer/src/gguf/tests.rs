mod file;
mod hostile;

use std::{collections::HashMap, path::PathBuf};

use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::Value as Json;
use tempfile::TempDir;

use self::file::{Entry, File, Stored, count, list, model, number, plain, text, truth};
use super::*;

/// A byte-level tokenizer and the ids of texts by name of the split.
#[derive(Deserialize)]
struct ByteLevel {
    tokens: Vec<String>,
    merges: Vec<String>,
    control: Vec<usize>,
    user_defined: Vec<usize>,
    texts: Vec<String>,
    ids: HashMap<String, Vec<Vec<u32>>>,
}

#[derive(Deserialize)]
struct SentencePiece {
    tokens: Vec<String>,
    scores: Vec<f32>,
    kinds: Vec<u32>,
    texts: Vec<String>,
    ids: Vec<Vec<u32>>,
}

/// A row of 256 numbers as it is stored, and the numbers.
#[derive(Deserialize)]
struct Block {
    number: u32,
    bytes: String,
    values: String,
}

fn byte_level() -> ByteLevel {
    let golden = include_str!("../../tests/fixtures/gguf/byte_level.json");
    serde_json::from_str(golden).expect("golden file")
}

fn sentence_piece() -> SentencePiece {
    let golden = include_str!("../../tests/fixtures/gguf/sentence_piece.json");
    serde_json::from_str(golden).expect("golden file")
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|index| u8::from_str_radix(&hex[index..index + 2], 16).expect("hex"))
        .collect()
}

fn texts(values: &[String]) -> Entry {
    list(values.iter().map(|value| text(value)).collect())
}

/// The tiny model with a byte-level tokenizer.
fn with_byte_level(split: &str) -> File {
    let golden = byte_level();
    let mut kinds = vec![1; golden.tokens.len()];
    for &id in &golden.control {
        kinds[id] = 3;
    }
    for &id in &golden.user_defined {
        kinds[id] = 4;
    }
    model(golden.tokens.len() as u64)
        .set("tokenizer.ggml.model", text("gpt2"))
        .set("tokenizer.ggml.pre", text(split))
        .set("tokenizer.ggml.tokens", texts(&golden.tokens))
        .set("tokenizer.ggml.merges", texts(&golden.merges))
        .set(
            "tokenizer.ggml.token_type",
            list(kinds.into_iter().map(count).collect()),
        )
        .set("tokenizer.ggml.bos_token_id", count(0))
        .set("tokenizer.ggml.eos_token_id", count(1))
        .set("tokenizer.chat_template", text("{{ messages }}"))
}

/// The tiny model with a SentencePiece tokenizer.
fn with_sentence_piece() -> File {
    let golden = sentence_piece();
    model(golden.tokens.len() as u64)
        .set("tokenizer.ggml.model", text("llama"))
        .set("tokenizer.ggml.tokens", texts(&golden.tokens))
        .set(
            "tokenizer.ggml.scores",
            list(golden.scores.into_iter().map(number).collect()),
        )
        .set(
            "tokenizer.ggml.token_type",
            list(golden.kinds.into_iter().map(count).collect()),
        )
        .set("tokenizer.ggml.unknown_token_id", count(0))
        .set("tokenizer.ggml.bos_token_id", count(1))
        .set("tokenizer.ggml.eos_token_id", count(2))
}

/// An attempted import in a folder of its own.
struct Attempt {
    folder: TempDir,
    result: Result<ImportReport, GgufError>,
}

impl Attempt {
    fn of_bytes(bytes: &[u8], options: &ImportOptions) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let gguf = folder.path().join("model.gguf");
        std::fs::write(&gguf, bytes).expect("written");
        let result = import_with(&gguf, &folder.path().join("out"), options);
        Self { folder, result }
    }

    fn of(file: &File) -> Self {
        Self::of_bytes(&file.bytes(), &ImportOptions::default())
    }

    #[track_caller]
    fn report(&self) -> &ImportReport {
        match &self.result {
            Ok(report) => report,
            Err(error) => panic!("{error}"),
        }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    fn json(&self, name: &str) -> Json {
        self.report();
        let text = std::fs::read(self.out(name)).expect("written");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// The bytes of a tensor.
    fn tensor(&self, name: &str) -> Vec<u8> {
        self.report();
        let bytes = std::fs::read(self.out("model.safetensors")).expect("written");
        let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
        tensors.tensor(name).expect("tensor").data().to_vec()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        let bytes = self.tensor(name);
        bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect()
    }

    /// The import failed with `message` and left nothing behind.
    #[track_caller]
    fn fails_with(&self, message: &str) {
        match &self.result {
            Ok(_) => panic!("imported, where {message:?} was expected"),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains(message), "{error}");
            }
        }
        let left = std::fs::read_dir(self.folder.path())
            .expect("listed")
            .count();
        assert_eq!(left, 1, "only the input is left");
    }
}

#[test]
fn every_stored_type_is_read_as_the_reference_reads_it() {
    let golden = include_str!("../../tests/fixtures/gguf/blocks.json");
    let blocks: HashMap<String, Block> = serde_json::from_str(golden).expect("golden file");
    assert_eq!(blocks.len(), 13);
    for (name, block) in blocks {
        let stored = Stored {
            shape: vec![128, 256],
            kind: block.number,
            bytes: unhex(&block.bytes).repeat(128),
        };
        let attempt = Attempt::of(&with_byte_level("smollm").tensor("blk.0.attn_v.weight", stored));
        let expected = unhex(&block.values).repeat(128);
        assert!(
            attempt.tensor("model.layers.0.self_attn.v_proj.weight") == expected,
            "{name}"
        );
    }
}

#[test]
fn rows_of_queries_and_keys_are_put_in_halves() {
    let row = |index: usize| (index / 256) as f32;
    let attempt = Attempt::of(
        &with_byte_level("smollm")
            .tensor("blk.0.attn_q.weight", plain(&[256, 256], row))
            .tensor("blk.0.attn_k.weight", plain(&[128, 256], row))
            .tensor("blk.0.attn_v.weight", plain(&[128, 256], row)),
    );
    let rows = |name: &str| -> Vec<f32> {
        let name = format!("model.layers.0.self_attn.{name}.weight");
        attempt
            .floats(&name)
            .chunks(256)
            .map(|row| row[0])
            .collect()
    };
    let halves = |head: usize| {
        let start = 128 * head;
        let even = (0..64).map(move |pair| (start + 2 * pair) as f32);
        even.chain((0..64).map(move |pair| (start + 2 * pair + 1) as f32))
    };
    assert_eq!(
        rows("q_proj"),
        halves(0).chain(halves(1)).collect::<Vec<_>>()
    );
    assert_eq!(rows("k_proj"), halves(0).collect::<Vec<_>>());
    assert_eq!(
        rows("v_proj"),
        (0..128).map(|row| row as f32).collect::<Vec<_>>()
    );
}

#[test]
fn the_config_describes_the_model() {
    let attempt = Attempt::of(&with_byte_level("smollm"));
    let report = attempt.report();
    assert_eq!(report.name.as_deref(), Some("tiny"));
    assert!(report.tied);
    assert_eq!((report.n_tensors, report.stored["F32"]), (11, 11));
    let config = attempt.json("config.json");
    for (key, expected) in [
        ("hidden_size", Json::from(256)),
        ("head_dim", 128.into()),
        ("num_attention_heads", 2.into()),
        ("num_key_value_heads", 1.into()),
        ("intermediate_size", 64.into()),
        ("vocab_size", 381.into()),
        ("rms_norm_eps", 1e-5.into()),
        ("rope_theta", 100_000.0.into()),
        ("rope_scaling", Json::Null),
        ("tie_word_embeddings", true.into()),
        ("attention_bias", false.into()),
        ("bos_token_id", 0.into()),
        ("eos_token_id", 1.into()),
    ] {
        assert_eq!(config[key], expected, "{key}");
    }
    let tokenizer = attempt.json("tokenizer_config.json");
    assert_eq!(tokenizer["eos_token"], "<|end|>");
    assert_eq!(tokenizer["chat_template"], "{{ messages }}");
    assert_eq!(attempt.json("generation_config.json")["eos_token_id"][0], 1);
}

#[test]
fn an_own_head_biases_and_scaled_positions_are_kept() {
    let mut file = with_byte_level("smollm")
        .tensor("output.weight", plain(&[381, 256], |_| 1.0))
        .tensor("rope_freqs.weight", plain(&[64], |_| 1.0))
        .set("llama.rope.scaling.type", text("none"));
    for (name, size) in [("q", 256), ("k", 128), ("v", 128), ("output", 256)] {
        file = file.tensor(
            &format!("blk.0.attn_{name}.bias"),
            plain(&[size], |index| index as f32),
        );
    }
    let attempt = Attempt::of(&file);
    assert!(!attempt.report().tied);
    let config = attempt.json("config.json");
    assert_eq!(config["tie_word_embeddings"], false);
    assert_eq!(config["attention_bias"], true);
    assert_eq!(attempt.floats("lm_head.weight")[0], 1.0);
    let bias = attempt.floats("model.layers.0.self_attn.k_proj.bias");
    assert_eq!((bias[1], bias[64]), (2.0, 1.0));
}

#[test]
fn weights_are_written_in_the_type_asked_for() {
    let file = with_byte_level("smollm").tensor("output_norm.weight", plain(&[256], |_| 1e5));
    let written = |dtype| Attempt::of_bytes(&file.bytes(), &ImportOptions { dtype });
    let attempt = written(DType::BF16);
    assert_eq!(attempt.json("config.json")["torch_dtype"], "bfloat16");
    assert_eq!(attempt.tensor("model.norm.weight").len(), 512);
    written(DType::F16)
        .fails_with("output_norm.weight: holds a number that is not finite as float16");
    written(DType::I64).fails_with("choose f32, f16 or bf16");
}

/// The ids of `texts` by the imported tokenizer.
fn ids(attempt: &Attempt, texts: &[String]) -> Vec<Vec<u32>> {
    attempt.report();
    let tokenizer = tokenizers::Tokenizer::from_file(attempt.out("tokenizer.json")).expect("loads");
    texts
        .iter()
        .map(|text| {
            let encoding = tokenizer.encode(text.as_str(), true).expect("encodes");
            encoding.get_ids().to_vec()
        })
        .collect()
}

#[test]
fn byte_level_ids_equal_the_reference() {
    let golden = byte_level();
    for (split, expected) in &golden.ids {
        // What a model of this kind does by itself is tested next.
        let file = with_byte_level(split).set("tokenizer.ggml.add_bos_token", truth(false));
        assert_eq!(
            &ids(&Attempt::of(&file), &golden.texts),
            expected,
            "{split}"
        );
    }
}

#[test]
fn the_first_token_is_added_where_the_model_expects_it() {
    let golden = byte_level();
    let llama = ids(&Attempt::of(&with_byte_level("llama-bpe")), &golden.texts);
    assert_eq!(llama[0][0], 0);
    assert_eq!(llama[0][1..], golden.ids["llama-bpe"][0]);
    let file = with_byte_level("smollm").set("tokenizer.ggml.add_eos_token", truth(true));
    let with_end = ids(&Attempt::of(&file), &golden.texts);
    assert_eq!(with_end[0].last(), Some(&1));
}

#[test]
fn sentence_piece_ids_equal_the_reference() {
    let golden = sentence_piece();
    let attempt = Attempt::of(&with_sentence_piece());
    assert_eq!(ids(&attempt, &golden.texts), golden.ids);
    let tokenizer = tokenizers::Tokenizer::from_file(attempt.out("tokenizer.json")).expect("loads");
    for (text, ids) in golden.texts.iter().zip(&golden.ids) {
        assert_eq!(&tokenizer.decode(ids, true).expect("decodes"), text);
    }
    // A text that spells out a byte's piece is not that byte.
    let spelled = ids_of(&tokenizer, "<0x41>");
    let byte = golden.tokens.iter().position(|token| token == "<0x41>");
    assert!(!spelled.contains(&(byte.expect("a piece") as u32)));
}

fn ids_of(tokenizer: &tokenizers::Tokenizer, text: &str) -> Vec<u32> {
    tokenizer
        .encode(text, false)
        .expect("encodes")
        .get_ids()
        .to_vec()
}
