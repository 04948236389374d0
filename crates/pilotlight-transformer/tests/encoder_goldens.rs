//! BERT models against what transformers and PEFT compute with them.

use std::path::PathBuf;

use burn::tensor::{DType, Device, Tensor, TensorData};
use pilotlight_core::{
    BatchPrefix, Embedded, Identity, Insertion, KeyValue, Projection, Site, TokenRow, Tuner,
};
use pilotlight_transformer::{
    ClassificationHead, Hidden, LoadOptions, Model, Pretrained, init_random, load_folder,
    save_folder,
};
use serde::Deserialize;

type Rows = Vec<Vec<f32>>;

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Vec<u32>>,
    token_types: Vec<Vec<u32>>,
    states: Vec<Rows>,
    #[serde(default)]
    pooled: Rows,
    #[serde(default)]
    scores: Rows,
    prompt: Option<GoldenVectors>,
    prefix: Option<GoldenVectors>,
    #[serde(default)]
    behind: Vec<Rows>,
}

#[derive(Deserialize)]
struct GoldenVectors {
    vectors: Rows,
    #[serde(default)]
    states: Vec<Rows>,
    scores: Rows,
}

impl Golden {
    fn token_rows(&self) -> Vec<TokenRow> {
        let rows = self.rows.iter().zip(&self.token_types);
        rows.map(|(ids, types)| TokenRow {
            token_types: types.clone(),
            ..TokenRow::new(ids.clone())
        })
        .collect()
    }
}

fn folder(case: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/goldens")
        .join(case)
}

fn load(case: &str) -> (Pretrained, Golden) {
    let options = LoadOptions::new(&Device::default());
    let pretrained = load_folder(&folder(case), &options).unwrap_or_else(|error| panic!("{error}"));
    let golden = std::fs::read(folder(case).join("golden.json")).expect("a golden file");
    (
        pretrained,
        serde_json::from_slice(&golden).expect("a golden"),
    )
}

fn values(tensor: Tensor<2>) -> Rows {
    let [_, width] = tensor.dims();
    let values: Vec<f32> = tensor.try_into_vec_as().expect("f32");
    values.chunks(width).map(<[f32]>::to_vec).collect()
}

/// The states at all positions of all rows.
fn states(hidden: &Hidden) -> Vec<Rows> {
    let of_row = |row: usize| {
        let positions: Vec<_> = (0..hidden.rows[row].len).map(|at| (row, at)).collect();
        values(hidden.select(&positions))
    };
    (0..hidden.rows.len()).map(of_row).collect()
}

#[track_caller]
fn assert_close(actual: &[Vec<f32>], expected: &[Vec<f32>], tolerance: f32) {
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        assert_eq!(actual.len(), expected.len());
        for (actual, expected) in actual.iter().zip(expected) {
            let difference = (actual - expected).abs();
            assert!(difference <= tolerance, "{actual} is not {expected}");
        }
    }
}

#[track_caller]
fn assert_all_close(actual: &[Rows], expected: &[Rows], tolerance: f32) {
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        assert_close(actual, expected, tolerance);
    }
}

/// The pooled states of the first position of each row.
fn pooled(model: &Model, hidden: &Hidden) -> Option<Tensor<2>> {
    let first: Vec<_> = (0..hidden.rows.len()).map(|row| (row, 0)).collect();
    model.pooled(hidden.select(&first))
}

fn scores(model: &Model, head: &ClassificationHead, hidden: &Hidden) -> Rows {
    values(head.forward(pooled(model, hidden).expect("a pooler")))
}

#[track_caller]
fn check(case: &str) -> (Pretrained, Golden) {
    let (pretrained, golden) = load(case);
    let model = &pretrained.model;
    assert!(!model.is_decoder());
    let rows = golden.token_rows();
    let together = states(&model.forward(&rows, &Identity));
    assert_all_close(&together, &golden.states, 1e-4);
    for (row, together) in rows.iter().zip(&together) {
        let alone = states(&model.forward(std::slice::from_ref(row), &Identity));
        assert_close(&alone[0], together, 1e-5);
    }
    (pretrained, golden)
}

#[test]
fn classifier_with_a_pooler() {
    let (pretrained, golden) = check("bert_classifier");
    let Pretrained {
        model,
        head,
        labels,
        ..
    } = pretrained;
    assert_eq!(labels, ["bad", "so so", "good"]);
    let hidden = model.forward(&golden.token_rows(), &Identity);
    let pooled = pooled(&model, &hidden).expect("a pooler");
    assert_close(&values(pooled), &golden.pooled, 1e-4);
    let head = head.expect("a classification head");
    assert_close(&scores(&model, &head, &hidden), &golden.scores, 1e-4);
}

#[test]
fn bare_model_without_a_pooler() {
    let (pretrained, golden) = check("bert");
    assert!(pretrained.head.is_none() && pretrained.labels.is_empty());
    let model = pretrained.model;
    let hidden = model.forward(&golden.token_rows(), &Identity);
    assert!(pooled(&model, &hidden).is_none());
    let fresh = model.fresh_head(4, 1);
    assert_eq!(fresh.n_labels(), 4);
}

#[test]
fn masked_language_model_with_the_names_of_old_checkpoints() {
    let (pretrained, _) = check("bert_masked");
    let names = pretrained.model.parameter_names();
    assert!(names.contains(&"bert.embeddings.LayerNorm.weight".to_owned()));
}

#[test]
fn token_types_default_to_zero() {
    let (Pretrained { model, .. }, golden) = load("bert_classifier");
    let bare: Vec<_> = golden.rows.iter().cloned().map(TokenRow::new).collect();
    let zeros: Vec<_> = golden
        .rows
        .iter()
        .map(|ids| TokenRow {
            token_types: vec![0; ids.len()],
            ..TokenRow::new(ids.clone())
        })
        .collect();
    let bare = states(&model.forward(&bare, &Identity));
    assert_all_close(&bare, &states(&model.forward(&zeros, &Identity)), 1e-6);
    let mixed = states(&model.forward(&golden.token_rows(), &Identity));
    assert!((mixed[0][0][0] - bare[0][0][0]).abs() > 1e-3);
}

/// Learned vectors in front of every row, or behind it.
#[derive(Debug)]
struct Prompt {
    vectors: Tensor<2>,
    behind: bool,
}

impl Tuner for Prompt {
    fn embed(&self, embedded: Embedded) -> Embedded {
        let n_vectors = self.vectors.dims()[0];
        embedded.insert(self.vectors.clone(), |row| {
            vec![Insertion {
                before_token: if self.behind { row.n_tokens() } else { 0 },
                vectors: 0..n_vectors,
            }]
        })
    }
}

fn tensor(rows: &[Vec<f32>]) -> Tensor<2> {
    let data = TensorData::new(rows.concat(), [rows.len(), rows[0].len()]);
    Tensor::from_data(data, &Device::default())
}

#[test]
fn prompts_in_front_as_in_peft() {
    let (Pretrained { model, head, .. }, golden) = load("bert_classifier");
    let expected = golden.prompt.as_ref().expect("a case with a prompt");
    let prompt = Prompt {
        vectors: tensor(&expected.vectors),
        behind: false,
    };
    let hidden = model.forward(&golden.token_rows(), &prompt);
    assert_all_close(&states(&hidden), &expected.states, 1e-4);
    let head = head.expect("a classification head");
    assert_close(&scores(&model, &head, &hidden), &expected.scores, 1e-4);
}

#[test]
fn prompts_behind_rows_of_unequal_lengths() {
    let (Pretrained { model, .. }, golden) = load("bert_classifier");
    let vectors = &golden
        .prompt
        .as_ref()
        .expect("a case with a prompt")
        .vectors;
    let prompt = Prompt {
        vectors: tensor(vectors),
        behind: true,
    };
    let hidden = model.forward(&golden.token_rows(), &prompt);
    assert_all_close(&states(&hidden), &golden.behind, 1e-4);
}

/// Learned keys and values, a row `[2 * n_layers, n_heads, d_head]` for each of their positions.
#[derive(Debug)]
struct Prefix(Tensor<4>);

impl Tuner for Prefix {
    fn prefix(&self, layer: usize, n_batch: usize) -> Option<BatchPrefix> {
        let slot = |slot: usize| {
            let [n_prefix, _, n_heads, d_head] = self.0.dims();
            let of_slot = self.0.clone().slice_dim(1, slot..slot + 1);
            of_slot
                .reshape([1, n_prefix, n_heads, d_head])
                .swap_dims(1, 2)
                .repeat_dim(0, n_batch)
        };
        Some(KeyValue::new(slot(2 * layer), slot(2 * layer + 1)).into())
    }
}

#[test]
fn prefixes_as_in_peft() {
    let (Pretrained { model, head, .. }, golden) = load("bert_classifier");
    let expected = golden.prefix.as_ref().expect("a case with a prefix");
    let prefix = Prefix(tensor(&expected.vectors).reshape([3, 4, 4, 4]));
    let hidden = model.forward(&golden.token_rows(), &prefix);
    let head = head.expect("a classification head");
    assert_close(&scores(&model, &head, &hidden), &expected.scores, 1e-4);
}

/// Counts the calls of every hook by site.
#[derive(Debug, Default)]
struct Watch(std::sync::Mutex<Vec<Site>>);

impl Tuner for Watch {
    fn project_input(&self, site: Site, input: Tensor<3>) -> Tensor<3> {
        self.0.lock().expect("not poisoned").push(site);
        input
    }
}

#[test]
fn every_projection_of_the_spec_is_a_site() {
    let (Pretrained { model, .. }, golden) = load("bert");
    let watch = Watch::default();
    model.forward(&golden.token_rows(), &watch);
    let projections = [
        Projection::Query,
        Projection::Key,
        Projection::Value,
        Projection::Output,
        Projection::Up,
        Projection::Down,
    ];
    let expected: Vec<_> = (0..2)
        .flat_map(|layer| projections.map(|projection| Site { layer, projection }))
        .collect();
    assert_eq!(*watch.0.lock().expect("not poisoned"), expected);
    let names = model.parameter_names();
    for site in expected {
        let path = model.spec().path(site).expect("in the spec");
        assert!(names.contains(&format!("{path}.weight")), "{path}");
    }
}

#[test]
fn a_row_without_tokens_gives_no_nan() {
    let (Pretrained { model, .. }, golden) = load("bert");
    let rows = [TokenRow::default(), TokenRow::new(golden.rows[0].clone())];
    let hidden = model.forward(&rows, &Identity);
    let all: Vec<f32> = hidden.states().try_into_vec_as().expect("f32");
    assert!(all.iter().all(|value| value.is_finite()));
}

#[test]
fn a_saved_encoder_is_the_same() {
    let (Pretrained { model, .. }, _) = load("bert_masked");
    let out = tempfile::tempdir().expect("temporary folder");
    save_folder(&model, &folder("bert_masked"), out.path(), DType::F32).expect("saved");
    let options = LoadOptions::new(&Device::default());
    let again = load_folder(out.path(), &options).expect("loaded").model;
    assert_eq!(again.parameter_hash(), model.parameter_hash());
}

#[test]
fn a_fresh_encoder_has_every_part() {
    let options = LoadOptions::new(&Device::default());
    let fresh = init_random(&folder("bert"), 1, &options)
        .expect("made")
        .model;
    let names = fresh.parameter_names();
    assert!(names.contains(&"bert.pooler.dense.bias".to_owned()));
    let hidden = fresh.forward(&[TokenRow::new(vec![3, 4])], &Identity);
    assert!(fresh.pooled(hidden.select(&[(0, 0)])).is_some());
}

#[test]
fn half_precision_is_close() {
    let (_, golden) = load("bert");
    for dtype in [DType::F16, DType::BF16] {
        let options = LoadOptions {
            dtype,
            ..LoadOptions::new(&Device::default())
        };
        let model = load_folder(&folder("bert"), &options)
            .expect("a model")
            .model;
        let hidden = model.forward(&golden.token_rows(), &Identity);
        let first = hidden.select(&[(0, 0)]).cast(DType::F32);
        assert_close(&values(first), &golden.states[0][..1], 0.1);
    }
}

#[test]
fn a_head_on_half_precision_computes_in_f32() {
    let (_, golden) = load("bert_classifier");
    for dtype in [DType::F16, DType::BF16] {
        let options = LoadOptions {
            dtype,
            ..LoadOptions::new(&Device::default())
        };
        let Pretrained { model, head, .. } =
            load_folder(&folder("bert_classifier"), &options).expect("a model");
        let hidden = model.forward(&golden.token_rows(), &Identity);
        for head in [head.expect("a head"), model.fresh_head(4, 1)] {
            let pooled = pooled(&model, &hidden).expect("a pooler");
            assert_eq!(pooled.dtype(), dtype);
            assert_eq!(head.forward(pooled).dtype(), DType::F32);
            for (name, data) in head.export() {
                assert_eq!(data.dtype(), DType::F32, "{name}");
            }
        }
    }
}
