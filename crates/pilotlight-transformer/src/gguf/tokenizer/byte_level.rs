//! Byte-level BPE (`tokenizer.ggml.model = "gpt2"`): how texts are split before bytes are merged depends on
//! `tokenizer.ggml.pre`.

use serde_json::{Map, Value as Json, json};

use super::{Parts, Tokens};
use crate::gguf::value::Metadata;

/// How Llama 3 splits texts: digits in groups of up to three.
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// How Qwen 2 splits texts: each digit apart.
const QWEN_2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How texts are split.
enum Split {
    /// GPT-2's own pattern, which is that of the `ByteLevel` pre-tokenizer.
    Gpt2,
    /// Each digit apart, then GPT-2's pattern.
    Digits,
    /// Another pattern.
    Pattern(&'static str),
}

pub(super) fn parts(metadata: &mut Metadata<'_>, tokens: &Tokens<'_>) -> Option<Parts> {
    let named = metadata.text("tokenizer.ggml.pre");
    let mut notes = Vec::new();
    let (split, is_llama_3, is_qwen) = match named.unwrap_or("default") {
        "default" => {
            notes.push(
                "the file does not say how texts are split before bytes are merged; GPT-2's pattern was assumed"
                    .into(),
            );
            (Split::Gpt2, false, false)
        }
        "gpt-2" | "gpt2" | "phi-2" => (Split::Gpt2, false, false),
        "smollm" | "starcoder" => (Split::Digits, false, false),
        "llama-bpe" | "llama3" | "llama-v3" => (Split::Pattern(LLAMA_3), true, false),
        "qwen2" | "deepseek-r1-qwen" => (Split::Pattern(QWEN_2), false, true),
        other => {
            metadata.problem(format!(
                "its tokenizer splits texts in the way `{other}`; known are smollm, starcoder, gpt-2, phi-2, llama-bpe and qwen2"
            ));
            return None;
        }
    };
    let Some(merges) = metadata.texts("tokenizer.ggml.merges") else {
        metadata.problem("its tokenizer has no merges (`tokenizer.ggml.merges`)");
        return None;
    };
    let pairs: Option<Vec<(&str, &str)>> =
        merges.iter().map(|merge| merge.split_once(' ')).collect();
    let Some(pairs) = pairs else {
        metadata.problem("`tokenizer.ggml.merges` holds an entry that is no pair");
        return None;
    };

    let byte_level = |use_regex: bool| {
        json!({
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex,
        })
    };
    let sequence = |first: Json, second: Json| {
        json!({
            "type": "Sequence", "pretokenizers": [first, second],
        })
    };
    let pre_tokenizer = match split {
        Split::Gpt2 => byte_level(true),
        Split::Digits => sequence(
            json!({ "type": "Digits", "individual_digits": true }),
            byte_level(true),
        ),
        Split::Pattern(pattern) => sequence(
            json!({
                "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false,
            }),
            byte_level(false),
        ),
    };
    let model = Map::from_iter([
        ("type".into(), json!("BPE")),
        ("dropout".into(), Json::Null),
        ("unk_token".into(), Json::Null),
        ("continuing_subword_prefix".into(), Json::Null),
        ("end_of_word_suffix".into(), Json::Null),
        ("fuse_unk".into(), json!(false)),
        ("byte_fallback".into(), json!(false)),
        // Llama 3 has words in its vocabulary that its merges do not reach.
        ("ignore_merges".into(), json!(is_llama_3)),
        ("merges".into(), tokens.merges(metadata, pairs)),
    ]);
    Some(Parts {
        normalizer: if is_qwen {
            json!({ "type": "NFC" })
        } else {
            Json::Null
        },
        pre_tokenizer,
        decoder: json!({
            "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true,
        }),
        model,
        adds_bos: is_llama_3,
        description: format!(
            "byte-level BPE, texts split as by {}",
            named.unwrap_or("gpt-2 (assumed)")
        ),
        notes,
    })
}
