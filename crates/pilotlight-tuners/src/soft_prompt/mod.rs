//! Soft prompts: learned vectors among the input embeddings (Lester et al. 2021, "The Power of Scale for
//! Parameter-Efficient Prompt Tuning").
//!
//! With a prompt `P` of m vectors and the word embeddings `E` of a row, the model computes
//!
//! `f([P; E])`, or `f([E'; P; E''])` with the prompt at another place,
//!
//! and only the `m * d_model` numbers of `P` are trained. Attention mask and positions follow: the vectors count as
//! tokens of the row and stand next to its real ones, whatever the lengths of its batch mates.
//!
//! In contrast to PEFT's prompt tuning, a prompt may also stand in the middle, behind the input or at several places,
//! its random initialisation matches the length of word embeddings, and padding never moves a position.
//!
//! By default 20 vectors stand in front of everything and start as words of the training inputs. A prompt is the smallest
//! of all tuners and leaves the model as it is, so that one batch may hold rows of many tasks; it makes every text longer.
//! It comes close to full fine-tuning on large models and simple tasks, and wants a larger learning rate than LoRA. Start
//! it from a `text` or from `labels` where there is one to start from: from random numbers it learns slowly.
//!
//! # P-tuning
//!
//! With `encoder = "mlp"` or `"lstm"` the prompt is the output `g(E)` of a network while it is trained (Liu et al.
//! 2021, "GPT Understands, Too"), which ties its vectors to each other. What is learned is `E` `[m, d_model]` and the
//! network; checkpoints keep both, the adapter's folder holds the `m * d_model` numbers of `g(E)` alone and is that of
//! a plain prompt. It is worth a try where a plain prompt learns slowly or its result hangs on the seed: the network
//! costs memory while training, and nothing later. See [`encoder`] for its equations.
//!
//! # Deep prompts
//!
//! With `deep = true` there are `m` vectors `P_l` for every layer (Liu et al. 2021, "P-Tuning v2"; Jia et al. 2022,
//! "Visual Prompt Tuning", `deep`). The states at the prompt's positions are replaced in front of each layer:
//!
//! `x_0 = [P_0; E]`, and layer l computes `layer_l([P_l; x_l])` with `x_l` the states of the tokens.
//!
//! `n_layers * m * d_model` numbers are trained. It says more than a prompt at the input alone, at the same length;
//! prefix tuning has the same reach with the frozen projections left out.
//!
//! | module | concept |
//! |---|---|
//! | [`config`] | the keys of `method = "soft-prompt"` |
//! | [`placement`] | where the vectors stand |
//! | `init` | what they are at first |
//! | [`encoder`] | the networks of P-tuning |
//! | [`arithmetic`] | sums of prompts, and the words next to them |

pub mod arithmetic;
pub mod config;
pub mod encoder;
mod init;
pub mod placement;
#[cfg(test)]
mod tests;

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData},
};
use pilotlight_core::{Embedded, EmbeddedRow, Tuner};

use crate::method::Method;

pub use self::{
    config::{Init, SoftPromptConfig},
    encoder::{EncoderKind, PromptEncoder},
    placement::{Place, PlacedVectors, Placement},
};

/// Learned vectors among the input embeddings.
#[derive(Module, Debug)]
pub struct SoftPrompt {
    /// The vectors `[prompt_length, d_model]`, in f32 whatever the type of the base; of a deep prompt those of all
    /// layers `[n_layers * prompt_length, d_model]`; with an encoder, its input.
    pub vectors: Param<Tensor<2>>,
    /// The network that makes the prompt of the vectors.
    pub encoder: Option<PromptEncoder>,
    #[module(skip)]
    pub(crate) config: SoftPromptConfig,
}

impl SoftPrompt {
    /// A prompt of the given vectors `[prompt_length, d_model]`, deep `[n_layers * prompt_length, d_model]`, without an
    /// encoder whatever the keys say.
    ///
    /// # Panics
    ///
    /// Panics if there are not as many vectors as `config` says.
    pub fn new(config: SoftPromptConfig, vectors: impl Into<TensorData>, device: &Device) -> Self {
        let vectors = Param::<Tensor<2>>::from_data(vectors, device);
        let ([n_vectors, _], prompt_length) = (vectors.dims(), config.prompt_length());
        let as_many = match config.deep {
            true => n_vectors > 0 && n_vectors.is_multiple_of(prompt_length),
            false => n_vectors == prompt_length,
        };
        assert!(as_many, "as many vectors as the prompt is long");
        Self {
            vectors,
            encoder: None,
            config: config.saved(),
        }
    }

    /// What the model reads: the vectors, or what the encoder makes of them.
    ///
    /// # Shapes
    ///
    /// - result: as [`vectors`](Self::vectors)
    pub fn prompt(&self) -> Tensor<2> {
        let vectors = self.vectors.val();
        match &self.encoder {
            Some(encoder) => encoder.forward(vectors),
            None => vectors,
        }
    }
}

impl Tuner for SoftPrompt {
    /// # Shapes
    ///
    /// - input: `[n_batch, n_seq, d_model]`
    /// - output: `[n_batch, n_seq + prompt_length, d_model]`
    fn embed(&self, embedded: Embedded) -> Embedded {
        let prompt_length = self.config.prompt_length();
        let vectors = self.prompt().slice_dim(0, 0..prompt_length);
        let vectors = vectors.cast(embedded.embeddings.dtype());
        embedded.insert(vectors, |row| {
            self.config.placement.insertions(row, prompt_length)
        })
    }

    /// # Shapes
    ///
    /// - input and output: `[n_batch, n_seq, d_model]`
    fn layer_input(&self, layer: usize, rows: &[EmbeddedRow], input: Tensor<3>) -> Tensor<3> {
        if !self.config.deep || layer == 0 {
            return input;
        }
        let prompt_length = self.config.prompt_length();
        let vectors = layer * prompt_length..(layer + 1) * prompt_length;
        let vectors = self.prompt().slice_dim(0, vectors);
        let [n_batch, n_seq, _] = input.dims();
        // Products with ones and zeros, since the gradient of a selection runs row by row on a GPU.
        let mut kept = vec![1f32; n_batch * n_seq];
        let mut placed = vec![0f32; n_batch * n_seq * prompt_length];
        for (index, row) in rows.iter().enumerate() {
            for (position, vector) in self.config.placement.positions(row, prompt_length) {
                let slot = index * n_seq + position;
                kept[slot] = 0.0;
                placed[slot * prompt_length + vector] = 1.0;
            }
        }
        let (device, dtype) = (input.device(), input.dtype());
        let constant = |values: Vec<f32>, width: usize| {
            let data = TensorData::new(values, [n_batch, n_seq, width]);
            Tensor::<3>::from_data(data, &device).cast(dtype)
        };
        let placed = constant(placed, prompt_length).matmul(vectors.cast(dtype).unsqueeze());
        input * constant(kept, 1) + placed
    }

    fn untouched(&self, _index: usize, row: &EmbeddedRow) -> usize {
        if self.config.deep {
            return 0;
        }
        // The first position that holds no token: an inserted vector of this prompt, or of another one in front.
        let positions = row.token_positions.iter().enumerate();
        let moved = positions.filter(|(token, position)| token != *position);
        moved
            .map(|(token, _)| token)
            .next()
            .unwrap_or(row.n_tokens())
    }
}
