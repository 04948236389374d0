//! What the tests of several modules share.

use burn::tensor::{DType, Device, Tensor, TensorData};
use pilotlight_core::{ModelSpec, Projection, ProjectionSpec, Shape};

use crate::method::{InitContext, Vocabulary};

/// A small Llama: 2 layers, 4 query heads, 2 key and value heads.
pub(crate) fn llama() -> ModelSpec {
    let projections = [
        (Projection::Query, 8, 8, "self_attn.q_proj"),
        (Projection::Key, 8, 4, "self_attn.k_proj"),
        (Projection::Value, 8, 4, "self_attn.v_proj"),
        (Projection::Output, 8, 8, "self_attn.o_proj"),
        (Projection::Gate, 8, 12, "mlp.gate_proj"),
        (Projection::Up, 8, 12, "mlp.up_proj"),
        (Projection::Down, 12, 8, "mlp.down_proj"),
    ];
    spec("model.layers.{layer}.", &projections)
}

/// A small BERT, whose projection names end alike.
pub(crate) fn bert() -> ModelSpec {
    let projections = [
        (Projection::Query, 8, 8, "attention.self.query"),
        (Projection::Key, 8, 8, "attention.self.key"),
        (Projection::Value, 8, 8, "attention.self.value"),
        (Projection::Output, 8, 8, "attention.output.dense"),
        (Projection::Up, 8, 12, "intermediate.dense"),
        (Projection::Down, 12, 8, "output.dense"),
    ];
    spec("bert.encoder.layer.{layer}.", &projections)
}

fn spec(front: &str, projections: &[(Projection, usize, usize, &str)]) -> ModelSpec {
    let projections = projections
        .iter()
        .map(|&(projection, d_input, d_output, path)| ProjectionSpec {
            projection,
            d_input,
            d_output,
            path: format!("{front}{path}"),
            fan_in_fan_out: false,
        });
    ModelSpec {
        n_layers: 2,
        d_model: 8,
        n_heads: 4,
        n_kv_heads: 2,
        d_head: 2,
        d_ff: 12,
        n_vocab: 40,
        n_positions: 64,
        projections: projections.collect(),
        words_path: "model.embed_tokens".into(),
        head_path: Some("lm_head".into()),
        tied_head: true,
    }
}

/// Ten special tokens, then words; word 39 is the most frequent one, word 15 the rarest, the others never occur.
#[derive(Debug)]
pub(crate) struct Words;

impl Vocabulary for Words {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let word = |word: &str| word.parse().map_err(|_| format!("no word `{word}`"));
        text.split_whitespace().map(word).collect()
    }

    fn is_special(&self, id: u32) -> bool {
        id < 10
    }

    fn frequencies(&self) -> Vec<(u32, usize)> {
        let special = std::iter::once((3, 1000));
        special
            .chain((15..40).rev().map(|id| (id, id as usize)))
            .collect()
    }

    fn label_words(&self) -> Vec<Vec<u32>> {
        vec![vec![20], vec![21, 23]]
    }
}

/// Word embeddings `[40, 8]` whose first number is the token's id.
pub(crate) fn word_embeddings(device: &Device) -> Tensor<2> {
    let values = (0..40 * 8).map(|index| match index % 8 {
        0 => (index / 8) as f32,
        column => ((index * 7 + column * 3) % 11) as f32 / 11.0,
    });
    let data = TensorData::new(values.collect::<Vec<f32>>(), [40, 8]);
    Tensor::from_data(data, device)
}

pub(crate) fn context<'a>(spec: &'a ModelSpec, device: &'a Device, seed: u64) -> InitContext<'a> {
    let base = Shape {
        spec: spec.clone(),
        word_embeddings: word_embeddings(device),
    };
    InitContext {
        base: Box::leak(Box::new(base)),
        vocabulary: &Words,
        seed,
        device,
    }
}

pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data_dtype(DType::F32);
    data.try_into_vec().expect("f32")
}

#[track_caller]
pub(crate) fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(
            difference <= tolerance,
            "number {index} is {found}, expected {expected}"
        );
    }
}
