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

use burn::{
    module::Module,
    optim::{GradientsAccumulator, GradientsParams},
    tensor::{Tensor, activation::log_softmax},
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
    backward_in_chunks(tuned, items, weight, chunk_rows(tuned.base.spec().n_vocab))
}

fn backward_in_chunks(tuned: &Tuned, items: &[&Item], weight: f64, chunk: usize) -> BatchLoss {
    let rows: Vec<_> = items.iter().map(|item| item.row.clone()).collect();
    let hidden = tuned.forward(&rows);
    let device = hidden.states.device();

    let mut positions = Vec::new();
    let mut ids = Vec::new();
    let mut classes = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match &item.goal {
            Goal::Tokens(tokens) => {
                for (position, id) in predictors(index, &hidden.rows[index], tokens) {
                    positions.push(position);
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
    if positions.len() <= chunk {
        return whole(tuned, nll(tuned.word_logits(states), &ids));
    }

    let mut gradients = GradientsAccumulator::new();
    let mut of_states = Vec::new();
    let mut losses = Vec::new();
    for (number, ids) in ids.chunks(chunk).enumerate() {
        let start = number * chunk;
        let leaf = states.clone().slice_dim(0, start..start + ids.len());
        let leaf = leaf.detach().require_grad();
        let loss = nll(tuned.word_logits(leaf.clone()), ids);
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
    let gradients = GradientsParams::from_grads(loss.backward(), tuned);
    BatchLoss {
        loss: loss.inner(),
        gradients,
    }
}
