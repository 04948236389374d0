//! Encoders: bidirectional transformers in the manner of BERT (Devlin et al. 2019).

use std::sync::Arc;

use burn::{
    module::Module,
    nn::{Embedding, EmbeddingConfig, Linear, LinearConfig},
    tensor::{Device, Int, Tensor, TensorData},
};
use pilotlight_core::{Embedded, EmbeddedRow, Site, TokenRow, Tuner};

use crate::{
    attention::{AttentionConfig, Surroundings},
    counts::Counts,
    embed::{embed_words, learned_positions},
    encoder_block::EncoderBlock,
    feed_forward::FeedForwardConfig,
    hidden::Hidden,
    kv_cache::{Past, prefixes},
    mask,
    norm::{Norm, NormConfig},
};

/// The shape of an encoder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EncoderConfig {
    pub(crate) n_vocab: usize,
    pub(crate) d_model: usize,
    pub(crate) n_layers: usize,
    pub(crate) n_positions: usize,
    /// Number of segments that token types tell apart.
    pub(crate) n_token_types: usize,
    pub(crate) norm: NormConfig,
    pub(crate) attention: AttentionConfig,
    pub(crate) feed_forward: FeedForwardConfig,
    /// Whether there is a pooler.
    pub(crate) pooler: bool,
}

/// A bidirectional transformer: `norm(word + position + token type)`, layers, and perhaps a pooler.
#[derive(Module, Debug)]
pub(crate) struct Encoder {
    embedding: Embedding,
    position_embedding: Embedding,
    token_type_embedding: Embedding,
    norm: Norm,
    blocks: Vec<EncoderBlock>,
    pooler: Option<Linear>,
    #[module(skip)]
    config: Arc<EncoderConfig>,
}

impl EncoderConfig {
    /// An encoder whose parameters are not computed before they are asked for.
    pub(crate) fn init(&self, device: &Device) -> Encoder {
        let embedding = |n| EmbeddingConfig::new(n, self.d_model).init(device);
        let block = || EncoderBlock::new(self.norm, &self.attention, &self.feed_forward, device);
        Encoder {
            embedding: embedding(self.n_vocab),
            position_embedding: embedding(self.n_positions),
            token_type_embedding: embedding(self.n_token_types),
            norm: self.norm.init(self.d_model, device),
            blocks: (0..self.n_layers).map(|_| block()).collect(),
            pooler: self
                .pooler
                .then(|| LinearConfig::new(self.d_model, self.d_model).init(device)),
            config: Arc::new(self.clone()),
        }
    }
}

impl Encoder {
    /// The word embeddings `[n_vocab, d_model]`.
    pub(crate) fn word_embeddings(&self) -> Tensor<2> {
        self.embedding.weight.val()
    }

    /// A projection of a layer.
    pub(crate) fn projection(&self, site: Site) -> Option<&Linear> {
        self.blocks.get(site.layer)?.projection(site.projection)
    }

    /// `tanh(W x + b)` of states, usually those of the first token.
    ///
    /// # Shapes
    ///
    /// - states and result: `[n, d_model]`
    pub(crate) fn pooled(&self, states: Tensor<2>) -> Option<Tensor<2>> {
        let pooler = self.pooler.as_ref()?;
        Some(pooler.forward(states).tanh())
    }

    /// Runs all rows at once.
    ///
    /// Tokens and inserted vectors alike take the learned position of their place in the row, counted on from the
    /// row's longest learned prefix; an inserted vector takes the token type 0.
    pub(crate) fn forward(&self, rows: &[TokenRow], tuner: &dyn Tuner) -> Hidden {
        let Embedded {
            embeddings,
            rows: embedded,
        } = tuner.embed(embed_words(&self.embedding, rows, tuner));
        let [n_batch, n_seq, _] = embeddings.dims();
        let (device, dtype) = (embeddings.device(), embeddings.dtype());

        let mut past = Past::prefixes(prefixes(self.config.n_layers, n_batch, dtype, tuner));
        let lens: Vec<usize> = embedded.iter().map(|row| row.len).collect();
        let first = past.next_positions();
        let positions = learned_positions(&self.position_embedding, &first, &lens, n_seq);
        let token_types = self.token_types(rows, &embedded, n_seq);
        let mut states = self.norm.forward(embeddings + positions + token_types);

        // Layers with prefixes of the same lengths share a mask; mostly all do.
        let mut masks: Vec<(Counts, Option<Tensor<4>>)> = Vec::new();
        for (layer, block) in self.blocks.iter().enumerate() {
            let past = past.layer(layer);
            let counts = past.counts();
            let mask = match masks.iter().find(|(known, _)| known == counts) {
                Some((_, mask)) => mask.clone(),
                None => {
                    let mask = mask::padding(&embedded, n_seq, counts, &device, dtype);
                    masks.push((counts.clone(), mask.clone()));
                    mask
                }
            };
            let surroundings = Surroundings { rotary: None, mask };
            states = tuner.layer_input(layer, &embedded, states);
            states = block.forward(layer, states, &surroundings, past, tuner);
        }
        Hidden::new(embedded, states)
    }

    /// The embeddings of the token types: `[n_batch, n_seq, d_model]`, or `[1, 1, d_model]` where all are 0.
    fn token_types(&self, rows: &[TokenRow], embedded: &[EmbeddedRow], n_seq: usize) -> Tensor<3> {
        let table = self.token_type_embedding.weight.val();
        if rows.iter().all(|row| row.token_types.is_empty()) {
            return table.slice_dim(0, 0..1).unsqueeze();
        }
        let n_types = self.config.n_token_types;
        let mut types = vec![0_i64; rows.len() * n_seq];
        for ((row, embedded), slots) in rows.iter().zip(embedded).zip(types.chunks_mut(n_seq)) {
            assert!(
                row.token_types.is_empty() || row.token_types.len() == row.ids.len(),
                "a row has {} token types for {} tokens",
                row.token_types.len(),
                row.ids.len()
            );
            for (&kind, &position) in row.token_types.iter().zip(&embedded.token_positions) {
                assert!(
                    (kind as usize) < n_types,
                    "token type {kind} is not one of the model's {n_types}"
                );
                slots[position] = i64::from(kind);
            }
        }
        let types = TensorData::new(types, [rows.len(), n_seq]);
        let types: Tensor<2, Int> = Tensor::from_data(types, &table.device());
        self.token_type_embedding.forward(types)
    }
}
