//! Keys and values that stand in front of those of the sequence.

use burn::tensor::{DType, Tensor};
use pilotlight_core::{BatchPrefix, KeyValue, Tuner};

use crate::counts::Counts;

/// What every layer already has when a sequence arrives: learned prefixes, and for a cache that grows, the tokens
/// of earlier calls.
#[derive(Debug)]
pub(crate) struct Past {
    layers: Vec<LayerPast>,
}

/// The earlier keys and values of one layer.
#[derive(Debug)]
pub(crate) struct LayerPast {
    past: Option<KeyValue>,
    counts: Counts,
    /// How many of the next keys each row has; `None` for a cache that does not grow.
    arriving: Option<Vec<usize>>,
}

/// The learned prefixes of all layers, in the element type of the model: a method may learn in f32 on a model of less.
///
/// None has more slots than its longest row; one without any is left out.
///
/// # Panics
///
/// Panics if a prefix has not as many lengths as rows, or a row more keys than there are.
pub(crate) fn prefixes(
    n_layers: usize,
    n_batch: usize,
    dtype: DType,
    tuner: &dyn Tuner,
) -> Vec<Option<BatchPrefix>> {
    let of_layer = |layer| {
        let BatchPrefix { key_value, lengths } = tuner.prefix(layer, n_batch)?;
        let KeyValue { key, value } = key_value;
        let n_slots = key.dims()[2];
        let longest = lengths.iter().copied().max().unwrap_or(0);
        assert_eq!(lengths.len(), n_batch, "one length of a prefix per row");
        assert!(
            longest <= n_slots,
            "a prefix of {longest} in {n_slots} slots"
        );
        let kept = |slots: Tensor<4>| {
            let slots = slots.cast(dtype);
            if longest < n_slots {
                slots.slice_dim(2, 0..longest)
            } else {
                slots
            }
        };
        (longest > 0).then(|| BatchPrefix {
            key_value: KeyValue::new(kept(key), kept(value)),
            lengths,
        })
    };
    (0..n_layers).map(of_layer).collect()
}

impl Past {
    /// The learned prefixes of all layers, for a single call.
    pub(crate) fn prefixes(prefixes: Vec<Option<BatchPrefix>>) -> Self {
        Self::new(prefixes, false)
    }

    /// The learned prefixes of all layers, to which the keys and values of every call are added.
    pub(crate) fn growing(prefixes: Vec<Option<BatchPrefix>>) -> Self {
        Self::new(prefixes, true)
    }

    /// Says how many positions of the next call each row has; those behind them are padding.
    pub(crate) fn expect(&mut self, lens: &[usize]) {
        for layer in &mut self.layers {
            if let Some(arriving) = &mut layer.arriving {
                lens.clone_into(arriving);
            }
        }
    }

    fn new(prefixes: Vec<Option<BatchPrefix>>, grows: bool) -> Self {
        let of_layer = |prefix: Option<BatchPrefix>| {
            let (past, counts) = match prefix {
                Some(prefix) => (Some(prefix.key_value), Counts::new(prefix.lengths)),
                None => (None, Counts::Same(0)),
            };
            LayerPast {
                past,
                counts,
                arriving: grows.then(Vec::new),
            }
        };
        Self {
            layers: prefixes.into_iter().map(of_layer).collect(),
        }
    }

    /// The keys and values of all layers.
    pub(crate) fn into_layers(self) -> Vec<KeyValue> {
        let layers = self.layers.into_iter();
        layers.filter_map(|layer| layer.past).collect()
    }

    /// What one layer has.
    pub(crate) fn layer(&mut self, layer: usize) -> &mut LayerPast {
        &mut self.layers[layer]
    }

    /// The position of each row's next token: behind the longest past that it has in any layer.
    pub(crate) fn next_positions(&self) -> Counts {
        let counts = self.layers.iter().map(|layer| &layer.counts);
        counts.fold(Counts::Same(0), |longest, counts| longest.larger(counts))
    }
}

impl LayerPast {
    /// Number of earlier keys of each row; there are slots for the largest.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// All keys and values, the new ones behind the slots of the earlier ones.
    ///
    /// A cache that grows keeps them for the next call, those of each row side by side and padding behind them.
    pub(crate) fn extend(&mut self, new: KeyValue) -> KeyValue {
        let past = self.past.take();
        let all = match past.clone() {
            Some(past) => past.append(new.clone()),
            None => new.clone(),
        };
        let Some(arriving) = &self.arriving else {
            return all;
        };
        let totals = arriving.iter().enumerate();
        let totals = Counts::new(totals.map(|(row, new)| self.counts.of(row) + new).collect());
        let kept = match (past, &self.counts) {
            (Some(past), Counts::Each(counts)) => {
                let [past, new] = [(past, counts), (new, arriving)];
                let ragged = |(key_value, lengths): (KeyValue, &Vec<usize>)| BatchPrefix {
                    key_value,
                    lengths: lengths.clone(),
                };
                ragged(past).append(ragged(new)).key_value
            }
            // Every row fills the slots of the past.
            _ => all.clone(),
        };
        let n_slots = totals.max();
        let shortened = |slots: Tensor<4>| match slots.dims()[2] > n_slots {
            true => slots.slice_dim(2, 0..n_slots),
            false => slots,
        };
        self.past = Some(KeyValue::new(shortened(kept.key), shortened(kept.value)));
        self.counts = totals;
        all
    }
}
