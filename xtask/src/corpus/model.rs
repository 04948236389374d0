//! The embedded model's tokenizer and configuration.

use std::path::Path;

use anyhow::anyhow;
use serde_json::json;
use tokenizers::{
    AddedToken, Tokenizer,
    models::{
        TrainerWrapper,
        bpe::{BPE, BpeTrainerBuilder},
    },
    normalizers::{Lowercase, NFKC, Sequence},
    pre_tokenizers::{byte_level::ByteLevel, digits::Digits, sequence::Sequence as PreTokenizers},
};

use crate::{corpus::Document, workspace};

/// Entries of the vocabulary, special tokens and the 256 bytes included.
const N_VOCAB: usize = 4096;

/// Ends a document; the model also reads it in front of a text.
const END: &str = "<|endoftext|>";
/// Fills up a batch.
const PADDING: &str = "<|padding|>";

/// A trained tokenizer.
pub(super) struct Model {
    tokenizer: Tokenizer,
}

/// Trains the tokenizer and writes `tokenizer.json`, `tokenizer_config.json` and `config.json`.
pub(super) fn write(folder: &Path, documents: &[Document]) -> anyhow::Result<Model> {
    let tokenizer = train(documents)?;
    let content = tokenizer.to_string(false).map_err(|error| anyhow!(error))?;
    workspace::write(&folder.join("tokenizer.json"), content.as_bytes())?;
    let tokenizer_config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END,
        "eos_token": END,
        "pad_token": PADDING,
        "model_max_length": 256,
    });
    let config = json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": false,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 1,
        "head_dim": 32,
        "hidden_act": "silu",
        "hidden_size": 192,
        "initializer_range": 0.02,
        "intermediate_size": 512,
        "max_position_embeddings": 256,
        "mlp_bias": false,
        "num_attention_heads": 6,
        "num_hidden_layers": 4,
        "num_key_value_heads": 3,
        "rms_norm_eps": 1e-5,
        "rope_scaling": null,
        "rope_theta": 10000.0,
        "tie_word_embeddings": true,
        "torch_dtype": "float32",
        "vocab_size": N_VOCAB,
    });
    for (name, value) in [
        ("tokenizer_config.json", tokenizer_config),
        ("config.json", config),
    ] {
        let content = serde_json::to_string_pretty(&value)? + "\n";
        workspace::write(&folder.join(name), content.as_bytes())?;
    }
    Ok(Model { tokenizer })
}

fn train(documents: &[Document]) -> anyhow::Result<Tokenizer> {
    let bytes = ByteLevel::new(false, true, true);
    let digits = Digits::new(true);
    let mut tokenizer = Tokenizer::new(BPE::default());
    // A model this small has no room for both cases of a word.
    tokenizer
        .with_normalizer(Some(Sequence::new(vec![NFKC.into(), Lowercase.into()])))
        .map_err(|error| anyhow!(error))?
        .with_pre_tokenizer(Some(PreTokenizers::new(vec![digits.into(), bytes.into()])))
        .with_decoder(Some(bytes));
    let special = |text: &str| AddedToken::from(text.to_owned(), true);
    let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
        .vocab_size(N_VOCAB)
        .show_progress(false)
        .special_tokens(vec![special(END), special(PADDING)])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build()
        .into();
    tokenizer
        .train(
            &mut trainer,
            documents.iter().map(|document| document.text.as_str()),
        )
        .map_err(|error| anyhow!(error))?;
    Ok(tokenizer)
}

impl Model {
    /// Tokens of the documents, each with its end.
    pub(super) fn n_tokens(&self, documents: &[Document]) -> anyhow::Result<usize> {
        documents
            .iter()
            .map(|document| {
                let encoding = self.tokenizer.encode(document.text.as_str(), false);
                Ok(encoding.map_err(|error| anyhow!(error))?.len() + 1)
            })
            .sum()
    }
}
