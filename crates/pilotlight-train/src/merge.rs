//! A tuner folded into its base.

use burn::{
    module::Module,
    tensor::{DType, Tensor},
};
use pilotlight_core::TokenRow;
use pilotlight_data::Pooling;
use pilotlight_transformer::{Merged, Model};
use pilotlight_tuners::AnyTuner;

use crate::{
    error::TrainError,
    score::to_host,
    tuned::{Tuned, has_pooler},
};

/// The base of a tuned model with its tuner folded into the weights. The tuned model keeps its own.
///
/// # Errors
///
/// [`TrainError::Unfit`] if the method does more than weights can, and whatever [`Model::merged`] says.
pub fn merge(tuned: &Tuned) -> Result<Merged, TrainError> {
    let config = tuned.tuner.config();
    if let Some(obstacle) = config.merge_obstacle() {
        return Err(TrainError::Unfit(format!(
            "`{config}` cannot be folded into weights: {obstacle}\n\
             hint: use the adapter as it is, by `--adapter DIR`"
        )));
    }
    Ok(tuned.valid().base.merged(&tuned.tuner)?)
}

impl Tuned {
    /// The head of this model on another base of the same shape, without a tuner.
    pub fn on(&self, base: Model) -> Self {
        let pooling = Some(self.pooling());
        Self::new(base, AnyTuner::default(), self.head.clone(), pooling)
    }

    /// Whether the head reads the state that the classifiers of transformers read: of a decoder the last one, of an
    /// encoder the first one behind the pooler.
    pub fn pools_like_transformers(&self) -> bool {
        match self.base.is_decoder() {
            true => self.pooling() == Pooling::Last,
            // Without inserted vectors the first position is the classification token.
            false => {
                let reads_first = [Pooling::Pooler, Pooling::First].contains(&self.pooling());
                reads_first && self.tuner.config().inserted() == 0 && has_pooler(&self.base)
            }
        }
    }
}

/// How far two models are apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deviation {
    /// The largest absolute difference between two scores.
    pub largest: f64,
    /// The largest absolute score of the first model.
    pub scale: f64,
}

/// How far two models are apart on texts: in the scores of all words behind each token; of all classes, where the
/// first has a head; in the hidden states, where it has neither.
///
/// # Errors
///
/// If a score is not finite or the device fails.
///
/// # Panics
///
/// Panics if the models have different shapes or a text has no tokens.
pub fn deviation(
    first: &Tuned,
    second: &Tuned,
    rows: &[TokenRow],
) -> Result<Deviation, TrainError> {
    let [first, second] = [first, second].map(Module::valid);
    let mut deviation = Deviation {
        largest: 0.0,
        scale: 0.0,
    };
    // One by one: the scores of all words at all tokens are many.
    for row in rows {
        let expected = scores(&first, row);
        let found = scores(&second, row);
        let largest = (found - expected.clone()).abs().max();
        let scale = expected.abs().max();
        let values = to_host(Tensor::cat(vec![largest, scale], 0).unsqueeze())?;
        if values.iter().any(|value| !value.is_finite()) {
            let problem = "a score is not finite\nhint: compute with `--dtype f32`";
            return Err(TrainError::Unfit(problem.into()));
        }
        deviation.largest = deviation.largest.max(values[0]);
        deviation.scale = deviation.scale.max(values[1]);
    }
    Ok(deviation)
}

/// What a model says of a text, in f32.
fn scores(tuned: &Tuned, row: &TokenRow) -> Tensor<2> {
    let hidden = tuned.forward(std::slice::from_ref(row));
    if tuned.head.is_some() {
        return tuned.class_logits(&hidden);
    }
    let positions = hidden.rows[0].token_positions.iter();
    let positions: Vec<_> = positions.map(|&position| (0, position)).collect();
    let states = hidden.select(&positions);
    match tuned.base.has_language_head() {
        true => tuned.word_logits(states, &vec![0; positions.len()]),
        false => states.cast(DType::F32),
    }
}
