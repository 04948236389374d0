//! A tuner folded into the weights computes what its hooks compute, and leaves no trace when it is taken out.

use pilotlight_tests::token_logits;
use pilotlight_transformer::LoadError;

use super::*;

#[test]
fn merged_equals_hooked() {
    each_case(|_, model, tuner| {
        if tuner.config().merge_obstacle().is_some() {
            return;
        }
        let tuner = shaken(tuner).valid();
        let merged = match model.merged(&tuner) {
            // The only other place where the methods that are merged act.
            Err(LoadError::TiedHead { .. }) if model.spec().tied_head => return,
            merged => merged.expect("it can be folded"),
        };
        assert_eq!(merged.replaced.is_empty(), tuner.num_params() == 0);
        let rows = rows(model);
        let states = token_states(&merged.model, &rows, &Identity);
        let hooked = token_states(model, &rows, &tuner);
        for (states, hooked) in states.into_iter().zip(hooked) {
            assert_close(&values(states), &values(hooked), 1e-4);
        }
        if model.has_language_head() {
            let logits = token_logits(&merged.model, &rows, &Identity);
            let hooked = token_logits(model, &rows, &tuner);
            for (logits, hooked) in logits.iter().zip(&hooked) {
                assert_close(logits, hooked, 1e-3);
            }
        }
        assert_eq!(merged.unmerge().parameter_hash(), model.parameter_hash());
    });
}
