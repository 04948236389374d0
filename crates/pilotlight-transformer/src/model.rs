//! A pretrained model of any architecture.

use std::sync::Arc;

use burn::{
    module::Module,
    nn::Linear,
    tensor::{Device, Tensor, TensorData},
};
use pilotlight_core::{Base, KeyValue, ModelSpec, Site, TokenRow, Tuner};
use sha2::{Digest, Sha256};

use crate::{
    decoder::{Decoder, DecoderConfig},
    encoder::{Encoder, EncoderConfig},
    error::{List, LoadError},
    head::{ClassificationHead, HeadConfig},
    hidden::Hidden,
    parameters::ParameterTable,
};

/// A pretrained transformer.
///
/// It takes rows of tokens, calls a [`Tuner`] at every site, and returns hidden states. A result never depends on
/// padding or on the other rows of a batch. There is no dropout.
#[derive(Module, Debug)]
pub struct Model {
    network: Network,
    #[module(skip)]
    info: Arc<ModelInfo>,
}

/// The architectures. An encoder-decoder would be one more.
#[derive(Module, Debug)]
pub(crate) enum Network {
    Decoder(Decoder),
    Encoder(Encoder),
}

/// The shape of a network.
#[derive(Debug, Clone)]
pub(crate) enum NetworkConfig {
    Decoder(DecoderConfig),
    Encoder(EncoderConfig),
}

/// What is known of a model beside its parameters.
#[derive(Debug)]
pub(crate) struct ModelInfo {
    pub(crate) spec: ModelSpec,
    pub(crate) parameters: ParameterTable,
    pub(crate) head: HeadConfig,
}

impl NetworkConfig {
    pub(crate) fn init(&self, device: &Device) -> Network {
        match self {
            Self::Decoder(config) => Network::Decoder(config.init(device)),
            Self::Encoder(config) => Network::Encoder(config.init(device)),
        }
    }
}

impl Model {
    pub(crate) fn new(network: Network, info: ModelInfo) -> Self {
        Self {
            network,
            info: Arc::new(info),
        }
    }

    /// Its shape, and the names of its projections.
    pub fn spec(&self) -> &ModelSpec {
        &self.info.spec
    }

    /// Whether it is causal: a position sees only those in front of it.
    pub fn is_decoder(&self) -> bool {
        match &self.network {
            Network::Decoder(_) => true,
            Network::Encoder(_) => false,
        }
    }

    /// Whether [`logits`](Self::logits) can be asked for. Classifiers and bare base models have no language-model
    /// head.
    pub fn has_language_head(&self) -> bool {
        match &self.network {
            Network::Decoder(decoder) => decoder.has_head(),
            Network::Encoder(_) => false,
        }
    }

    /// The word embeddings `[n_vocab, d_model]`.
    pub fn word_embeddings(&self) -> Tensor<2> {
        match &self.network {
            Network::Decoder(decoder) => decoder.word_embeddings(),
            Network::Encoder(encoder) => encoder.word_embeddings(),
        }
    }

    /// Runs a batch of rows; the final norm is applied.
    ///
    /// # Panics
    ///
    /// Panics if there are no rows, a token is not in the vocabulary, or a model with learned positions gets more
    /// of them than it has ([`ModelSpec::n_positions`]).
    pub fn forward(&self, rows: &[TokenRow], tuner: &dyn Tuner) -> Hidden {
        match &self.network {
            Network::Decoder(decoder) => decoder.forward(rows, tuner),
            Network::Encoder(encoder) => encoder.forward(rows, tuner),
        }
    }

    /// The scores of all words at selected states, before any softmax; `rows` names the row of the batch that each
    /// state is from.
    ///
    /// # Shapes
    ///
    /// - states: `[n, d_model]`
    /// - result: `[n, n_vocab]`
    ///
    /// # Panics
    ///
    /// Panics if the model has no language-model head.
    pub fn logits(&self, states: Tensor<2>, rows: &[usize], tuner: &dyn Tuner) -> Tensor<2> {
        match &self.network {
            Network::Decoder(decoder) => decoder.logits(states, rows, tuner),
            Network::Encoder(_) => panic!("an encoder has no language-model head"),
        }
    }

    /// The scores of all words at `(row, position)` of a batch: [`logits`](Self::logits) of the states there.
    ///
    /// # Shapes
    ///
    /// - result: `[positions.len(), n_vocab]`
    ///
    /// # Panics
    ///
    /// As [`logits`](Self::logits) and [`Hidden::select`].
    pub fn logits_at(
        &self,
        hidden: &Hidden,
        positions: &[(usize, usize)],
        tuner: &dyn Tuner,
    ) -> Tensor<2> {
        let rows: Vec<usize> = positions.iter().map(|(row, _)| *row).collect();
        self.logits(hidden.select(positions), &rows, tuner)
    }

    /// The pooled state `tanh(W x + b)` of the first position, if the checkpoint has a pooler (BERT).
    ///
    /// # Shapes
    ///
    /// - first and result: `[n_batch, d_model]`
    pub fn pooled(&self, first: Tensor<2>) -> Option<Tensor<2>> {
        match &self.network {
            Network::Decoder(_) => None,
            Network::Encoder(encoder) => encoder.pooled(first),
        }
    }

    /// A classification head with fresh weights from N(0, 0.02), as the model's family has it; trainable.
    pub fn fresh_head(&self, n_labels: usize, seed: u64) -> ClassificationHead {
        let device = self.word_embeddings().device();
        let d_model = self.info.spec.d_model;
        self.info.head.fresh(d_model, n_labels, seed, &device)
    }

    /// The Hugging Face names of all parameters; those of a tied head once, as the word embeddings.
    pub fn parameter_names(&self) -> Vec<String> {
        let shapes = self.info.parameters.shapes(&self.network);
        shapes.into_iter().map(|(name, _)| name).collect()
    }

    /// Chooses by Hugging Face name which parameters are trained; all others are frozen.
    pub fn set_trained(self, trained: &dyn Fn(&str) -> bool) -> Self {
        Self {
            network: self.info.parameters.set_trained(self.network, trained),
            info: self.info,
        }
    }

    /// The parameters of the wanted names, in Hugging Face's layout.
    pub fn export(&self, wanted: &dyn Fn(&str) -> bool) -> Vec<(String, TensorData)> {
        self.info.parameters.export(&self.network, wanted)
    }

    /// Replaces parameters by name: the inverse of [`export`](Self::export). All others keep their values; trained
    /// ones stay trained.
    ///
    /// # Errors
    ///
    /// Lists all names that the model does not have and all tensors of another shape.
    pub fn import(self, tensors: Vec<(String, TensorData)>) -> Result<Self, LoadError> {
        let (network, problems) = self.info.parameters.import(self.network, tensors);
        if problems.is_empty() {
            let info = self.info;
            Ok(Self { network, info })
        } else {
            Err(LoadError::Import(List(problems)))
        }
    }

    /// SHA-256 over the names, shapes and bytes of all parameters, in order of names.
    pub fn parameter_hash(&self) -> String {
        let mut names = self.parameter_names();
        names.sort();
        let mut hash = Sha256::new();
        for name in names {
            for (name, data) in self.export(&|other| other == name) {
                hash.update(name.as_bytes());
                hash.update(format!("{:?}{:?}", data.shape(), data.dtype()).as_bytes());
                hash.update(data.as_bytes());
            }
        }
        let digest = hash.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Number of parameters.
    pub fn n_parameters(&self) -> usize {
        self.num_params()
    }

    /// The decoder, if it is one.
    pub(crate) fn decoder(&self) -> Option<&Decoder> {
        match &self.network {
            Network::Decoder(decoder) => Some(decoder),
            Network::Encoder(_) => None,
        }
    }
}

impl Base for Model {
    fn spec(&self) -> &ModelSpec {
        self.spec()
    }

    fn word_embeddings(&self) -> Tensor<2> {
        self.word_embeddings()
    }

    fn projection(&self, site: Site) -> Option<Linear> {
        let linear = match &self.network {
            Network::Decoder(decoder) => decoder.projection(site),
            Network::Encoder(encoder) => encoder.projection(site),
        };
        linear.cloned()
    }

    fn head(&self) -> Option<Tensor<2>> {
        self.decoder()?.head()
    }

    fn keys_and_values(&self, row: &TokenRow) -> Option<Vec<KeyValue>> {
        Some(self.decoder()?.keys_and_values(row))
    }
}
