//! The model of a run: base, tuner and head, with what is trained marked.

use burn::module::Module;
use pilotlight_data::TaskData;
use pilotlight_train::{Tuned, load_tuned};
use pilotlight_transformer::ClassificationHead;
use pilotlight_tuners::{AnyTuner, InitContext, TunerConfig};

use crate::{
    base::{Base, trained_names},
    error::CompareError,
    experiment::{BaseInit, ExperimentConfig},
    vocabulary::TaskVocabulary,
};

/// The model that a run trains: the base with the parameters of `base.train` unfrozen, a new tuner or the saved one,
/// and the head that the task needs.
///
/// # Errors
///
/// If the tuner cannot be made, or a saved adapter does not fit the base.
pub fn tuned(
    base: &Base,
    config: &ExperimentConfig,
    data: &TaskData,
) -> Result<Tuned, CompareError> {
    let trained = trained_names(&config.base)?;
    let (model, tuner, head) = match &config.tuner {
        TunerConfig::Saved(folder) => {
            let saved = load_tuned(folder, base.model.clone())?;
            (saved.base, saved.tuner, saved.head)
        }
        tuner => (
            base.model.clone(),
            new_tuner(tuner, base, config, data)?,
            None,
        ),
    };
    let head = needs_head(data).then(|| {
        let fitting = |head: &ClassificationHead| head.n_labels() == data.labels.len();
        let head = head.filter(fitting).or_else(|| pretrained_head(base, data));
        let head = head.unwrap_or_else(|| base.model.fresh_head(data.labels.len(), config.seed));
        head.set_require_grad(true)
    });
    let model = model.set_trained(&trained);
    Ok(Tuned::new(model, tuner, head, config.task.pooling))
}

/// The base alone, where it can do the task untrained: a head that is fresh would only guess, and so would a base
/// that is.
///
/// # Errors
///
/// If it cannot be made.
pub fn untuned(
    base: &Base,
    config: &ExperimentConfig,
    data: &TaskData,
) -> Result<Option<Tuned>, CompareError> {
    let head = match needs_head(data) {
        true => pretrained_head(base, data),
        false => None,
    };
    if config.base.init == BaseInit::Random || needs_head(data) && head.is_none() {
        return Ok(None);
    }
    let tuner = new_tuner(&TunerConfig::default(), base, config, data)?;
    let model = base.model.clone();
    Ok(Some(Tuned::new(model, tuner, head, config.task.pooling)))
}

fn needs_head(data: &TaskData) -> bool {
    data.kind == pilotlight_data::TaskKind::Classification && data.verbalizer.is_none()
}

/// The head of the checkpoint, if its classes are those of the task: by their names, or by their number where the
/// checkpoint has no names for them.
fn pretrained_head(base: &Base, data: &TaskData) -> Option<ClassificationHead> {
    let head = base.head.clone()?;
    let same = |(own, label): (&String, &String)| {
        own.eq_ignore_ascii_case(label) || own.starts_with("LABEL_")
    };
    let fits =
        head.n_labels() == data.labels.len() && base.labels.iter().zip(&data.labels).all(same);
    fits.then_some(head)
}

fn new_tuner(
    tuner: &TunerConfig,
    base: &Base,
    config: &ExperimentConfig,
    data: &TaskData,
) -> Result<AnyTuner, CompareError> {
    let device = base.model.word_embeddings().device();
    let context = InitContext {
        base: &base.model,
        vocabulary: &TaskVocabulary {
            tokenizer: &base.tokenizer,
            data,
        },
        seed: config.seed,
        device: &device,
    };
    Ok(tuner.init(&context)?)
}
