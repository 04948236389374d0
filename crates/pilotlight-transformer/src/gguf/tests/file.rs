//! Writes small GGUF files byte by byte.

use std::collections::BTreeMap;

/// A metadata value as it stands in a file: the number of its type, and its bytes.
#[derive(Clone)]
pub(super) struct Entry(pub(super) u32, pub(super) Vec<u8>);

pub(super) fn count(value: u32) -> Entry {
    Entry(4, value.to_le_bytes().to_vec())
}

pub(super) fn number(value: f32) -> Entry {
    Entry(6, value.to_le_bytes().to_vec())
}

pub(super) fn truth(value: bool) -> Entry {
    Entry(7, vec![value.into()])
}

pub(super) fn text(value: &str) -> Entry {
    Entry(8, text_bytes(value))
}

/// A list of values of one type.
pub(super) fn list(items: Vec<Entry>) -> Entry {
    let kind = items.first().map_or(4, |item| item.0);
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend((items.len() as u64).to_le_bytes());
    bytes.extend(items.into_iter().flat_map(|item| item.1));
    Entry(9, bytes)
}

fn text_bytes(value: &str) -> Vec<u8> {
    let mut bytes = (value.len() as u64).to_le_bytes().to_vec();
    bytes.extend(value.as_bytes());
    bytes
}

/// A tensor as it stands in a file.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) shape: Vec<u64>,
    pub(super) kind: u32,
    pub(super) bytes: Vec<u8>,
}

/// Numbers stored as f32.
pub(super) fn plain(shape: &[u64], values: impl Fn(usize) -> f32) -> Stored {
    let n = shape.iter().product::<u64>() as usize;
    Stored {
        shape: shape.to_vec(),
        kind: 0,
        bytes: (0..n)
            .flat_map(|index| values(index).to_le_bytes())
            .collect(),
    }
}

/// A file to be.
#[derive(Clone)]
pub(super) struct File {
    pub(super) metadata: BTreeMap<String, Entry>,
    pub(super) tensors: BTreeMap<String, Stored>,
}

impl File {
    pub(super) fn set(mut self, key: &str, value: Entry) -> Self {
        self.metadata.insert(key.to_string(), value);
        self
    }

    pub(super) fn unset(mut self, key: &str) -> Self {
        assert!(self.metadata.remove(key).is_some(), "{key} was set");
        self
    }

    pub(super) fn tensor(mut self, name: &str, stored: Stored) -> Self {
        self.tensors.insert(name.to_string(), stored);
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, Entry(kind, value)) in &self.metadata {
            bytes.extend(text_bytes(key));
            bytes.extend(kind.to_le_bytes());
            bytes.extend(value);
        }
        let mut data: Vec<u8> = Vec::new();
        for (name, stored) in &self.tensors {
            bytes.extend(text_bytes(name));
            bytes.extend((stored.shape.len() as u32).to_le_bytes());
            for size in stored.shape.iter().rev() {
                bytes.extend(size.to_le_bytes());
            }
            bytes.extend(stored.kind.to_le_bytes());
            bytes.extend((data.len() as u64).to_le_bytes());
            data.extend(&stored.bytes);
            data.resize(data.len().next_multiple_of(32), 0);
        }
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend(data);
        bytes
    }
}

/// A model of one layer, d_model 256, two query heads and one key and value head, with `n_vocab` word embeddings;
/// every weight is 0. The caller adds a tokenizer.
pub(super) fn model(n_vocab: u64) -> File {
    let mut file = File {
        metadata: BTreeMap::new(),
        tensors: BTreeMap::new(),
    };
    for (name, shape) in [
        ("token_embd.weight", vec![n_vocab, 256]),
        ("output_norm.weight", vec![256]),
        ("blk.0.attn_norm.weight", vec![256]),
        ("blk.0.ffn_norm.weight", vec![256]),
        ("blk.0.attn_q.weight", vec![256, 256]),
        ("blk.0.attn_k.weight", vec![128, 256]),
        ("blk.0.attn_v.weight", vec![128, 256]),
        ("blk.0.attn_output.weight", vec![256, 256]),
        ("blk.0.ffn_gate.weight", vec![64, 256]),
        ("blk.0.ffn_up.weight", vec![64, 256]),
        ("blk.0.ffn_down.weight", vec![256, 64]),
    ] {
        file = file.tensor(name, plain(&shape, |_| 0.0));
    }
    file.set("general.architecture", text("llama"))
        .set("general.name", text("tiny"))
        .set("llama.block_count", count(1))
        .set("llama.context_length", count(64))
        .set("llama.embedding_length", count(256))
        .set("llama.feed_forward_length", count(64))
        .set("llama.attention.head_count", count(2))
        .set("llama.attention.head_count_kv", count(1))
        .set("llama.attention.layer_norm_rms_epsilon", number(1e-5))
        .set("llama.rope.freq_base", number(100_000.0))
        .set("llama.rope.dimension_count", count(128))
}
