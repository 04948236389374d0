//! A tuner folded into the weights computes what its hooks compute.

use pilotlight_core::Base;

use super::*;

#[test]
fn merged_equals_hooked() {
    each_case(|_, model, tuner| {
        if tuner.config().merge_obstacle().is_some() {
            return;
        }
        let tuner = shaken(tuner).valid();
        let Some(merged) = merged(model, &tuner) else {
            return;
        };
        let rows = rows(model);
        let merged = token_states(&merged, &rows, &Identity);
        let hooked = token_states(model, &rows, &tuner);
        for (merged, hooked) in merged.into_iter().zip(hooked) {
            assert_close(&values(merged), &values(hooked), 1e-4);
        }
    });
}

/// The model with a tuner folded into its weights; `None` if the tuner cannot be.
fn merged(model: &Model, tuner: &dyn Tuner) -> Option<Model> {
    let spec = model.spec();
    let mut tensors = Vec::new();
    for layer in 0..spec.n_layers {
        for projection in &spec.projections {
            let site = Site {
                layer,
                projection: projection.projection,
            };
            let base = model.projection(site).expect("a projection of the model");
            let Some(merged) = tuner.merged(site, &base) else {
                continue;
            };
            let weight = match projection.fan_in_fan_out {
                true => merged.weight.val(),
                false => merged.weight.val().transpose(),
            };
            let path = spec.path(site).expect("a projection of the model");
            tensors.push((format!("{path}.weight"), weight.into_data()));
            if let Some(bias) = merged.bias {
                tensors.push((format!("{path}.bias"), bias.val().into_data()));
            }
        }
    }
    if tensors.is_empty() {
        return None;
    }
    Some(model.clone().import(tensors).expect("merged weights fit"))
}
