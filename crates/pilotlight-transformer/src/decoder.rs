//! Decoders: causal transformers with a language-model head.

mod forward;
mod split;

use std::sync::Arc;

use burn::{
    module::Module,
    nn::{Embedding, EmbeddingConfig, Linear, LinearConfig},
    tensor::{Device, Tensor},
};
use pilotlight_core::{Identity, KeyValue, Site, TokenRow, Tuner};

use crate::{
    attention::AttentionConfig,
    block::Block,
    feed_forward::FeedForwardConfig,
    norm::{Norm, NormConfig},
    position::RotaryConfig,
};

/// The shape of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DecoderConfig {
    pub(crate) n_vocab: usize,
    pub(crate) d_model: usize,
    pub(crate) positions: Positions,
    pub(crate) norm: NormConfig,
    pub(crate) attention: AttentionConfig,
    pub(crate) feed_forward: FeedForwardConfig,
    /// One entry a layer: how many positions it looks back, itself included; `None` for all.
    pub(crate) windows: Vec<Option<usize>>,
    pub(crate) head: LanguageHead,
}

/// How a decoder tells positions apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Positions {
    /// Rotations of queries and keys.
    Rotary(RotaryConfig),
    /// A learned embedding for each of so many positions, added to the word embeddings.
    Learned(usize),
}

/// The map from states to words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LanguageHead {
    /// The word embeddings, transposed.
    Tied,
    /// A matrix of its own.
    Untied,
    /// None: the checkpoint is of a classifier or a bare base model.
    Absent,
}

/// A causal transformer: word embeddings, layers, a final norm, a language-model head.
#[derive(Module, Debug)]
pub(crate) struct Decoder {
    embedding: Embedding,
    position_embedding: Option<Embedding>,
    blocks: Vec<Block>,
    norm: Norm,
    head: Option<Linear>,
    #[module(skip)]
    config: Arc<DecoderConfig>,
}

impl DecoderConfig {
    /// A decoder whose parameters are not computed before they are asked for.
    pub(crate) fn init(&self, device: &Device) -> Decoder {
        let block = || Block::new(self.norm, &self.attention, &self.feed_forward, device);
        Decoder {
            embedding: EmbeddingConfig::new(self.n_vocab, self.d_model).init(device),
            position_embedding: match self.positions {
                Positions::Rotary(_) => None,
                Positions::Learned(n_positions) => {
                    Some(EmbeddingConfig::new(n_positions, self.d_model).init(device))
                }
            },
            blocks: self.windows.iter().map(|_| block()).collect(),
            norm: self.norm.init(self.d_model, device),
            head: (self.head == LanguageHead::Untied).then(|| {
                LinearConfig::new(self.d_model, self.n_vocab)
                    .with_bias(false)
                    .init(device)
            }),
            config: Arc::new(self.clone()),
        }
    }
}

impl Decoder {
    /// The word embeddings `[n_vocab, d_model]`.
    pub(crate) fn word_embeddings(&self) -> Tensor<2> {
        self.embedding.weight.val()
    }

    /// Whether there is a language-model head.
    pub(crate) fn has_head(&self) -> bool {
        self.config.head != LanguageHead::Absent
    }

    /// Whether there is a position of this index; rotary ones never end.
    pub(crate) fn has_position(&self, position: usize) -> bool {
        match self.config.positions {
            Positions::Rotary(_) => true,
            Positions::Learned(n_positions) => position < n_positions,
        }
    }

    /// The weight `[d_model, n_vocab]` of the language-model head.
    pub(crate) fn head(&self) -> Option<Tensor<2>> {
        match (self.config.head, &self.head) {
            (LanguageHead::Absent, _) => None,
            (_, Some(head)) => Some(head.weight.val()),
            (_, None) => Some(self.word_embeddings().transpose()),
        }
    }

    /// The scores of all words; `rows` names the row of each state.
    ///
    /// # Shapes
    ///
    /// - states: `[n, d_model]`
    /// - result: `[n, n_vocab]`
    pub(crate) fn logits(&self, states: Tensor<2>, rows: &[usize], tuner: &dyn Tuner) -> Tensor<2> {
        let weight = self.head().expect("the model has a language-model head");
        let scores = states.clone().matmul(weight.clone());
        tuner.project_head(&weight, rows, &states, scores)
    }

    /// A projection of a layer.
    pub(crate) fn projection(&self, site: Site) -> Option<&Linear> {
        self.blocks.get(site.layer)?.projection(site.projection)
    }

    /// The keys and values that each layer has of a row.
    pub(crate) fn keys_and_values(&self, row: &TokenRow) -> Vec<KeyValue> {
        self.start(std::slice::from_ref(row), &Identity)
            .1
            .into_layers()
    }
}
