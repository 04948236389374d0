//! From a GGUF file's tokenizer to `tokenizer.json` and `tokenizer_config.json`.
//!
//! | `tokenizer.ggml.model` | what it is | here |
//! |---|---|---|
//! | `gpt2` | byte-level BPE | [`byte_level`] |
//! | `llama` | SentencePiece's BPE with scores | [`sentence_piece`] |

mod byte_level;
mod sentence_piece;

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::value::Metadata;

/// The kinds of token that the format tells apart (`tokenizer.ggml.token_type`).
const NORMAL: usize = 1;
const UNKNOWN: usize = 2;
const CONTROL: usize = 3;
const USER_DEFINED: usize = 4;

/// The files of a tokenizer.
#[derive(Debug)]
pub(super) struct Tokenizer {
    /// `tokenizer.json`.
    pub(super) definition: Json,
    /// `tokenizer_config.json`.
    pub(super) config: Json,
    /// What it is, for people.
    pub(super) description: String,
    /// The ids of the special tokens.
    pub(super) special: SpecialIds,
    /// What had to be assumed.
    pub(super) notes: Vec<String>,
}

/// The ids of the special tokens that the metadata names.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SpecialIds {
    pub(super) bos: Option<usize>,
    pub(super) eos: Option<usize>,
    pub(super) pad: Option<usize>,
    /// The end of a turn, where it differs from the end of a text.
    pub(super) end_of_turn: Option<usize>,
    unknown: Option<usize>,
}

/// The tokens as the metadata lists them.
#[derive(Debug)]
struct Tokens<'a> {
    texts: Vec<&'a str>,
    kinds: Vec<usize>,
    ids: HashMap<&'a str, usize>,
}

/// What the two kinds of tokenizer differ in.
struct Parts {
    normalizer: Json,
    pre_tokenizer: Json,
    decoder: Json,
    /// `model` of `tokenizer.json` without the vocabulary.
    model: Map<String, Json>,
    /// Whether texts start with the token `bos`, where the metadata does not say.
    adds_bos: bool,
    description: String,
    notes: Vec<String>,
}

impl Tokenizer {
    /// Reads the tokenizer of a model with `n_vocab` word embeddings; what stands in the way is noted in `metadata`.
    pub(super) fn read(
        metadata: &mut Metadata<'_>,
        n_vocab: usize,
        n_positions: usize,
    ) -> Option<Self> {
        let tokens = Tokens::read(metadata, n_vocab)?;
        let special = SpecialIds::read(metadata, n_vocab);
        let parts = match metadata.text("tokenizer.ggml.model") {
            Some("gpt2") => byte_level::parts(metadata, &tokens)?,
            Some("llama") => sentence_piece::parts(metadata, &tokens, &special)?,
            other => {
                metadata.problem(format!(
                    "its tokenizer is of the kind `{}`; known are `gpt2` and `llama`",
                    other.unwrap_or("none")
                ));
                return None;
            }
        };
        let bos = special.bos.filter(|_| {
            metadata
                .truth("tokenizer.ggml.add_bos_token")
                .unwrap_or(parts.adds_bos)
        });
        let eos = special.eos.filter(|_| {
            metadata
                .truth("tokenizer.ggml.add_eos_token")
                .unwrap_or(false)
        });
        let text = |id: Option<usize>| id.map(|id| tokens.texts[id]);
        let config = json!({
            "add_bos_token": bos.is_some(),
            "add_eos_token": eos.is_some(),
            "add_prefix_space": false,
            "bos_token": text(special.bos),
            "chat_template": metadata.text("tokenizer.chat_template"),
            "clean_up_tokenization_spaces": false,
            "eos_token": text(special.eos),
            "model_max_length": n_positions,
            "pad_token": text(special.pad),
            "tokenizer_class": "PreTrainedTokenizerFast",
            "unk_token": text(special.unknown),
        });
        let mut model = parts.model;
        let vocabulary = tokens.texts.iter().enumerate();
        model.insert(
            "vocab".into(),
            vocabulary
                .map(|(id, &text)| (text.to_string(), Json::from(id)))
                .collect::<Map<_, _>>()
                .into(),
        );
        let definition = json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": tokens.added(),
            "normalizer": parts.normalizer,
            "pre_tokenizer": parts.pre_tokenizer,
            "post_processor": frame(&tokens, bos, eos),
            "decoder": parts.decoder,
            "model": model,
        });
        Some(Self {
            definition,
            config,
            description: parts.description,
            special,
            notes: parts.notes,
        })
    }
}

impl SpecialIds {
    fn read(metadata: &mut Metadata<'_>, n_vocab: usize) -> Self {
        let mut id = |name: &str| {
            let key = format!("tokenizer.ggml.{name}_token_id");
            let id = metadata.count(&key)?;
            if id >= n_vocab {
                metadata.problem(format!(
                    "`{key}` is {id}, but there are only {n_vocab} tokens"
                ));
                return None;
            }
            Some(id)
        };
        let eos = id("eos");
        Self {
            bos: id("bos"),
            eos,
            pad: id("padding"),
            end_of_turn: id("eot").filter(|&end| Some(end) != eos),
            unknown: id("unknown"),
        }
    }
}

impl<'a> Tokens<'a> {
    fn read(metadata: &mut Metadata<'a>, n_vocab: usize) -> Option<Self> {
        /// Far longer than any real token; merges are sought at every place of a token.
        const MAX_LENGTH: usize = 1024;
        let Some(texts) = metadata.texts("tokenizer.ggml.tokens") else {
            metadata.problem("it holds no tokenizer (`tokenizer.ggml.tokens`)");
            return None;
        };
        let kinds = metadata
            .counts("tokenizer.ggml.token_type")
            .unwrap_or_else(|| vec![NORMAL; texts.len()]);
        if texts.len() != n_vocab || kinds.len() != n_vocab {
            metadata.problem(format!(
                "{} tokens and {} token types do not fit {n_vocab} word embeddings",
                texts.len(),
                kinds.len()
            ));
            return None;
        }
        let mut ids = HashMap::with_capacity(n_vocab);
        for (id, &text) in texts.iter().enumerate() {
            if text.len() > MAX_LENGTH {
                metadata.problem(format!("token {id} has {} bytes", text.len()));
            }
            if let Some(other) = ids.insert(text, id) {
                metadata.problem(format!("tokens {other} and {id} are both {text:?}"));
            }
        }
        Some(Self { texts, kinds, ids })
    }

    /// `added_tokens` of `tokenizer.json`: the tokens that are found in a text before it is split.
    fn added(&self) -> Vec<Json> {
        let tokens = self.texts.iter().zip(&self.kinds).enumerate();
        tokens
            .filter(|&(_, (_, &kind))| matches!(kind, UNKNOWN | CONTROL | USER_DEFINED))
            .map(|(id, (text, &kind))| {
                json!({
                    "id": id,
                    "content": text,
                    "single_word": false,
                    "lstrip": false,
                    "rstrip": false,
                    "normalized": false,
                    "special": kind != USER_DEFINED,
                })
            })
            .collect()
    }

    /// `model.merges` of `tokenizer.json`; merges of unknown tokens are noted in `metadata`.
    fn merges(&self, metadata: &mut Metadata<'_>, merges: Vec<(&str, &str)>) -> Json {
        let mut unknown = 0;
        let mut merged = String::new();
        for (left, right) in &merges {
            merged.clear();
            merged.push_str(left);
            merged.push_str(right);
            let known = [*left, *right, merged.as_str()];
            unknown += usize::from(!known.iter().all(|text| self.ids.contains_key(text)));
        }
        if unknown > 0 {
            metadata.problem(format!(
                "{unknown} merges of its tokenizer join or make tokens that do not exist"
            ));
        }
        merges
            .into_iter()
            .map(|(left, right)| json!([left, right]))
            .collect()
    }
}

/// A post-processor that puts the given tokens around a text; `null` if there are none.
fn frame(tokens: &Tokens<'_>, bos: Option<usize>, eos: Option<usize>) -> Json {
    if bos.is_none() && eos.is_none() {
        return Json::Null;
    }
    let special = |id: Option<usize>, segment: usize| {
        id.map(|id| json!({ "SpecialToken": { "id": tokens.texts[id], "type_id": segment } }))
    };
    let framed = |sequence: &str, segment: usize| {
        let text = json!({ "Sequence": { "id": sequence, "type_id": segment } });
        [special(bos, segment), Some(text), special(eos, segment)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
    };
    let named: Map<String, Json> = [bos, eos]
        .into_iter()
        .flatten()
        .map(|id| {
            let text = tokens.texts[id];
            let entry = json!({ "id": text, "ids": [id], "tokens": [text] });
            (text.to_string(), entry)
        })
        .collect();
    let pair = [framed("A", 0), framed("B", 1)].concat();
    json!({
        "type": "TemplateProcessing",
        "single": framed("A", 0),
        "pair": pair,
        "special_tokens": named,
    })
}
