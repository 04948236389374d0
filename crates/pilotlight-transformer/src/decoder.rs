//! Decoders: causal transformers with a language-model head.

use std::sync::Arc;

use burn::{
    module::Module,
    nn::{Embedding, EmbeddingConfig, Linear, LinearConfig},
    tensor::{DType, Device, Tensor},
};
use pilotlight_core::{
    BatchPrefix, Embedded, EmbeddedRow, Identity, KeyValue, Site, TokenRow, Tuner,
};

use crate::{
    attention::{AttentionConfig, Surroundings},
    block::Block,
    embed::{embed_words, learned_positions},
    feed_forward::FeedForwardConfig,
    hidden::Hidden,
    kv_cache::{Past, prefixes},
    mask,
    norm::{Norm, NormConfig},
    position::{Rotary, RotaryConfig},
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
        self.start(row, &Identity).1.into_layers()
    }

    /// Runs all rows at once.
    pub(crate) fn forward(&self, rows: &[TokenRow], tuner: &dyn Tuner) -> Hidden {
        let embedded = embed_words(&self.embedding, rows, tuner);
        let Embedded { embeddings, rows } = tuner.embed(embedded);
        let mut past = Past::prefixes(self.prefixes(rows.len(), tuner));
        let states = self.layers(embeddings, &rows, &mut past, tuner);
        Hidden { states, rows }
    }

    /// Runs one row and keeps the keys and values of every layer for [`next`](Self::next).
    pub(crate) fn start(&self, row: &TokenRow, tuner: &dyn Tuner) -> (Hidden, Past) {
        let embedded = embed_words(&self.embedding, std::slice::from_ref(row), tuner);
        let Embedded { embeddings, rows } = tuner.embed(embedded);
        let mut past = Past::growing(self.prefixes(1, tuner));
        let states = self.layers(embeddings, &rows, &mut past, tuner);
        (Hidden { states, rows }, past)
    }

    /// Runs one more token; returns its state `[1, d_model]`.
    pub(crate) fn next(&self, token: u32, past: &mut Past, tuner: &dyn Tuner) -> Tensor<2> {
        let embedded = embed_words(&self.embedding, &[TokenRow::new(vec![token])], tuner);
        let states = self.layers(embedded.embeddings, &[], past, tuner);
        states.reshape([1, self.config.d_model])
    }

    fn prefixes(&self, n_batch: usize, tuner: &dyn Tuner) -> Vec<Option<BatchPrefix>> {
        let dtype = self.word_embeddings().dtype();
        prefixes(self.blocks.len(), n_batch, dtype, tuner)
    }

    /// All layers and the final norm; `rows` is empty behind the first positions of a sequence.
    ///
    /// # Shapes
    ///
    /// - x and result: `[n_batch, n_seq, d_model]`
    fn layers(
        &self,
        x: Tensor<3>,
        rows: &[EmbeddedRow],
        past: &mut Past,
        tuner: &dyn Tuner,
    ) -> Tensor<3> {
        let [_, n_seq, _] = x.dims();
        let (device, dtype) = (x.device(), x.dtype());
        let first_position = past.next_position();
        let mut x = match &self.position_embedding {
            Some(embedding) => x + learned_positions(embedding, first_position, n_seq),
            None => x,
        };
        let rotary = self.rotary(first_position, n_seq, &device, dtype);
        let n_groups = self.config.attention.n_heads / self.config.attention.n_kv_heads;
        // Layers of one kind share a mask; mostly all do.
        let mut masks: Vec<(usize, Option<usize>, Option<Tensor<4>>)> = Vec::new();
        for (layer, block) in self.blocks.iter().enumerate() {
            let past = past.layer(layer);
            let (n_past, window) = (past.len(), self.config.windows[layer]);
            let known = masks
                .iter()
                .find(|known| (known.0, known.1) == (n_past, window));
            let mask = match known {
                Some((_, _, mask)) => mask.clone(),
                None => {
                    let mask = mask::causal(n_seq, n_past, window, &device, dtype);
                    let mask = mask.map(|mask| mask.repeat_dim(2, n_groups));
                    masks.push((n_past, window, mask.clone()));
                    mask
                }
            };
            let surroundings = Surroundings {
                rotary: rotary.clone(),
                mask,
            };
            if !rows.is_empty() {
                x = tuner.layer_input(layer, rows, x);
            }
            x = block.forward(layer, x, &surroundings, past, tuner);
        }
        self.norm.forward(x)
    }

    /// Rotations of queries, scaled by `1 / sqrt(d_head)`, and of keys.
    fn rotary(
        &self,
        first: usize,
        n_seq: usize,
        device: &Device,
        dtype: DType,
    ) -> Option<(Rotary, Rotary)> {
        let Positions::Rotary(rotary) = &self.config.positions else {
            return None;
        };
        let d_head = self.config.attention.d_head;
        let tables = |factor| rotary.tables(d_head, first, n_seq, factor, device, dtype);
        Some((tables((d_head as f64).sqrt().recip()), tables(1.0)))
    }
}
