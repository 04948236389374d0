//! What makes a run this run and no other.

use std::{collections::BTreeMap, io};

use serde_json::Value;

use crate::{
    error::TrainError,
    item::{self, Item},
    job::Job,
    parameters::fingerprint,
    tuned::Tuned,
};

/// Everything that a resumed run must have in common with the run that it resumes, by keys of the experiment where
/// there is one.
pub(crate) fn of_run(
    tuned: &Tuned,
    job: &Job<'_>,
    items: &[Item],
) -> Result<BTreeMap<String, Value>, TrainError> {
    let mut settings = BTreeMap::new();
    if let Value::Object(keys) = serde_json::to_value(job.config).map_err(io::Error::from)? {
        // How often a checkpoint is written changes no result.
        let keys = keys
            .into_iter()
            .filter(|(key, _)| key != "checkpoint_every");
        settings.extend(keys.map(|(key, value)| (format!("train.{key}"), value)));
    }
    let verbalizer = job.data.verbalizer.as_ref();
    let validation: Vec<Item> = job
        .data
        .validation
        .examples
        .iter()
        .map(|example| Item::of_example(example, verbalizer))
        .collect();
    settings.insert("seed".into(), job.seed.into());
    settings.insert("training examples".into(), item::fingerprint(items).into());
    settings.insert(
        "validation examples".into(),
        item::fingerprint(&validation).into(),
    );
    settings.insert("model and tuner".into(), fingerprint(tuned).into());
    settings.insert("pooling".into(), format!("{:?}", tuned.pooling()).into());
    if let Some(factors) = rate_factors(tuned) {
        settings.insert("learning-rate factors".into(), factors);
    }
    Ok(settings)
}

/// How many parameters learn at which multiple of the learning rate, where any does.
fn rate_factors(tuned: &Tuned) -> Option<Value> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, factor) in tuned.tuner.rate_factors() {
        *counts.entry(factor.to_string()).or_default() += 1;
    }
    (!counts.is_empty()).then(|| serde_json::json!(counts))
}
