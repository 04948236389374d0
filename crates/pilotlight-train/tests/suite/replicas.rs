//! Several devices train as one does. Here all of them are the CPU, which has a copy of the model for each.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use burn::tensor::Device;
use pilotlight_data::TaskData;
use pilotlight_train::{Observer, RunFolder, Tuned, Unobserved, train_with};

use crate::common::{
    Recorder, completions, config, full, job, lora, soft_prompt, texts, train_losses, tuned,
};

/// The training losses of a run that so many further devices help with; it goes on with what is in the folder.
fn losses_in(
    folder: &Path,
    tuned: Tuned,
    data: &TaskData,
    n_helpers: usize,
    observer: &mut dyn Observer,
) -> Vec<f64> {
    let run = RunFolder::open(folder).expect("a folder");
    let helpers = vec![Device::default(); n_helpers];
    let config = config();
    let job = job(data, &config, &run, true, observer);
    train_losses(&train_with(tuned, job, &helpers).expect("a run"))
}

/// Those of a run in a folder of its own.
fn losses(tuned: Tuned, data: &TaskData, n_helpers: usize) -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a folder");
    losses_in(folder.path(), tuned, data, n_helpers, &mut Unobserved)
}

#[test]
fn devices_that_share_the_batches_train_as_one() {
    // More devices than rows too.
    for n_helpers in [1, 2, 6] {
        for data in [completions(), texts()] {
            for make in [|| tuned(soft_prompt()), || tuned(lora(0.0)), full] {
                let alone = losses(make(), &data, 0);
                let shared = losses(make(), &data, n_helpers);
                assert_eq!(alone.len(), shared.len());
                for (step, (alone, shared)) in alone.into_iter().zip(shared).enumerate() {
                    let difference = (alone - shared).abs();
                    assert!(difference < 1e-4, "step {step}: {alone} and {shared}");
                }
            }
        }
    }
}

#[test]
fn a_killed_run_of_several_devices_goes_on() {
    let data = completions();
    let folder = tempfile::tempdir().expect("a folder");
    let run = |observer: &mut dyn Observer| {
        losses_in(folder.path(), tuned(soft_prompt()), &data, 1, observer)
    };
    let mut killed = Recorder {
        dies_at: Some(7),
        ..Recorder::default()
    };
    let begun = catch_unwind(AssertUnwindSafe(|| run(&mut killed)));
    assert!(begun.is_err(), "it was to be killed");
    assert_eq!(run(&mut Unobserved), losses(tuned(soft_prompt()), &data, 1));
}
