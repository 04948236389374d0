//! Keys and values that stand in front of those of the sequence.

use burn::tensor::DType;
use pilotlight_core::{BatchPrefix, KeyValue, Tuner};

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
    grows: bool,
}

/// The learned prefixes of all layers, in the element type of the model: a method may learn in f32 on a model of less.
pub(crate) fn prefixes(
    n_layers: usize,
    n_batch: usize,
    dtype: DType,
    tuner: &dyn Tuner,
) -> Vec<Option<BatchPrefix>> {
    let of_layer = |layer| {
        let BatchPrefix { key_value, lengths } = tuner.prefix(layer, n_batch)?;
        let KeyValue { key, value } = key_value;
        let key_value = KeyValue::new(key.cast(dtype), value.cast(dtype));
        Some(BatchPrefix { key_value, lengths })
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

    fn new(prefixes: Vec<Option<BatchPrefix>>, grows: bool) -> Self {
        let layers = prefixes
            .into_iter()
            .map(|past| LayerPast {
                past: past.map(|past| past.key_value),
                grows,
            })
            .collect();
        Self { layers }
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

    /// The position of the next token: behind the longest past of any layer.
    pub(crate) fn next_position(&self) -> usize {
        let lengths = self.layers.iter().map(LayerPast::len);
        lengths.max().unwrap_or(0)
    }
}

impl LayerPast {
    /// Number of earlier keys.
    pub(crate) fn len(&self) -> usize {
        self.past.as_ref().map_or(0, |past| past.key.dims()[2])
    }

    /// All keys and values, the new ones behind the earlier ones.
    pub(crate) fn extend(&mut self, new: KeyValue) -> KeyValue {
        let all = match self.past.take() {
            Some(past) => past.append(new),
            None => new,
        };
        if self.grows {
            self.past = Some(all.clone());
        }
        all
    }
}
