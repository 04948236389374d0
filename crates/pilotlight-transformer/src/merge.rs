//! Folding a tuner into the weights, and back.

use burn::{
    module::Module,
    tensor::{DType, Tensor, TensorData},
};
use pilotlight_core::{Base, Site, Tuner};

use crate::{error::LoadError, model::Model, transpose::transposed};

/// A model with a tuner folded into its weights: it computes alone what the base computes with the tuner's hooks.
#[derive(Debug)]
pub struct Merged {
    /// The model.
    pub model: Model,
    /// The parameters of the base in whose place merged ones stand, by Hugging Face name.
    pub replaced: Vec<(String, TensorData)>,
}

impl Merged {
    /// The base as it was, to the last bit.
    ///
    /// # Panics
    ///
    /// Panics if [`replaced`](Self::replaced) was changed and does not fit the model any more.
    pub fn unmerge(self) -> Model {
        let model = self.model.import(self.replaced);
        model.expect("what was taken out of a model fits it")
    }
}

impl Model {
    /// A copy with a tuner folded in; what the tuner does not change is shared with this model.
    ///
    /// The hooks around projections ([`Tuner::project_input`], [`Tuner::project_output`]) and those on words and head
    /// ([`Tuner::words`], [`Tuner::project_head`]) have counterparts that return merged weights, biases included. The
    /// others have none: inserted vectors, prefixes, and what is done to states between or beside projections cannot
    /// be expressed in weights, and are left out. Whether a tuner consists of the former alone is known to its method
    /// only. Sums are rounded to the element type of the base.
    ///
    /// # Errors
    ///
    /// [`LoadError::TiedHead`] if the head is the word embeddings and the tuner does not change both in the same way;
    /// [`LoadError::Import`] if merged weights do not fit the model.
    pub fn merged(&self, tuner: &dyn Tuner) -> Result<Merged, LoadError> {
        // Nothing is learned here.
        let base = self.valid();
        let mut tensors = base.merged_projections(tuner);
        tensors.extend(base.merged_words_and_head(tuner)?);
        let replaced = self.export(&|name| tensors.iter().any(|(merged, _)| merged == name));
        Ok(Merged {
            model: self.clone().import(tensors)?,
            replaced,
        })
    }

    fn merged_projections(&self, tuner: &dyn Tuner) -> Vec<(String, TensorData)> {
        let mut tensors = Vec::new();
        for layer in 0..self.spec().n_layers {
            for spec in &self.spec().projections {
                let projection = spec.projection;
                let site = Site { layer, projection };
                let base = self.projection(site).expect("the spec names it");
                let Some(merged) = tuner.merged(site, &base) else {
                    continue;
                };
                let path = self.spec().path(site).expect("the spec names it");
                let weight = merged.weight.val().into_data();
                let weight = match spec.fan_in_fan_out {
                    true => weight,
                    false => transposed(weight),
                };
                tensors.push((format!("{path}.weight"), weight));
                let bias = merged.bias.map(|bias| bias.val().into_data());
                tensors.extend(bias.map(|bias| (format!("{path}.bias"), bias)));
            }
        }
        tensors
    }

    fn merged_words_and_head(
        &self,
        tuner: &dyn Tuner,
    ) -> Result<Vec<(String, TensorData)>, LoadError> {
        let spec = self.spec();
        let words = tuner.merged_words(&self.word_embeddings());
        let head = self.head().and_then(|head| tuner.merged_head(&head));
        let head = head.map(|head| head.transpose());
        let weight = |path: &str, weight: Tensor<2>| (format!("{path}.weight"), weight.into_data());
        if !spec.tied_head {
            let words = words.map(|words| weight(&spec.words_path, words));
            let head_path = spec.head_path.as_deref();
            let head = head.zip(head_path).map(|(head, path)| weight(path, head));
            return Ok(words.into_iter().chain(head).collect());
        }
        let changed = match (words, head) {
            (None, None) => return Ok(Vec::new()),
            (Some(words), Some(head)) if is_same(&words, &head) => {
                return Ok(vec![weight(&spec.words_path, words)]);
            }
            (Some(_), None) => "the words alone",
            (None, Some(_)) => "the head alone",
            (Some(_), Some(_)) => "each of the two in its own way",
        };
        Err(LoadError::TiedHead { changed })
    }
}

/// Whether two matrices differ by no more than the order of a sum makes.
fn is_same(one: &Tensor<2>, other: &Tensor<2>) -> bool {
    let [one, other] = [one, other].map(|weight| weight.clone().cast(DType::F32));
    let largest: f32 = one.clone().abs().max().into_scalar();
    let difference: f32 = (one - other).abs().max().into_scalar();
    difference <= 1e-5 * largest
}
