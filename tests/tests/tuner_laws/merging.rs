//! A tuner folded into the weights computes what its hooks compute.

use super::*;

#[test]
fn merged_equals_hooked() {
    each_case(|_, model, tuner| {
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
            let name = format!("{}.weight", spec.path(site)?);
            let (name, weight) = model.export(&|other| other.ends_with(&name)).remove(0);
            // GPT-2 stores this layout, all others the transposed one.
            let as_stored = name.contains(".h.");
            let weight = Tensor::<2>::from_data(weight, &Device::flex());
            let turn = |weight: Tensor<2>| {
                if as_stored {
                    weight
                } else {
                    weight.transpose()
                }
            };
            let base = burn::nn::Linear {
                weight: Param::from_tensor(turn(weight)),
                bias: None,
            };
            if let Some(merged) = tuner.merged(site, &base) {
                tensors.push((name, turn(merged.weight.val()).into_data()));
            }
        }
    }
    if tensors.is_empty() {
        return None;
    }
    Some(model.clone().import(tensors).expect("merged weights fit"))
}
