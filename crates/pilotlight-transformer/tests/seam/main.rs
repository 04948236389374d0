//! What a tuner sees of a model, and what it can do to it.

mod generation;
mod merging;
mod prefixes;
mod untouched;

use std::{path::PathBuf, sync::Mutex};

use burn::{
    module::{Module, Param},
    nn::Linear,
    optim::GradientsParams,
    tensor::{Device, Distribution, Tensor},
};
use pilotlight_core::{
    BatchPrefix, Embedded, Identity, Insertion, KeyValue, Projection, Site, Sublayer, TokenRow,
    Tuner,
};
use pilotlight_transformer::{
    GenerateOptions, LoadOptions, Model, generate, generate_all, load_folder,
};

fn model(case: &str, device: &Device) -> Model {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/goldens")
        .join(case);
    let loaded = load_folder(&folder, &LoadOptions::new(device));
    loaded.unwrap_or_else(|error| panic!("{error}")).model
}

fn rows() -> Vec<TokenRow> {
    [vec![3, 4, 5, 6, 7], vec![8, 9], vec![10, 11, 12]]
        .into_iter()
        .map(TokenRow::new)
        .collect()
}

fn last_logits(model: &Model, rows: &[TokenRow], tuner: &dyn Tuner) -> Tensor<2> {
    let hidden = model.forward(rows, tuner);
    let last: Vec<_> = (0..rows.len())
        .map(|row| (row, hidden.rows[row].len - 1))
        .collect();
    model.logits_at(&hidden, &last, tuner)
}

#[track_caller]
fn assert_close(actual: Tensor<2>, expected: Tensor<2>, tolerance: f32) {
    let difference: f32 = (actual - expected).abs().max().into_scalar();
    assert!(difference <= tolerance, "the difference is {difference}");
}

/// A tuner that writes down who called.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    fn note(&self, what: String) {
        self.0.lock().expect("no panic").push(what);
    }
}

impl Tuner for Recorder {
    fn embed(&self, embedded: Embedded) -> Embedded {
        self.note(format!("embed {:?}", embedded.embeddings.dims()));
        embedded
    }

    fn prefix(&self, layer: usize, n_batch: usize) -> Option<BatchPrefix> {
        self.note(format!("prefix {layer} {n_batch}"));
        None
    }

    fn project_input(&self, site: Site, input: Tensor<3>) -> Tensor<3> {
        self.note(format!(
            "in {} {:?} {:?}",
            site.layer,
            site.projection,
            input.dims()
        ));
        input
    }

    fn project_output(
        &self,
        site: Site,
        base: &Linear,
        input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        let [d_input, d_output] = base.weight.dims();
        assert_eq!((input.dims()[2], output.dims()[2]), (d_input, d_output));
        self.note(format!(
            "out {} {:?} {:?}",
            site.layer,
            site.projection,
            output.dims()
        ));
        output
    }

    fn sublayer_output(
        &self,
        layer: usize,
        sublayer: Sublayer,
        input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        assert_eq!(input.dims(), output.dims());
        self.note(format!("sublayer {layer} {sublayer:?}"));
        output
    }
}

#[test]
fn every_hook_is_called_once_in_order() {
    for case in ["llama", "gpt2"] {
        let model = model(case, &Device::default());
        let recorder = Recorder::default();
        model.forward(&rows(), &recorder);
        let spec = model.spec();
        let mut expected = vec!["embed [3, 5, 16]".to_owned()];
        expected.extend((0..2).map(|layer| format!("prefix {layer} 3")));
        for layer in 0..2 {
            for (sublayer, projections) in [
                (
                    Sublayer::Attention,
                    &[
                        Projection::QueryKeyValue,
                        Projection::Query,
                        Projection::Key,
                        Projection::Value,
                        Projection::Output,
                    ][..],
                ),
                (
                    Sublayer::FeedForward,
                    &[Projection::Gate, Projection::Up, Projection::Down],
                ),
            ] {
                for projection in projections.iter().filter_map(|&one| spec.projection(one)) {
                    let kind = projection.projection;
                    expected.push(format!(
                        "in {layer} {kind:?} [3, 5, {}]",
                        projection.d_input
                    ));
                    expected.push(format!(
                        "out {layer} {kind:?} [3, 5, {}]",
                        projection.d_output
                    ));
                }
                expected.push(format!("sublayer {layer} {sublayer:?}"));
            }
        }
        assert_eq!(*recorder.0.lock().expect("no panic"), expected, "{case}");
    }
}

/// A bit of every kind of method.
#[derive(Module, Debug)]
struct Everything {
    prompt: Param<Tensor<2>>,
    prefix: Param<Tensor<5>>,
    scale: Param<Tensor<1>>,
}

impl Everything {
    fn new(model: &Model, device: &Device) -> Self {
        let spec = model.spec();
        let random = |shape: [usize; 2]| Tensor::<2>::random(shape, Distribution::Default, device);
        let n = spec.n_layers * 2 * spec.n_kv_heads * 3;
        let prefix = random([n, spec.d_head]);
        let prefix = prefix.reshape([spec.n_layers, 2, spec.n_kv_heads, 3, spec.d_head]);
        Self {
            prompt: Param::from_tensor(random([2, spec.d_model])),
            prefix: Param::from_tensor(prefix),
            scale: Param::from_tensor(Tensor::full([1], 1.3, device)),
        }
    }
}

impl Tuner for Everything {
    fn embed(&self, embedded: Embedded) -> Embedded {
        embedded.insert(self.prompt.val(), |_| {
            vec![Insertion {
                before_token: 1,
                vectors: 0..2,
            }]
        })
    }

    fn prefix(&self, layer: usize, n_batch: usize) -> Option<BatchPrefix> {
        let [_, _, n_kv_heads, n_prefix, d_head] = self.prefix.dims();
        let slot = |slot: usize| {
            let values = self.prefix.val().slice([layer..layer + 1, slot..slot + 1]);
            values
                .reshape([1, n_kv_heads, n_prefix, d_head])
                .repeat_dim(0, n_batch)
        };
        Some(KeyValue::new(slot(0), slot(1)).into())
    }

    fn project_input(&self, site: Site, input: Tensor<3>) -> Tensor<3> {
        if site.projection == Projection::Down {
            input * self.scale.val().unsqueeze()
        } else {
            input
        }
    }

    fn sublayer_output(
        &self,
        _: usize,
        _: Sublayer,
        input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        output + input.clone() * (self.scale.val().unsqueeze() * 0.1)
    }
}

const CASES: [&str; 5] = ["llama", "mistral", "qwen2_window", "qwen3", "gpt2"];

#[test]
fn rows_do_not_depend_on_each_other() {
    let device = Device::default();
    for case in CASES {
        let model = model(case, &device);
        let tuner = Everything::new(&model, &device);
        let together = last_logits(&model, &rows(), &tuner);
        let mut reversed = rows();
        reversed.reverse();
        let reversed = last_logits(&model, &reversed, &tuner).flip([0]);
        assert_close(reversed, together.clone(), 1e-5);
        let alone = rows()
            .into_iter()
            .map(|row| last_logits(&model, &[row], &tuner));
        assert_close(Tensor::cat(alone.collect(), 0), together, 1e-5);
    }
}

#[test]
fn gradients_do_not_change_the_result() {
    let device = Device::default();
    for case in CASES {
        let plain = model(case, &device);
        let tuner = Everything::new(&plain, &device);
        let expected = last_logits(&plain, &rows(), &tuner);
        let actual = last_logits(&plain.train(), &rows(), &tuner.train());
        assert_close(actual.inner(), expected, 1e-5);
    }
}

#[test]
fn gradients_reach_the_tuner_and_not_the_base() {
    let device = Device::default().autodiff();
    for case in CASES {
        let model = model(case, &device);
        let tuner = Everything::new(&model, &device);
        let hash = model.parameter_hash();
        let loss = last_logits(&model, &rows(), &tuner).square().sum();
        let mut gradients = loss.backward();
        let of_base = GradientsParams::from_module(&mut gradients, &model);
        assert!(of_base.is_empty(), "{case}");
        let of_tuner = GradientsParams::from_module(&mut gradients, &tuner);
        assert_eq!(of_tuner.len(), 3, "{case}");
        assert_eq!(model.parameter_hash(), hash);
    }
}

/// Doubles the output of one projection.
#[derive(Debug)]
struct Doubled(Site);

impl Tuner for Doubled {
    fn project_output(
        &self,
        site: Site,
        _: &Linear,
        _: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        if site == self.0 { output * 2.0 } else { output }
    }
}

#[test]
fn a_changed_output_is_a_changed_weight() {
    for case in ["llama", "qwen2", "gpt2"] {
        let original = model(case, &Device::default());
        for projection in original.spec().projections.clone() {
            let site = Site {
                layer: 1,
                projection: projection.projection,
            };
            let path = original.spec().path(site).expect("a path");
            let changed = original.export(&|name| {
                name.strip_prefix(&path)
                    .is_some_and(|rest| [".weight", ".bias"].contains(&rest))
            });
            let changed = changed.into_iter().map(|(name, mut data)| {
                let values = data.as_mut_slice::<f32>().expect("f32");
                values.iter_mut().for_each(|value| *value *= 2.0);
                (name, data)
            });
            let doubled = original.clone().import(changed.collect()).expect("it fits");
            let expected = last_logits(&doubled, &rows(), &Identity);
            let actual = last_logits(&original, &rows(), &Doubled(site));
            assert_close(actual.clone(), expected, 1e-5);
            let untouched = last_logits(&original, &rows(), &Identity);
            let difference: f32 = (actual - untouched).abs().max().into_scalar();
            assert!(difference > 1e-3, "{path} had no effect");
        }
    }
}
