//! A learned prompt in front of a frozen model of your own that takes input embeddings.
use burn::nn::transformer::{TransformerEncoderConfig, TransformerEncoderInput};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::{module::Module, tensor::Device, tensor::Tensor};
use pilotlight_core::{Embedded, TokenRow, Tuner};
use pilotlight_tuners::{SoftPrompt, SoftPromptConfig};

#[derive(Module, Debug)]
struct PromptTuning<M: Module> {
    base: M,            // frozen
    prompt: SoftPrompt, // [prompt_length, d_model], trained
}

impl<M: Module> PromptTuning<M> {
    /// From `[n_batch, n_seq, d_model]` to `[n_batch, prompt_length + n_seq, d_model]`.
    fn embed(&self, words: Tensor<3>, rows: &[TokenRow]) -> Embedded {
        self.prompt.embed(Embedded::new(words, rows))
    }
}

pub(crate) fn main() {
    let device = Device::flex().autodiff();
    let base = TransformerEncoderConfig::new(32, 64, 4, 2);
    let base = base.init(&device).freeze(); // no gradients, no dropout
    let prompt = SoftPrompt::new(SoftPromptConfig::default(), [[0.1f32; 32]; 20], &device);
    let mut tuned = PromptTuning { base, prompt };
    let rows = [TokenRow::new(vec![7, 1, 4]), TokenRow::new(vec![5, 2])];
    let (mut optimizer, mut losses) = (AdamWConfig::new().init(), Vec::new());
    for _ in 0..30 {
        let input = tuned.embed(Tensor::ones([2, 3, 32], &device), &rows); // your embeddings
        let padding = input.padding(); // the mask is that of the longer input
        let input = TransformerEncoderInput::new(input.embeddings).mask_pad(padding);
        let score = tuned.base.forward(input).slice([0..2, 20..21, 0..1]);
        let loss = (score - 5.0).square().mean(); // your task's loss
        losses.push(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), &tuned);
        tuned = optimizer.step(0.01, tuned, gradients);
    }
    assert!(losses[29] < 0.9 * losses[0], "it learns: {losses:?}");
}
