//! Several devices train as one does. Here all of them are the CPU, which has a copy of the model for each.

use pilotlight_data::TaskData;
use pilotlight_train::{Outcome, TrainConfig, Tuned, Unobserved};

use crate::common::{
    Recorder, completions, config, full, lora, run_with, soft_prompt, texts, train_losses, tuned,
};

fn outcome(tuned: Tuned, data: &TaskData, config: &TrainConfig, n_helpers: usize) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let unobserved = &mut Unobserved;
    run_with(
        tuned,
        data,
        config,
        folder.path(),
        false,
        unobserved,
        n_helpers,
    )
    .expect("a run")
}

#[test]
fn devices_that_share_the_batches_train_as_one() {
    // More devices than rows too.
    for n_helpers in [1, 2, 6] {
        for data in [completions(), texts()] {
            for make in [|| tuned(soft_prompt()), || tuned(lora(0.0)), full] {
                let alone = outcome(make(), &data, &config(), 0);
                let shared = outcome(make(), &data, &config(), n_helpers);
                let losses = train_losses(&alone).into_iter().zip(train_losses(&shared));
                for (step, (alone, shared)) in losses.enumerate() {
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
    let mut killed = Recorder {
        dies_at: Some(7),
        ..Recorder::default()
    };
    let begun = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run_with(
            tuned(soft_prompt()),
            &data,
            &config(),
            folder.path(),
            false,
            &mut killed,
            1,
        )
    }));
    assert!(begun.is_err(), "it was to be killed");
    let path = folder.path();
    let resumed = run_with(
        tuned(soft_prompt()),
        &data,
        &config(),
        path,
        true,
        &mut Unobserved,
        1,
    );
    let whole = outcome(tuned(soft_prompt()), &data, &config(), 1);
    assert_eq!(train_losses(&resumed.expect("a run")), train_losses(&whole));
}
