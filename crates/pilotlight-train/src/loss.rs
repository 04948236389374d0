//! The loss of a batch and its gradients.
//!
//! The loss is `-log p`, summed over the trained tokens (or classes) of the batch and weighed, so that batches can
//! be added up to one optimizer step:
//!
//! - a completion, or the label word that stands for a class: `-log p(token | all in front of it)` over the whole
//!   vocabulary, for each of its tokens, as a language model's own loss has it;
//! - a class by the linear head: `-log p(class)`.
//!
//! The language-model head runs at the states that predict a trained token and nowhere else. Where there are many
//! (texts to be learned as a whole), it runs in chunks, each of which is carried back to its states at once: the
//! scores `[n, n_vocab]` of all states never exist together.
//!
//! Scores, loss and the gradients of what is trained are in f32 whatever the base is in. In f16, whose smallest number
//! is 6e-8, gradients of states would vanish on their way through the base: there the loss is multiplied before and the
//! gradients are divided behind (Micikevicius et al. 2018, Mixed Precision Training).

use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::{GradientsAccumulator, GradientsParams},
    tensor::{DType, Tensor, activation::log_softmax},
};

use crate::{
    item::{Goal, Item, predictors},
    tuned::{Tuned, id_table},
};

/// Most scores of words that exist at the same time.
const MAX_SCORES: usize = 1 << 24;

/// The weighed loss of a batch and its gradients.
pub(crate) struct BatchLoss {
    /// `[1]`, without autodiff.
    pub(crate) loss: Tensor<1>,
    pub(crate) gradients: GradientsParams,
}

/// States for which the language-model head may run at once.
pub(crate) fn chunk_rows(n_vocab: usize) -> usize {
    (MAX_SCORES / n_vocab.max(1)).max(1)
}

/// The sum over `items` of `-log p`, times `weight`, and its gradients.
pub(crate) fn backward(tuned: &Tuned, items: &[&Item], weight: f64) -> BatchLoss {
    let scale = loss_scale(tuned.base.word_embeddings().dtype());
    let chunk = chunk_rows(tuned.base.spec().n_vocab);
    let scaled = backward_in_chunks(tuned, items, weight * scale, chunk);
    match scale == 1.0 {
        true => scaled,
        false => scaled.divided(tuned, scale),
    }
}

/// What the loss on a base of this element type is multiplied by: a power of two, which costs no digits. In f16 it
/// leaves gradients of states up to 64 below the largest number.
fn loss_scale(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 1024.0,
        _ => 1.0,
    }
}

impl BatchLoss {
    /// Loss and gradients divided by `scale`, the gradients in f32.
    fn divided(self, tuned: &Tuned, scale: f64) -> Self {
        struct Divide {
            gradients: GradientsParams,
            divided: GradientsParams,
            scale: f64,
        }
        impl ModuleVisitor for Divide {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = self.gradients.remove::<D>(param.id) {
                    let divided = gradient.cast(DType::F32).div_scalar(self.scale);
                    self.divided.register(param.id, divided);
                }
            }
        }
        let mut divide = Divide {
            gradients: self.gradients,
            divided: GradientsParams::new(),
            scale,
        };
        tuned.visit(&mut divide);
        Self {
            loss: self.loss.div_scalar(scale),
            gradients: divide.divided,
        }
    }
}

fn backward_in_chunks(tuned: &Tuned, items: &[&Item], weight: f64, chunk: usize) -> BatchLoss {
    let rows: Vec<_> = items.iter().map(|item| item.row.clone()).collect();
    let hidden = tuned.forward(&rows);
    let device = tuned.device();

    let mut positions = Vec::new();
    let mut ids = Vec::new();
    let mut classes = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match &item.goal {
            Goal::Tokens(tokens) => {
                for (position, id) in predictors(index, &hidden.rows[index], tokens) {
                    positions.push(position.expect("an input stands in front of what is trained"));
                    ids.push(id as i32);
                }
            }
            Goal::Class(class) => classes.push(*class as i32),
        }
    }

    let nll = |logits: Tensor<2>, wanted: &[i32]| {
        let wanted = id_table(wanted.to_vec(), 1, &device);
        log_softmax(logits, 1)
            .gather(1, wanted)
            .sum()
            .mul_scalar(-weight)
    };
    if !classes.is_empty() {
        return whole(tuned, nll(tuned.class_logits(&hidden), &classes));
    }
    let states = hidden.select(&positions);
    let of_rows: Vec<usize> = positions.iter().map(|(row, _)| *row).collect();
    if positions.len() <= chunk {
        return whole(tuned, nll(tuned.word_logits(states, &of_rows), &ids));
    }

    let mut gradients = GradientsAccumulator::new();
    let mut of_states = Vec::new();
    let mut losses = Vec::new();
    for (number, ids) in ids.chunks(chunk).enumerate() {
        let start = number * chunk;
        let leaf = states.clone().slice_dim(0, start..start + ids.len());
        let leaf = leaf.detach().require_grad();
        let loss = nll(
            tuned.word_logits(leaf.clone(), &of_rows[start..start + ids.len()]),
            ids,
        );
        let mut of_chunk = loss.backward();
        of_states.extend(leaf.grad_remove(&mut of_chunk));
        gradients.accumulate(tuned, GradientsParams::from_grads(of_chunk, tuned));
        losses.push(loss.inner());
    }
    // The derivative of `states * constant` is the constant: this carries the chunks' gradients on to the model.
    if states.is_tracked() {
        let constant = Tensor::from_inner(Tensor::cat(of_states, 0));
        let onward = states.mul(constant).sum().backward();
        gradients.accumulate(tuned, GradientsParams::from_grads(onward, tuned));
    }
    BatchLoss {
        loss: Tensor::cat(losses, 0).sum(),
        gradients: gradients.grads(),
    }
}

fn whole(tuned: &impl Module, loss: Tensor<1>) -> BatchLoss {
    // A loss that depends on nothing that is trained has no graph to go back through.
    let gradients = match loss.is_tracked() {
        true => GradientsParams::from_grads(loss.backward(), tuned),
        false => GradientsParams::new(),
    };
    BatchLoss {
        loss: loss.inner(),
        gradients,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use burn::tensor::Device;
    use pilotlight_core::TokenRow;
    use pilotlight_data::{Example, Target};
    use pilotlight_transformer::{LoadOptions, load_folder};
    use pilotlight_tuners::{InitContext, NoVocabulary, TunerConfig};

    use super::*;
    use crate::parameters::{gradient_norm, trained_shapes};

    fn tuned(tuner: serde_json::Value, trained: bool, dtype: DType) -> Tuned {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../pilotlight-transformer/tests/goldens/llama_tied");
        let device = Device::default();
        let options = LoadOptions {
            dtype,
            ..LoadOptions::new(&device)
        };
        let base = load_folder(&folder, &options).expect("the model").model;
        let config: TunerConfig = serde_json::from_value(tuner).expect("a tuner");
        let context = InitContext {
            base: &base,
            vocabulary: &NoVocabulary,
            seed: 3,
            device: &device,
        };
        let tuner = config.init(&context).expect("a tuner");
        Tuned::new(base.set_trained(&|_| trained), tuner, None, None).train()
    }

    fn texts() -> Vec<Item> {
        [&[3, 4, 5, 6, 7][..], &[8, 9], &[10, 11, 12]]
            .map(|ids| Example {
                input: TokenRow::new(ids.to_vec()),
                target: Target::Text,
                origin: 1,
            })
            .iter()
            .map(|example| Item::of_example(example, None))
            .collect()
    }

    #[test]
    fn gradients_of_many_tokens_do_not_vanish_in_half_precision() {
        let items = texts();
        let items: Vec<&Item> = items.iter().collect();
        let prompt =
            serde_json::json!({ "method": "soft-prompt", "prompt_length": 2, "init": "random"});
        let none = serde_json::json!({"method": "none"});
        for (keys, trained) in [(prompt, false), (none, true)] {
            for dtype in [DType::F16, DType::BF16] {
                let tuned = tuned(keys.clone(), trained, dtype);
                let norm_at = |weight: f64| {
                    let batch = backward(&tuned, &items, weight);
                    let norm = gradient_norm(&tuned, &batch.gradients).expect("gradients");
                    let values = [batch.loss, norm].map(|it| f64::from(it.into_scalar::<f32>()));
                    values.map(|value| value / weight)
                };
                // As in a batch of a million tokens.
                let [loss, norm] = norm_at(1e-6);
                let [expected_loss, expected_norm] = norm_at(1.0);
                assert!((loss / expected_loss - 1.0).abs() < 1e-5);
                let share = norm / expected_norm;
                assert!((share - 1.0).abs() < 2e-2, "{dtype:?}: {share} of the norm");
            }
        }
    }

    #[test]
    fn chunks_have_the_loss_and_the_gradients_of_the_whole() {
        let items = texts();
        let items: Vec<&Item> = items.iter().collect();
        let prompt =
            serde_json::json!({ "method": "soft-prompt", "prompt_length": 2, "init": "random"});
        let none = serde_json::json!({"method": "none"});
        for tuned in [
            tuned(none, true, DType::F32),
            tuned(prompt, false, DType::F32),
        ] {
            let whole = backward_in_chunks(&tuned, &items, 0.25, 7);
            assert_eq!(whole.gradients.len(), trained_shapes(&tuned).len());
            let expected: f32 = whole.loss.into_scalar();
            for chunk in [1, 3, 6] {
                let mut parts = backward_in_chunks(&tuned, &items, 0.25, chunk);
                let loss: f32 = parts.loss.into_scalar();
                assert!((loss - expected).abs() < 1e-5, "{loss} and {expected}");
                assert_eq!(parts.gradients.len(), whole.gradients.len());
                subtract(&tuned, &mut parts.gradients, &whole.gradients);
                let difference = gradient_norm(&tuned, &parts.gradients).expect("gradients");
                let difference: f32 = difference.into_scalar();
                assert!(difference < 1e-5, "{difference}");
            }
            let norm: f32 = gradient_norm(&tuned, &whole.gradients)
                .expect("gradients")
                .into_scalar();
            assert!(norm > 1e-2);
        }
    }

    fn subtract(tuned: &Tuned, from: &mut GradientsParams, other: &GradientsParams) {
        struct Subtract<'a>(&'a mut GradientsParams, &'a GradientsParams);
        impl burn::module::ModuleVisitor for Subtract<'_> {
            fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
                if let (Some(a), Some(b)) = (self.0.get::<D>(param.id), self.1.get::<D>(param.id)) {
                    self.0.register(param.id, a - b);
                }
            }
        }
        tuned.visit(&mut Subtract(from, other));
    }
}
