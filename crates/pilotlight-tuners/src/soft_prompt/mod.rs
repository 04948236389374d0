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
//! | module | concept |
//! |---|---|
//! | [`config`] | the keys of `method = "soft-prompt"` |
//! | [`placement`] | where the vectors stand |
//! | `init` | what they are at first |

pub mod config;
mod init;
pub mod placement;
#[cfg(test)]
mod tests;

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData},
};
use pilotlight_core::{Embedded, EmbeddedRow, Tuner};

pub use self::{
    config::{Init, SoftPromptConfig},
    placement::{Place, PlacedVectors, Placement},
};

/// Learned vectors among the input embeddings.
#[derive(Module, Debug)]
pub struct SoftPrompt {
    /// The vectors `[prompt_length, d_model]`, in f32 whatever the type of the base.
    pub vectors: Param<Tensor<2>>,
    #[module(skip)]
    pub(crate) config: SoftPromptConfig,
}

impl SoftPrompt {
    /// A prompt of the given vectors `[prompt_length, d_model]`.
    ///
    /// # Panics
    ///
    /// Panics if there are not as many vectors as `config` says.
    pub fn new(config: SoftPromptConfig, vectors: impl Into<TensorData>, device: &Device) -> Self {
        let vectors = Param::<Tensor<2>>::from_data(vectors, device);
        assert_eq!(
            vectors.dims()[0],
            config.prompt_length(),
            "as many vectors as the prompt is long"
        );
        Self { vectors, config }
    }
}

impl Tuner for SoftPrompt {
    /// # Shapes
    ///
    /// - input: `[n_batch, n_seq, d_model]`
    /// - output: `[n_batch, n_seq + prompt_length, d_model]`
    fn embed(&self, embedded: Embedded) -> Embedded {
        let vectors = self.vectors.val().cast(embedded.embeddings.dtype());
        let [prompt_length, _] = vectors.dims();
        embedded.insert(vectors, |row| {
            self.config.placement.insertions(row, prompt_length)
        })
    }

    fn untouched(&self, _index: usize, row: &EmbeddedRow) -> usize {
        // The first position that holds no token: an inserted vector of this prompt, or of another one in front.
        let positions = row.token_positions.iter().enumerate();
        let moved = positions.filter(|(token, position)| token != *position);
        moved
            .map(|(token, _)| token)
            .next()
            .unwrap_or(row.n_tokens())
    }
}
