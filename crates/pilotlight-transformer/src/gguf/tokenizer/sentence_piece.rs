//! SentencePiece's BPE (`tokenizer.ggml.model = "llama"`): pieces with scores, bytes where no piece fits.
//!
//! SentencePiece joins the neighbours whose union has the highest score. A list of merges says the same when it holds,
//! for each piece, every pair of pieces that makes it, in order of the score of the union.

use serde_json::{Map, Value as Json, json};

use super::{NORMAL, Parts, SpecialIds, Tokens};
use crate::gguf::value::Metadata;

/// What stands for a space in a piece.
const SPACE: &str = "\u{2581}";

pub(super) fn parts(
    metadata: &mut Metadata<'_>,
    tokens: &Tokens<'_>,
    special: &SpecialIds,
) -> Option<Parts> {
    let Some(scores) = metadata.numbers("tokenizer.ggml.scores") else {
        metadata.problem("its tokenizer has no scores (`tokenizer.ggml.scores`)");
        return None;
    };
    if scores.len() != tokens.texts.len() {
        metadata.problem(format!(
            "there are {} tokens but {} scores",
            tokens.texts.len(),
            scores.len()
        ));
        return None;
    }
    for byte in 0..=u8::MAX {
        if !tokens.ids.contains_key(format!("<0x{byte:02X}>").as_str()) {
            metadata.problem(format!(
                "its tokenizer has no piece for the byte {byte:#04x}"
            ));
        }
    }
    let has_prefix = metadata
        .truth("tokenizer.ggml.add_space_prefix")
        .unwrap_or(true);
    let prepend = has_prefix.then(|| json!({ "type": "Prepend", "prepend": SPACE }));
    let strip =
        has_prefix.then(|| json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    let replace = json!({ "type": "Replace", "pattern": { "String": " " }, "content": SPACE });
    let replace_back = json!({ "type": "Replace", "pattern": { "String": SPACE }, "content": " " });
    let fallback = json!({ "type": "ByteFallback" });
    let fuse = json!({ "type": "Fuse" });
    let normalizers: Vec<Json> = prepend.into_iter().chain([replace]).collect();
    let decoders: Vec<Json> = [replace_back, fallback, fuse]
        .into_iter()
        .chain(strip)
        .collect();
    let model = Map::from_iter([
        ("type".into(), json!("BPE")),
        ("dropout".into(), Json::Null),
        (
            "unk_token".into(),
            json!(special.unknown.map(|id| tokens.texts[id])),
        ),
        ("continuing_subword_prefix".into(), Json::Null),
        ("end_of_word_suffix".into(), Json::Null),
        ("fuse_unk".into(), json!(true)),
        ("byte_fallback".into(), json!(true)),
        ("ignore_merges".into(), json!(false)),
        (
            "merges".into(),
            tokens.merges(metadata, merges(tokens, &scores)),
        ),
    ]);
    Some(Parts {
        normalizer: json!({ "type": "Sequence", "normalizers": normalizers }),
        pre_tokenizer: Json::Null,
        decoder: json!({ "type": "Sequence", "decoders": decoders }),
        model,
        adds_bos: true,
        description: "SentencePiece BPE with bytes as a fallback".into(),
        notes: Vec::new(),
    })
}

/// Every pair of pieces that makes a piece, the best piece first.
fn merges<'a>(tokens: &Tokens<'a>, scores: &[f64]) -> Vec<(&'a str, &'a str)> {
    let mut merges = Vec::new();
    for (id, &text) in tokens.texts.iter().enumerate() {
        // What a text spells out must never become a control token or a byte.
        if tokens.kinds[id] != NORMAL {
            continue;
        }
        for (middle, _) in text.char_indices().skip(1) {
            let (left, right) = text.split_at(middle);
            if let (Some(&left_id), Some(&right_id)) = (tokens.ids.get(left), tokens.ids.get(right))
                && tokens.kinds[left_id] == NORMAL
                && tokens.kinds[right_id] == NORMAL
            {
                merges.push((scores[id], left, right));
            }
        }
    }
    merges.sort_by(|(left, ..), (right, ..)| right.total_cmp(left));
    merges
        .into_iter()
        .map(|(_, left, right)| (left, right))
        .collect()
}
