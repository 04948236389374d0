//! The networks through which P-tuning trains a prompt (Liu et al. 2021, "GPT Understands, Too").
//!
//! The prompt is `P = g(E)` with learned `E` `[prompt_length, d_model]` and, for `h = encoder_dim`,
//!
//! | `encoder` | `g(E)` | of which shapes |
//! |---|---|---|
//! | `mlp` | `relu(relu(E V + a) W + b) U + c` | V `[d_model, h]`, W `[h, h]`, U `[h, d_model]` |
//! | `lstm` | `relu(lstm(E) W + b) U + c` | W `[2h, 2h]`, U `[2h, d_model]` |
//!
//! where `lstm` runs `encoder_layers` times in both directions over the vectors. A step of one direction is, with
//! `*` entry by entry,
//!
//! ```text
//! i, f, g, o = e X + x + s H + h                     [4h], from the vector e and the state s in front
//! c = sigmoid(f) * c + sigmoid(i) * tanh(g)
//! s = sigmoid(o) * tanh(c)
//! ```
//!
//! Both are PEFT's, which has two biases for the gates too. All weights and biases start as in PyTorch: uniform in
//! `±1/sqrt(d_input)`, those of an LSTM in `±1/sqrt(h)`.

use burn::{
    module::{Module, Param},
    nn::{Dropout, DropoutConfig, Linear},
    tensor::{
        Device, Tensor, TensorData,
        activation::{relu, sigmoid},
    },
};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::random::uniform;

/// Which network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderKind {
    /// Three layers, each vector for itself.
    Mlp,
    /// A recurrent network over the vectors, in both directions.
    Lstm,
}

/// The shape of an encoder.
#[derive(Debug, Clone, Copy)]
pub(super) struct EncoderConfig {
    pub(super) kind: EncoderKind,
    pub(super) d_model: usize,
    pub(super) d_hidden: usize,
    /// Layers of the recurrent network.
    pub(super) n_layers: usize,
    /// Dropout between them.
    pub(super) dropout: f64,
}

/// A network through which a prompt is trained.
#[derive(Module, Debug)]
pub struct PromptEncoder {
    /// Recurrent layers; `mlp` has none.
    pub recurrent: Vec<LstmLayer>,
    /// The layers behind them, with relu between each other: three of `mlp`, two of `lstm`.
    pub layers: Vec<Linear>,
}

/// A recurrent layer; its output is that of both directions beside each other.
#[derive(Module, Debug)]
pub struct LstmLayer {
    /// Dropout on its input; none in front of the first layer.
    pub dropout: Dropout,
    /// From the first vector to the last one.
    pub onward: LstmDirection,
    /// From the last vector to the first one.
    pub backward: LstmDirection,
}

/// One direction of a layer. The gates stand beside each other as in PyTorch: input, forget, cell, output.
///
/// All gates of a step come from one product, and those of all inputs from a single one, where Burn's own `Lstm` takes
/// eight products a step.
#[derive(Module, Debug)]
pub struct LstmDirection {
    /// X and x: from the input to `4 * encoder_dim`.
    pub input: Linear,
    /// H and h: from `encoder_dim` to `4 * encoder_dim`.
    pub hidden: Linear,
}

impl EncoderConfig {
    pub(super) fn init(&self, random: &mut ChaCha8Rng, device: &Device) -> PromptEncoder {
        let (d_model, d_hidden) = (self.d_model, self.d_hidden);
        let mut layer = |d_input: usize, d_output: usize, width: usize| {
            let bound = (width as f64).sqrt().recip();
            let weight = uniform(random, bound, d_input * d_output);
            let bias = uniform(random, bound, d_output);
            let weight = TensorData::new(weight, [d_input, d_output]);
            Linear {
                weight: Param::from_data(weight, device),
                bias: Some(Param::from_data(TensorData::new(bias, [d_output]), device)),
            }
        };
        if self.kind == EncoderKind::Mlp {
            return PromptEncoder {
                recurrent: Vec::new(),
                layers: vec![
                    layer(d_model, d_hidden, d_model),
                    layer(d_hidden, d_hidden, d_hidden),
                    layer(d_hidden, d_model, d_hidden),
                ],
            };
        }
        let mut direction = |d_input| LstmDirection {
            input: layer(d_input, 4 * d_hidden, d_hidden),
            hidden: layer(d_hidden, 4 * d_hidden, d_hidden),
        };
        let recurrent = (0..self.n_layers).map(|index| {
            let (d_input, dropout) = match index {
                0 => (d_model, 0.0),
                _ => (2 * d_hidden, self.dropout),
            };
            LstmLayer {
                dropout: DropoutConfig::new(dropout).init(),
                onward: direction(d_input),
                backward: direction(d_input),
            }
        });
        PromptEncoder {
            recurrent: recurrent.collect(),
            layers: vec![
                layer(2 * d_hidden, 2 * d_hidden, 2 * d_hidden),
                layer(2 * d_hidden, d_model, 2 * d_hidden),
            ],
        }
    }
}

impl PromptEncoder {
    /// The prompt `g(E)`.
    ///
    /// # Shapes
    ///
    /// - input and output: `[prompt_length, d_model]`
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let recurrent = self.recurrent.iter();
        let mut x = recurrent.fold(input, |x, layer| layer.forward(x));
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                x = relu(x);
            }
            x = layer.forward(x);
        }
        x
    }
}

impl LstmLayer {
    /// # Shapes
    ///
    /// - input: `[prompt_length, d_input]`
    /// - output: `[prompt_length, 2 * encoder_dim]`
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let [n_vectors, _] = input.dims();
        let input = self.dropout.forward(input);
        let onward = self.onward.states(input.clone(), 0..n_vectors);
        let mut backward = self.backward.states(input, (0..n_vectors).rev());
        backward.reverse();
        Tensor::cat(vec![Tensor::cat(onward, 0), Tensor::cat(backward, 0)], 1)
    }
}

impl LstmDirection {
    /// The state `[1, encoder_dim]` behind each of the steps.
    fn states(&self, input: Tensor<2>, steps: impl Iterator<Item = usize>) -> Vec<Tensor<2>> {
        let from_input = self.input.forward(input);
        let [_, n_gates] = from_input.dims();
        let d_hidden = n_gates / 4;
        let zeros = Tensor::<2>::zeros([1, d_hidden], &from_input.device());
        let (mut state, mut cell) = (zeros.clone(), zeros);
        let steps = steps.map(|step| {
            let from_input = from_input.clone().slice_dim(0, step..step + 1);
            let gates = from_input + self.hidden.forward(state.clone());
            let gate = |index: usize| {
                let columns = index * d_hidden..(index + 1) * d_hidden;
                gates.clone().slice_dim(1, columns)
            };
            let [input, forget, output] = [0, 1, 3].map(|index| sigmoid(gate(index)));
            cell = forget * cell.clone() + input * gate(2).tanh();
            state = output * cell.clone().tanh();
            state.clone()
        });
        steps.collect()
    }
}
