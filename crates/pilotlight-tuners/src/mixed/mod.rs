//! Many tasks on one base: a batch in which every row has an adapter of its own, or none.
//!
//! The base runs once for all rows. Every hook takes the rows of one adapter out of the batch, lets that adapter act on
//! them, and puts them back; inserted vectors and learned keys may be of another number in each row. A row therefore
//! has the result that it has alone, with its adapter.
//!
//! Rows of one adapter cost the least where they stand next to each other: then they are cut out, not gathered. A batch
//! of a single adapter is handed on as it is.
//!
//! ```
//! # use burn::tensor::{Device, Tensor};
//! # use pilotlight_core::{Embedded, TokenRow, Tuner};
//! # use pilotlight_tuners::{Mixed, SoftPrompt, SoftPromptConfig};
//! # let device = Device::default();
//! # let config = SoftPromptConfig { prompt_length: Some(2), ..SoftPromptConfig::default() };
//! # let prompt = SoftPrompt::new(config, [[0.5_f32; 4]; 2], &device);
//! # let rows = [TokenRow::new(vec![5, 6, 7]), TokenRow::new(vec![8])];
//! # let words = Embedded::new(Tensor::zeros([2, 3, 4], &device), &rows);
//! // The second row has the prompt, the first has nothing.
//! let mixed = Mixed::new(&[&prompt], vec![None, Some(0)]);
//! let embedded = mixed.embed(words);
//! assert_eq!([embedded.rows[0].len, embedded.rows[1].len], [3, 1 + 2]);
//! ```

mod parting;
#[cfg(test)]
mod tests;

use burn::{
    nn::Linear,
    tensor::{Int, Tensor},
};
use pilotlight_core::{
    BatchPrefix, Embedded, EmbeddedRow, Identity, KeyValue, Site, Sublayer, Tuner,
};

use self::parting::Parting;

/// Another tuner for each row of a batch.
#[derive(Debug)]
pub struct Mixed<'a> {
    /// The tuners that rows use, each once.
    groups: Vec<&'a dyn Tuner>,
    /// Which rows each of them has.
    rows: Parting,
}

impl<'a> Mixed<'a> {
    /// Which of the `tuners` each row of a batch uses; `None` for the base alone.
    ///
    /// # Panics
    ///
    /// Panics if a row names a tuner that there is not.
    pub fn new(tuners: &[&'a dyn Tuner], rows: Vec<Option<usize>>) -> Self {
        let mut used: Vec<Option<usize>> = Vec::new();
        let of_rows = rows.into_iter().map(|tuner| {
            let known = used.iter().position(|known| *known == tuner);
            known.unwrap_or_else(|| {
                used.push(tuner);
                used.len() - 1
            })
        });
        let of_rows: Vec<usize> = of_rows.collect();
        let tuner_of = |tuner: &Option<usize>| match tuner {
            None => &Identity as &dyn Tuner,
            Some(index) => {
                assert!(
                    *index < tuners.len(),
                    "a row uses tuner {index} of {}",
                    tuners.len()
                );
                tuners[*index]
            }
        };
        Self {
            groups: used.iter().map(tuner_of).collect(),
            rows: Parting::new(of_rows),
        }
    }

    /// Lets each tuner act on its rows of `states`.
    fn each<const D: usize>(
        &self,
        states: Tensor<D>,
        act: impl Fn(usize, &dyn Tuner, Tensor<D>) -> Tensor<D>,
    ) -> Tensor<D> {
        let groups = self.groups.iter().enumerate();
        let parts = groups.map(|(group, tuner)| act(group, *tuner, self.rows.part(group, &states)));
        self.rows.join(parts.collect())
    }
}

impl Tuner for Mixed<'_> {
    fn words(&self, weight: &Tensor<2>, ids: &Tensor<2, Int>, embeddings: Tensor<3>) -> Tensor<3> {
        self.each(embeddings, |group, tuner, part| {
            tuner.words(weight, &self.rows.part(group, ids), part)
        })
    }

    fn embed(&self, embedded: Embedded) -> Embedded {
        let Embedded { embeddings, rows } = embedded;
        let groups = self.groups.iter().enumerate();
        let parts: Vec<Embedded> = groups
            .map(|(group, tuner)| {
                tuner.embed(Embedded {
                    embeddings: self.rows.part(group, &embeddings),
                    rows: self.rows.part_of_list(group, &rows),
                })
            })
            .collect();
        let n_seq = parts.iter().map(Embedded::n_seq).max().unwrap_or(0).max(1);
        let (embeddings, rows) = parts
            .into_iter()
            .map(|part| (resized(part.embeddings, 1, n_seq), part.rows))
            .unzip();
        Embedded {
            embeddings: self.rows.join(embeddings),
            rows: self.rows.join_lists(rows),
        }
    }

    fn prefix(&self, layer: usize, n_batch: usize) -> Option<BatchPrefix> {
        assert_eq!(n_batch, self.rows.len(), "as many rows as were announced");
        let groups = self.groups.iter().enumerate();
        let parts: Vec<Option<BatchPrefix>> = groups
            .map(|(group, tuner)| tuner.prefix(layer, self.rows.len_of(group)))
            .collect();
        let like = parts.iter().flatten().next()?.key_value.key.clone();
        let [_, n_kv_heads, _, d_head] = like.dims();
        let (device, dtype) = (like.device(), like.dtype());
        let slots = parts
            .iter()
            .flatten()
            .map(|part| part.key_value.key.dims()[2]);
        let n_slots = slots.max().unwrap_or(0);

        let (mut keys, mut values, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for (group, part) in parts.into_iter().enumerate() {
            let n_rows = self.rows.len_of(group);
            let part = part.unwrap_or_else(|| {
                let shape = [n_rows, n_kv_heads, n_slots, d_head];
                let padding = Tensor::zeros(shape, (&device, dtype));
                BatchPrefix {
                    key_value: KeyValue::new(padding.clone(), padding),
                    lengths: vec![0; n_rows],
                }
            });
            let KeyValue { key, value } = part.key_value;
            keys.push(resized(key.cast(dtype), 2, n_slots));
            values.push(resized(value.cast(dtype), 2, n_slots));
            lengths.push(part.lengths);
        }
        Some(BatchPrefix {
            key_value: KeyValue::new(self.rows.join(keys), self.rows.join(values)),
            lengths: self.rows.join_lists(lengths),
        })
    }

    fn layer_input(&self, layer: usize, rows: &[EmbeddedRow], input: Tensor<3>) -> Tensor<3> {
        self.each(input, |group, tuner, part| {
            tuner.layer_input(layer, &self.rows.part_of_list(group, rows), part)
        })
    }

    fn project_input(&self, site: Site, input: Tensor<3>) -> Tensor<3> {
        self.each(input, |_, tuner, part| tuner.project_input(site, part))
    }

    fn project_output(
        &self,
        site: Site,
        base: &Linear,
        input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        self.each(output, |group, tuner, part| {
            tuner.project_output(site, base, &self.rows.part(group, input), part)
        })
    }

    fn sublayer_output(
        &self,
        layer: usize,
        sublayer: Sublayer,
        input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        self.each(output, |group, tuner, part| {
            tuner.sublayer_output(layer, sublayer, &self.rows.part(group, input), part)
        })
    }

    fn project_head(
        &self,
        weight: &Tensor<2>,
        rows: &[usize],
        states: &Tensor<2>,
        scores: Tensor<2>,
    ) -> Tensor<2> {
        if rows.is_empty() {
            return scores;
        }
        let groups: Vec<usize> = rows.iter().map(|row| self.rows.place(*row).0).collect();
        // The rows of the batch that each tuner knows are its own alone.
        let own_rows: Vec<usize> = rows.iter().map(|row| self.rows.place(*row).1).collect();
        let parting = Parting::new(groups);
        let parts = parting.groups().map(|group| {
            self.groups[group].project_head(
                weight,
                &parting.part_of_list(group, &own_rows),
                &parting.part(group, states),
                parting.part(group, &scores),
            )
        });
        parting.join(parts.collect())
    }

    fn untouched(&self, index: usize, row: &EmbeddedRow) -> usize {
        let (group, own_index) = self.rows.place(index);
        self.groups[group].untouched(own_index, row)
    }
}

/// The tensor with `length` slots along `dim`: cut, or padded with zeros.
fn resized<const D: usize>(tensor: Tensor<D>, dim: usize, length: usize) -> Tensor<D> {
    let mut dims = tensor.dims();
    if dims[dim] >= length {
        return match dims[dim] == length {
            true => tensor,
            false => tensor.slice_dim(dim, 0..length),
        };
    }
    dims[dim] = length - dims[dim];
    let padding = Tensor::zeros(dims, (&tensor.device(), tensor.dtype()));
    Tensor::cat(vec![tensor, padding], dim)
}
