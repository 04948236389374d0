//! Texts to token ids and back.

use std::{borrow::Cow, collections::HashSet, path::Path};

use serde_json::Value;

use crate::error::DataError;

/// Most bytes of a tokenizer's file; the largest in use are a tenth of it.
const MAX_FILE_BYTES: u64 = 512 << 20;

const TOKENIZER_FILE: &str = "tokenizer.json";
const CONFIG_FILE: &str = "tokenizer_config.json";
const SPECIAL_TOKENS_FILE: &str = "special_tokens_map.json";

/// A pretrained tokenizer.
///
/// Padding and truncation that its file may ask for are switched off: rows are ragged, and what is cut from them is
/// decided by part and reported.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// File it came from, for messages.
    origin: String,
    special: HashSet<u32>,
    n_vocab: usize,
    bos: Option<u32>,
    eos: Option<u32>,
    pad: Option<u32>,
}

/// A token and where in the text it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EncodedToken {
    pub(crate) id: u32,
    pub(crate) token_type: u32,
    /// The sequence (0, or 1 for the second of a pair) and the byte where it begins; `None` for special tokens that
    /// the tokenizer's template adds.
    pub(crate) start: Option<(usize, usize)>,
}

impl Tokenizer {
    /// Loads the tokenizer of a model's folder: `tokenizer.json` and, where present, `tokenizer_config.json` and
    /// `special_tokens_map.json`, which name the special tokens.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or is malformed, or names a special token that is not in the vocabulary.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        let folder = folder.as_ref();
        let path = folder.join(TOKENIZER_FILE);
        let tokenizer = read_file(&path)?;
        let optional = |name: &str| {
            let path = folder.join(name);
            path.exists().then(|| read_file(&path)).transpose()
        };
        let config = optional(CONFIG_FILE)?;
        let special_tokens = optional(SPECIAL_TOKENS_FILE)?;
        Self::parse(
            path.to_string_lossy().into_owned(),
            &tokenizer,
            config.as_deref(),
            special_tokens.as_deref(),
        )
    }

    /// Like [`from_folder`](Self::from_folder), from the contents of the three files.
    ///
    /// # Errors
    ///
    /// If a file is malformed, or names a special token that is not in the vocabulary.
    pub fn from_bytes(
        tokenizer: &[u8],
        tokenizer_config: Option<&[u8]>,
        special_tokens_map: Option<&[u8]>,
    ) -> Result<Self, DataError> {
        let origin = format!("(embedded) {TOKENIZER_FILE}");
        Self::parse(origin, tokenizer, tokenizer_config, special_tokens_map)
    }

    fn parse(
        origin: String,
        tokenizer: &[u8],
        config: Option<&[u8]>,
        special_tokens: Option<&[u8]>,
    ) -> Result<Self, DataError> {
        let error = |message: String, hint: &str| DataError::Tokenizer {
            path: origin.clone(),
            message,
            hint: hint.into(),
        };
        let mut inner = tokenizers::Tokenizer::from_bytes(tokenizer).map_err(|source| {
            let hint = "it should be the tokenizer.json that stands beside the model's weights";
            error(format!("cannot be read: {source}"), hint)
        })?;
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|source| error(source.to_string(), "replace the file"))?;

        // `tokenizer_config.json` is the newer of the two files and wins.
        let mut names: Vec<Value> = Vec::new();
        for (file, content) in [(CONFIG_FILE, config), (SPECIAL_TOKENS_FILE, special_tokens)] {
            let Some(content) = content else { continue };
            names.push(serde_json::from_slice(content).map_err(|source| {
                let message = format!("{file} beside it cannot be read: {source}");
                error(message, "copy it again from the model's repository")
            })?);
        }
        let special_token = |role: &str| {
            let name = names.iter().find_map(|names| token_name(&names[role]));
            let Some(name) = name else { return Ok(None) };
            match inner.token_to_id(name) {
                Some(id) => Ok(Some(id)),
                None => Err(error(
                    format!("the {role} `{name}` is not in the vocabulary"),
                    "the files beside it belong to another tokenizer",
                )),
            }
        };
        let (bos, eos, pad) = (
            special_token("bos_token")?,
            special_token("eos_token")?,
            special_token("pad_token")?,
        );
        let special = inner
            .get_added_tokens_decoder()
            .into_iter()
            .filter(|(_, token)| token.special)
            .map(|(id, _)| id)
            .collect();
        let largest = inner.get_vocab(true).into_values().max();
        Ok(Self {
            n_vocab: largest.map_or(0, |id| id as usize + 1),
            inner,
            origin,
            special,
            bos,
            eos,
            pad,
        })
    }

    /// The token ids of a text, with or without the special tokens of the tokenizer's own template.
    ///
    /// # Errors
    ///
    /// If the tokenizer fails, as those without a token for unknown text may.
    pub fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>, DataError> {
        let encoding = self
            .inner
            .encode_fast(text, add_special_tokens)
            .map_err(|source| self.failed(source))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The tokens of one or two sequences with their origins.
    pub(crate) fn encode_located(
        &self,
        first: &str,
        second: Option<&str>,
        add_special_tokens: bool,
    ) -> Result<Vec<EncodedToken>, DataError> {
        let encoding = match second {
            Some(second) => self.inner.encode((first, second), add_special_tokens),
            None => self.inner.encode(first, add_special_tokens),
        }
        .map_err(|source| self.failed(source))?;
        let sequences = encoding.get_sequence_ids();
        let tokens = (0..encoding.len()).map(|index| EncodedToken {
            id: encoding.get_ids()[index],
            token_type: encoding.get_type_ids()[index],
            start: match (sequences[index], encoding.get_special_tokens_mask()[index]) {
                (Some(sequence), 0) => Some((sequence, encoding.get_offsets()[index].0)),
                _ => None,
            },
        });
        Ok(tokens.collect())
    }

    /// The text of token ids, with or without special tokens.
    ///
    /// # Errors
    ///
    /// If the tokenizer's decoder fails.
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String, DataError> {
        self.inner
            .decode(ids, skip_special_tokens)
            .map_err(|source| self.failed(source))
    }

    /// The text of a single token as it would stand inside a text, its blank in front included. Tokens that are not
    /// text by themselves (parts of a character, ids out of range) appear by their entry in the vocabulary.
    pub fn token_text(&self, id: u32) -> Cow<'static, str> {
        const SENTENCEPIECE_BLANK: char = '\u{2581}';
        let Some(entry) = self.inner.id_to_token(id) else {
            return Cow::Owned(format!("[{id}]"));
        };
        if entry.contains(SENTENCEPIECE_BLANK) {
            // Its decoder would drop the blank in front of a text.
            return Cow::Owned(entry.replace(SENTENCEPIECE_BLANK, " "));
        }
        match self.inner.decode(&[id], false) {
            Ok(text) if !text.is_empty() && !text.contains(char::REPLACEMENT_CHARACTER) => {
                Cow::Owned(text)
            }
            _ => Cow::Owned(entry),
        }
    }

    /// Whether the token is a special one: no text, but a mark such as the end of a sequence.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }

    /// Number of embeddings that a model needs for this tokenizer: its largest id and one.
    pub fn n_vocab(&self) -> usize {
        self.n_vocab
    }

    /// The id of a vocabulary entry.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The token that begins a sequence, if its files name one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The token that ends a sequence, if its files name one.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// The padding token, if its files name one.
    pub fn pad(&self) -> Option<u32> {
        self.pad
    }

    fn failed(&self, source: tokenizers::Error) -> DataError {
        DataError::Tokenizer {
            path: self.origin.clone(),
            message: source.to_string(),
            hint: "the tokenizer has no token for such text".into(),
        }
    }
}

/// Special tokens are named by their text, or by an object with the text as `content`.
fn token_name(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["content"].as_str())
}

fn read_file(path: &Path) -> Result<Vec<u8>, DataError> {
    let read = || {
        let size = fs_err::metadata(path)?.len();
        if size > MAX_FILE_BYTES {
            return Err(std::io::Error::from(std::io::ErrorKind::FileTooLarge));
        }
        fs_err::read(path)
    };
    read().map_err(|source| DataError::Read {
        path: path.into(),
        source,
    })
}
