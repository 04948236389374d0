//! Prefixes of another length in each row.

use super::*;

const N_SLOTS: usize = 5;

/// Learned keys and values of random content; the slots that a row does not have hold numbers that show wherever they
/// are looked at.
#[derive(Debug)]
struct Ragged {
    /// Keys and values `[n_batch, n_kv_heads, N_SLOTS, d_head]` of each layer.
    layers: Vec<KeyValue>,
    /// How many each row has, layer by layer.
    lengths: Vec<Vec<usize>>,
}

impl Ragged {
    fn new(model: &Model, lengths: &[&[usize]], device: &Device) -> Self {
        let spec = model.spec();
        let random = |lengths: &[usize]| {
            let shape = [1, spec.n_kv_heads, N_SLOTS, spec.d_head];
            let row = |&length: &usize| {
                let learned = Tensor::<4>::random(shape, Distribution::Default, device);
                let padding = Tensor::full(shape, 1e3, device);
                Tensor::cat(
                    vec![
                        learned.slice_dim(2, 0..length),
                        padding.slice_dim(2, length..N_SLOTS),
                    ],
                    2,
                )
            };
            Tensor::cat(lengths.iter().map(row).collect(), 0)
        };
        let layer = |lengths: &&[usize]| KeyValue::new(random(lengths), random(lengths));
        Self {
            layers: lengths.iter().map(layer).collect(),
            lengths: lengths.iter().map(|lengths| lengths.to_vec()).collect(),
        }
    }

    /// The prefixes of one row, in `N_SLOTS` slots or as many as there are.
    fn only(&self, row: usize, padded: bool) -> Self {
        let layers = self.layers.iter().zip(&self.lengths);
        let layers = layers.map(|(layer, lengths)| {
            let n_slots = if padded { N_SLOTS } else { lengths[row].max(1) };
            let only = |slots: &Tensor<4>| {
                let row = slots.clone().slice_dim(0, row..row + 1);
                row.slice_dim(2, 0..n_slots)
            };
            KeyValue::new(only(&layer.key), only(&layer.value))
        });
        Self {
            layers: layers.collect(),
            lengths: self.lengths.iter().map(|all| vec![all[row]]).collect(),
        }
    }
}

impl Tuner for Ragged {
    fn prefix(&self, layer: usize, n_batch: usize) -> Option<BatchPrefix> {
        let lengths = self.lengths[layer].clone();
        assert_eq!(n_batch, lengths.len());
        if lengths == [0] {
            return None;
        }
        Some(BatchPrefix {
            key_value: self.layers[layer].clone(),
            lengths,
        })
    }
}

fn four_rows() -> Vec<TokenRow> {
    let mut rows = rows();
    rows.push(TokenRow::new(vec![13, 14, 15, 3]));
    rows
}

/// The states at the tokens of each row.
fn token_states(model: &Model, rows: &[TokenRow], tuner: &dyn Tuner) -> Vec<Tensor<2>> {
    let hidden = model.forward(rows, tuner);
    let states = |index: usize| {
        let positions = hidden.rows[index].token_positions.iter();
        let positions: Vec<_> = positions.map(|&position| (index, position)).collect();
        hidden.select(&positions)
    };
    (0..rows.len()).map(states).collect()
}

#[test]
fn each_row_has_its_own_length() {
    let device = Device::default();
    let lengths: [[&[usize]; 2]; 4] = [
        [&[5, 0, 2, 0], &[5, 0, 2, 0]],
        // Tokens count on from the longest prefix of any layer.
        [&[2, 0, 0, 1], &[0, 0, 5, 4]],
        [&[0, 0, 0, 0], &[1, 0, 3, 1]],
        [&[3, 3, 3, 3], &[3, 3, 3, 3]],
    ];
    for case in ["llama", "mistral", "qwen2_window", "gpt2", "bert"] {
        let model = model(case, &device);
        for lengths in lengths {
            let tuner = Ragged::new(&model, &lengths, &device);
            let rows = four_rows();
            let together = token_states(&model, &rows, &tuner);
            for (index, (row, together)) in rows.iter().zip(together).enumerate() {
                let row = std::slice::from_ref(row);
                for padded in [false, true] {
                    let alone = token_states(&model, row, &tuner.only(index, padded)).remove(0);
                    assert_close(together.clone(), alone, 1e-5);
                }
                let bare = token_states(&model, row, &Identity).remove(0);
                if lengths.iter().all(|lengths| lengths[index] == 0) {
                    assert_close(together, bare, 1e-5);
                } else {
                    let difference: f32 = (together - bare).abs().max().into_scalar();
                    assert!(difference > 1e-2, "{case}: the prefix has no effect");
                }
            }
        }
    }
}

#[test]
fn gradients_do_not_reach_slots_that_a_row_does_not_have() {
    let device = Device::default().autodiff();
    for case in ["llama", "gpt2", "bert"] {
        let model = model(case, &device);
        let lengths: [&[usize]; 2] = [&[5, 0, 2, 1], &[1, 0, 5, 2]];
        let mut tuner = Ragged::new(&model, &lengths, &device);
        for layer in &mut tuner.layers {
            layer.key = layer.key.clone().require_grad();
            layer.value = layer.value.clone().require_grad();
        }
        let states = Tensor::cat(token_states(&model, &four_rows(), &tuner), 0);
        let gradients = states.square().sum().backward();
        for (layer, lengths) in tuner.layers.iter().zip(&lengths) {
            for slots in [&layer.key, &layer.value] {
                let gradient = slots.grad(&gradients).expect("a gradient").abs();
                for (row, &length) in lengths.iter().enumerate() {
                    let of_row = gradient.clone().slice_dim(0, row..row + 1);
                    let largest = |slots: Tensor<4>| slots.max().into_scalar::<f32>();
                    if length > 0 {
                        assert!(
                            largest(of_row.clone().slice_dim(2, 0..length)) > 0.0,
                            "{case}"
                        );
                    }
                    if length < N_SLOTS {
                        assert_eq!(largest(of_row.slice_dim(2, length..N_SLOTS)), 0.0, "{case}");
                    }
                }
            }
        }
    }
}

#[test]
fn text_is_written_behind_a_padded_prefix() {
    let device = Device::default();
    for case in CASES {
        let model = model(case, &device);
        let tuner = Ragged::new(&model, &[&[2, 3], &[0, 1]], &device);
        for (index, row) in rows()[..2].iter().enumerate() {
            let options = GenerateOptions {
                max_tokens: 8,
                ..GenerateOptions::default()
            };
            let write = |padded| {
                let tuner = tuner.only(index, padded);
                generate(&model, &tuner, row, &options, &mut |_| ())
            };
            assert_eq!(write(true), write(false), "{case}");
        }
        // Both rows together, whose prefixes and texts are of different lengths.
        let options = GenerateOptions {
            max_tokens: 8,
            ..GenerateOptions::default()
        };
        let together = generate_all(&model, &tuner, &rows()[..2], &options);
        for (index, row) in rows()[..2].iter().enumerate() {
            let tuner = tuner.only(index, false);
            let alone = generate(&model, &tuner, row, &options, &mut |_| ());
            assert_eq!(together[index], alone, "{case}");
        }
    }
}

#[test]
fn learned_positions_are_counted_row_by_row() {
    let device = Device::default();
    for case in ["gpt2", "bert"] {
        let model = model(case, &device);
        // All 32 positions of the second row are taken by its tokens.
        let rows = [vec![3, 4], vec![5; 32]].map(TokenRow::new);
        let tuner = Ragged::new(&model, &[&[5, 0], &[5, 0]], &device);
        let together = token_states(&model, &rows, &tuner);
        let alone = token_states(&model, &rows[..1], &tuner.only(0, false));
        assert_close(together[0].clone(), alone[0].clone(), 1e-5);
        let bare = token_states(&model, &rows[1..], &Identity);
        assert_close(together[1].clone(), bare[0].clone(), 1e-5);
    }
}
