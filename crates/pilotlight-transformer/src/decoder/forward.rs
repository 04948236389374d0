//! Running a decoder: a batch at once, or a row token by token.

use burn::tensor::{DType, Device, Tensor};
use pilotlight_core::{BatchPrefix, Embedded, EmbeddedRow, TokenRow, Tuner};

use super::{Decoder, Positions};
use crate::{
    attention::Surroundings,
    counts::Counts,
    embed::{embed_words, learned_positions},
    hidden::Hidden,
    kv_cache::{Past, prefixes},
    mask,
    position::Rotary,
};

impl Decoder {
    /// Runs all rows at once.
    pub(crate) fn forward(&self, rows: &[TokenRow], tuner: &dyn Tuner) -> Hidden {
        let embedded = tuner.embed(embed_words(&self.embedding, rows, tuner));
        let prefixes = self.prefixes(embedded.rows.len(), tuner);
        // What has a prefix in front of it is not untouched.
        if prefixes.iter().all(Option::is_none)
            && let Some(first_part) = self.first_part(rows, &embedded, tuner)
        {
            return self.forward_in_two_parts(embedded, first_part, tuner);
        }
        let Embedded { embeddings, rows } = embedded;
        let mut past = Past::prefixes(prefixes);
        let states = self.layers(embeddings, &rows, &lens(&rows), &mut past, tuner);
        Hidden::new(rows, states)
    }

    /// Runs rows and keeps the keys and values of every layer for [`next`](Self::next).
    pub(crate) fn start(&self, rows: &[TokenRow], tuner: &dyn Tuner) -> (Hidden, Past) {
        let embedded = embed_words(&self.embedding, rows, tuner);
        let Embedded { embeddings, rows } = tuner.embed(embedded);
        let mut past = Past::growing(self.prefixes(rows.len(), tuner));
        let states = self.layers(embeddings, &rows, &lens(&rows), &mut past, tuner);
        (Hidden::new(rows, states), past)
    }

    /// Runs one more token of each row that has one; returns their states `[n_batch, d_model]`, of which those of the
    /// other rows mean nothing.
    pub(crate) fn next(
        &self,
        tokens: &[Option<u32>],
        past: &mut Past,
        tuner: &dyn Tuner,
    ) -> Tensor<2> {
        let rows = tokens.iter().map(|token| token.unwrap_or(0));
        let rows: Vec<TokenRow> = rows.map(|token| TokenRow::new(vec![token])).collect();
        let lens: Vec<usize> = tokens.iter().map(|it| usize::from(it.is_some())).collect();
        let embedded = embed_words(&self.embedding, &rows, tuner);
        let states = self.layers(embedded.embeddings, &[], &lens, past, tuner);
        states.reshape([rows.len(), self.config.d_model])
    }

    fn prefixes(&self, n_batch: usize, tuner: &dyn Tuner) -> Vec<Option<BatchPrefix>> {
        let dtype = self.word_embeddings().dtype();
        prefixes(self.blocks.len(), n_batch, dtype, tuner)
    }

    /// All layers and the final norm. `lens` says how many of the positions at hand each row has; `rows` is empty
    /// where [`Tuner::layer_input`] is not to be called.
    ///
    /// # Shapes
    ///
    /// - x and result: `[n_batch, n_seq, d_model]`
    pub(super) fn layers(
        &self,
        x: Tensor<3>,
        rows: &[EmbeddedRow],
        lens: &[usize],
        past: &mut Past,
        tuner: &dyn Tuner,
    ) -> Tensor<3> {
        let [_, n_seq, _] = x.dims();
        let (device, dtype) = (x.device(), x.dtype());
        past.expect(lens);
        let first = past.next_positions();
        let mut x = match &self.position_embedding {
            Some(embedding) => x + learned_positions(embedding, &first, lens, n_seq),
            None => x,
        };
        let rotary = self.rotary(&first, n_seq, &device, dtype);
        let n_groups = self.config.attention.n_heads / self.config.attention.n_kv_heads;
        // Layers of one kind share a mask; mostly all do.
        let mut masks: Vec<(Counts, Option<usize>, Option<Tensor<4>>)> = Vec::new();
        for (layer, block) in self.blocks.iter().enumerate() {
            let past = past.layer(layer);
            let (counts, window) = (past.counts(), self.config.windows[layer]);
            let known = masks
                .iter()
                .find(|known| (&known.0, known.1) == (counts, window));
            let mask = match known {
                Some((_, _, mask)) => mask.clone(),
                None => {
                    let mask = mask::causal(n_seq, counts, window, &device, dtype);
                    let mask = mask.map(|mask| mask.repeat_dim(2, n_groups));
                    masks.push((counts.clone(), window, mask.clone()));
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
        first: &Counts,
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

fn lens(rows: &[EmbeddedRow]) -> Vec<usize> {
    rows.iter().map(|row| row.len).collect()
}
