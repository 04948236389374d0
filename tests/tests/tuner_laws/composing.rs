//! A composition of one method is that method.

use super::*;

#[test]
fn a_composition_of_one_part_is_that_part() {
    each_case(|law, model, tuner| {
        if tuner.num_params() == 0 {
            return;
        }
        let keys = format!(r#"{{ "method": "compose", "parts": [{}] }}"#, law.keys);
        let config: TunerConfig = serde_json::from_str(&keys).expect("keys");
        let part = tuner.config();
        assert_eq!(
            (config.reserve(), config.inserted()),
            (part.reserve(), part.inserted())
        );
        let device = Device::flex().autodiff();
        let composed = config.init(&InitContext {
            base: model,
            vocabulary: &Numbers,
            seed: 1,
            device: &device,
        });
        let composed = shaken(composed.expect("a tuner"));
        let tuner = shaken(tuner);
        assert_eq!(composed.num_params(), tuner.num_params());

        let rows = rows(model);
        let found = token_states(model, &rows, &composed);
        let expected = token_states(model, &rows, &tuner);
        for (found, expected) in found.into_iter().zip(expected) {
            assert_eq!(values(found), values(expected));
        }
        let gradients = |tuner: AnyTuner| {
            let mut gradients = loss(model, &tuner).backward();
            let gradients = GradientsParams::from_module(&mut gradients, &tuner);
            gradients.len()
        };
        assert_eq!(gradients(composed), gradients(tuner));
    });
}

/// DoRA reads the weight of the base, so that it can be folded in first only.
#[test]
fn an_update_behind_dora_is_folded_in_behind_it() {
    let keys = r#"{ "method": "compose", "parts": [
        { "method": "lora", "rank": 2, "dora": true },
        { "method": "lora", "rank": 2, "targets": "all-linear" },
        { "method": "ia3" }] }"#;
    for family in FAMILIES {
        let device = Device::flex().autodiff();
        let model = golden_model(family, &device).model;
        let config: TunerConfig = serde_json::from_str(keys).expect("keys");
        assert_eq!(config.merge_obstacle(), None);
        let tuner = config.init(&InitContext {
            base: &model,
            vocabulary: &Numbers,
            seed: 1,
            device: &device,
        });
        let tuner = shaken(tuner.expect("a tuner")).valid();
        let merged = model.merged(&tuner).expect("it can be folded");
        let rows = rows(&model);
        let states = token_states(&merged.model, &rows, &Identity);
        let hooked = token_states(&model, &rows, &tuner);
        for (states, hooked) in states.into_iter().zip(hooked) {
            assert_close(&values(states), &values(hooked), 1e-4);
        }
    }
}
