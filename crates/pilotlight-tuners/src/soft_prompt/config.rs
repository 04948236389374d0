//! The keys of `method = "soft-prompt"`.

use std::path::PathBuf;

use burn::tensor::{Device, TensorData};
use pilotlight_core::ModelSpec;
use serde::{Deserialize, Serialize};

use super::{
    Place, Placement, SoftPrompt,
    encoder::{EncoderConfig, EncoderKind},
    init,
};
use crate::{
    error::{Problems, TunerError},
    method::{InitContext, Method, Tensors},
    peft::PeftFields,
};

/// Number of vectors where none is given: Lester et al. find little to gain beyond 20.
const PROMPT_LENGTH: usize = 20;

/// The keys of `method = "soft-prompt"`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SoftPromptConfig {
    /// Number of vectors: 20, or the sum of a split `placement`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_length: Option<usize>,
    /// Where they stand: by default in front of everything.
    pub placement: Placement,
    /// Whether every layer has vectors of its own, not the first alone.
    #[serde(skip_serializing_if = "is_false")]
    pub deep: bool,
    /// What they are at first: by default words of the training inputs; with an encoder, whose input they are, normal
    /// numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    /// `random-normal`: the standard deviation, by default 0.02, for the input of an encoder 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std: Option<f64>,
    /// `vocab` and `labels`: how many of the most frequent tokens are drawn from, 5000 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocab_top_k: Option<usize>,
    /// `text`: the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `from`: the folder of an adapter that holds a soft prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_prompt: Option<PathBuf>,
    /// P-tuning: the network through which the prompt is trained, by default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderKind>,
    /// Its inner width, by default `d_model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder_dim: Option<usize>,
    /// `lstm`: its recurrent layers, 2 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder_layers: Option<usize>,
    /// `lstm`: dropout between its recurrent layers, none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder_dropout: Option<f64>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// The first values of a prompt's vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Random directions, as long as word embeddings are on average.
    Random,
    /// Independent normal numbers of a given standard deviation.
    RandomNormal,
    /// Embeddings of words drawn without replacement from the most frequent tokens of the training inputs, then, if
    /// these are too few, from the whole vocabulary; never of special tokens.
    Vocab,
    /// Embeddings of a text's tokens, repeated or cut to the prompt's length.
    Text,
    /// Embeddings of the label words, the mean where a word has several tokens, then as `vocab`.
    Labels,
    /// The vectors of a saved prompt.
    From,
}

impl SoftPromptConfig {
    /// Number of vectors.
    pub fn prompt_length(&self) -> usize {
        match &self.placement {
            Placement::Whole(_) => self.prompt_length.unwrap_or(PROMPT_LENGTH),
            Placement::Split(parts) => parts.iter().map(|part| part.length).sum(),
        }
    }

    /// Number of vectors of all layers.
    pub(super) fn n_vectors(&self, spec: &ModelSpec) -> usize {
        self.prompt_length() * if self.deep { spec.n_layers } else { 1 }
    }

    /// What the vectors are at first.
    pub fn first_values(&self) -> Init {
        self.init.unwrap_or(match self.encoder {
            Some(_) => Init::RandomNormal,
            None => Init::Vocab,
        })
    }

    /// The standard deviation of `random-normal`.
    pub fn std(&self) -> f64 {
        self.std.unwrap_or(match self.encoder {
            Some(_) => 1.0,
            None => 0.02,
        })
    }

    /// The recurrent layers of an encoder.
    fn encoder_layers(&self) -> usize {
        self.encoder_layers.unwrap_or(2)
    }

    /// The number of most frequent tokens of `vocab`.
    pub fn vocab_top_k(&self) -> usize {
        self.vocab_top_k.unwrap_or(5000)
    }

    fn check_length(&self, spec: &ModelSpec, problems: &mut Problems) {
        let length = self.prompt_length();
        if let (Placement::Split(_), Some(given)) = (&self.placement, self.prompt_length)
            && given != length
        {
            problems.push(
                "prompt_length",
                format!(
                    "is {given}, but the lengths in `placement` add up to {length}\nhint: leave `prompt_length` out"
                ),
            );
        } else if length == 0 {
            problems.push("prompt_length", "must be at least 1");
        } else if length >= spec.n_positions {
            problems.push(
                "prompt_length",
                format!(
                    "is {length}, which leaves no room for a text: the model takes {} positions",
                    spec.n_positions
                ),
            );
        }
        if let Placement::Split(parts) = &self.placement
            && parts.iter().any(|part| part.length == 0)
        {
            problems.push("placement", "has a part of length 0: leave it out");
        }
    }

    /// Options that another init reads, or that this one lacks.
    fn check_init(&self, problems: &mut Problems) {
        let init = self.first_values();
        let vocabulary = matches!(init, Init::Vocab | Init::Labels);
        let options = [
            (
                "std",
                self.std.is_some(),
                init == Init::RandomNormal,
                "`random-normal`",
            ),
            (
                "vocab_top_k",
                self.vocab_top_k.is_some(),
                vocabulary,
                "`vocab` or `labels`",
            ),
            ("text", self.text.is_some(), init == Init::Text, "`text`"),
            (
                "from_prompt",
                self.from_prompt.is_some(),
                init == Init::From,
                "`from`",
            ),
        ];
        for (key, given, read, inits) in options {
            if given && !read {
                problems.push(
                    key,
                    format!("has no effect: only init {inits} reads it\nhint: leave it out, or set `init`"),
                );
            }
        }
        let needed = [
            ("text", Init::Text, self.text.is_some()),
            ("from_prompt", Init::From, self.from_prompt.is_some()),
        ];
        for (key, needing, given) in needed {
            if init == needing && !given {
                problems.push(key, "is missing: this `init` needs it");
            }
        }
        if self.std.is_some_and(|std| !(std > 0.0 && std.is_finite())) {
            problems.push("std", format!("is {}, which is not above 0", self.std()));
        }
        if self.vocab_top_k == Some(0) {
            problems.push("vocab_top_k", "must be at least 1");
        }
        if self.text.as_ref().is_some_and(|text| text.is_empty()) {
            problems.push("text", "is empty");
        }
    }

    /// Options of an encoder that is not there, or that it does not read.
    fn check_encoder(&self, problems: &mut Problems) {
        let lstm = self.encoder == Some(EncoderKind::Lstm);
        let options = [
            (
                "encoder_dim",
                self.encoder_dim.is_some(),
                self.encoder.is_some(),
                "an `encoder`",
            ),
            (
                "encoder_layers",
                self.encoder_layers.is_some(),
                lstm,
                "`encoder = \"lstm\"`",
            ),
            (
                "encoder_dropout",
                self.encoder_dropout.is_some(),
                lstm && self.encoder_layers() != 1,
                "`encoder = \"lstm\"` with several `encoder_layers`",
            ),
        ];
        for (key, given, read, by) in options {
            if given && !read {
                let message = format!("has no effect: only {by} reads it\nhint: leave it out");
                problems.push(key, message);
            }
        }
        for (key, value) in [
            ("encoder_dim", self.encoder_dim),
            ("encoder_layers", self.encoder_layers),
        ] {
            if value == Some(0) {
                problems.push(key, "must be at least 1");
            }
        }
        if let Some(dropout) = self.encoder_dropout
            && !(0.0..1.0).contains(&dropout)
        {
            let message = format!("is {dropout}, expected a number from 0 to below 1");
            problems.push("encoder_dropout", message);
        }
        if self.encoder.is_none() {
            return;
        }
        if self.first_values() != Init::RandomNormal {
            problems.push(
                "init",
                "says what the model reads at first, which with an `encoder` is what the network makes of its input\n\
                 hint: leave it out; `random-normal` with `std` is about the network's input",
            );
        }
        if self.deep {
            problems.push(
                "deep",
                "cannot stand beside `encoder`, which makes the one prompt of the input\nhint: leave out one of the two",
            );
        }
    }
}

impl Method for SoftPromptConfig {
    type Tuner = SoftPrompt;
    const NAME: &'static str = "soft-prompt";
    const HEAD_PREFIX: &'static str = "base_model.";
    /// A saved P-tuning prompt is a plain one.
    const PEFT_TYPES: &'static [&'static str] = &["PROMPT_TUNING", "P_TUNING"];

    fn inserted(&self) -> usize {
        self.prompt_length()
    }

    fn inserts_alone(&self) -> bool {
        self.deep
    }

    fn parts(&self) -> Vec<&str> {
        let parts = self.placement.places().filter_map(|place| match place {
            Place::AfterPart(name) => Some(name.as_str()),
            _ => None,
        });
        parts.collect()
    }

    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        self.from_prompt.iter_mut().collect()
    }

    fn problems(&self, spec: &ModelSpec, problems: &mut Problems) {
        self.check_length(spec, problems);
        self.check_init(problems);
        self.check_encoder(problems);
    }

    fn init(&self, context: &InitContext<'_>) -> Result<SoftPrompt, TunerError> {
        let mut random = context.random(Self::NAME);
        let vectors = init::vectors(self, context, &mut random)?;
        let mut prompt = SoftPrompt::new(self.clone(), vectors, context.device);
        if let Some(kind) = self.encoder {
            let d_model = context.spec().d_model;
            let encoder = EncoderConfig {
                kind,
                d_model,
                d_hidden: self.encoder_dim.unwrap_or(d_model),
                n_layers: self.encoder_layers(),
                dropout: self.encoder_dropout.unwrap_or(0.0),
            };
            prompt.encoder = Some(encoder.init(&mut random, context.device));
            prompt.config = self.clone();
        }
        Ok(prompt)
    }

    fn saved(&self) -> Self {
        if self.encoder.is_none() {
            return self.clone();
        }
        // The init is that of the network's input, which is not saved.
        Self {
            prompt_length: self.prompt_length,
            placement: self.placement.clone(),
            ..Self::default()
        }
    }

    fn of(tuner: &SoftPrompt) -> &Self {
        &tuner.config
    }

    fn tensors(tuner: &SoftPrompt, _spec: &ModelSpec) -> Vec<(String, TensorData)> {
        vec![("prompt_embeddings".into(), tuner.prompt().into_data())]
    }

    fn restore(
        &self,
        tensors: &mut Tensors,
        spec: &ModelSpec,
        device: &Device,
    ) -> Option<SoftPrompt> {
        let shape = [self.n_vectors(spec), spec.d_model];
        let vectors = tensors.take("prompt_embeddings", shape)?;
        Some(SoftPrompt::new(self.clone(), vectors, device))
    }

    fn to_peft(&self, spec: &ModelSpec) -> Option<PeftFields> {
        if self.deep || self.placement != Placement::Whole(Place::Before) {
            return None;
        }
        // PEFT reads the init only for a new prompt; the texts and tokenizers of its own inits are not ours.
        let fields = PeftFields::default()
            .with("num_virtual_tokens", self.prompt_length())
            .with("token_dim", spec.d_model)
            .with("num_transformer_submodules", 1)
            .with("num_attention_heads", spec.n_heads)
            .with("num_layers", spec.n_layers)
            .with("prompt_tuning_init", "RANDOM");
        Some(fields)
    }

    fn from_peft(fields: &mut PeftFields) -> Option<Self> {
        fields.refuse("num_transformer_submodules", &[1.into()]);
        // A saved prompt needs no init, and PEFT's inits are not ours. What it saves of P-tuning is the output of the
        // encoder.
        Some(Self {
            prompt_length: Some(fields.count("num_virtual_tokens")?),
            ..Self::default()
        })
    }
}
