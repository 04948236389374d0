//! What a tuner leaves alone is run without gradients, and once where it is the same in all rows; nobody sees the
//! difference.

use pilotlight_core::EmbeddedRow;

use super::*;

/// Where the vectors stand in a row.
type Place = fn(&EmbeddedRow) -> Vec<Insertion>;

/// Two learned vectors, and the lengths of the inputs that a hook of the layers saw.
#[derive(Debug)]
struct Prompt {
    vectors: Tensor<2>,
    place: Place,
    /// Whether it tells which positions it leaves alone.
    tells: bool,
    seen: Mutex<Vec<usize>>,
}

impl Prompt {
    fn new(model: &Model, place: Place, tells: bool) -> Self {
        let d_model = model.spec().d_model;
        let values: Vec<f32> = (0..2 * d_model)
            .map(|index| (index * 29 % 17) as f32 / 8.0 - 1.0)
            .collect();
        let data = burn::tensor::TensorData::new(values, [2, d_model]);
        let device = model.word_embeddings().device();
        let vectors = Tensor::from_data(data, &device);
        Self {
            vectors: vectors.set_require_grad(device.is_autodiff()),
            place,
            tells,
            seen: Mutex::default(),
        }
    }

    /// The length of the inputs of the layers; none if there were none.
    fn seen(&self) -> Option<usize> {
        let mut seen = self.seen.lock().expect("no panic").clone();
        seen.dedup();
        assert!(seen.len() <= 1, "all layers have the same input");
        seen.pop()
    }
}

impl Tuner for Prompt {
    fn embed(&self, embedded: Embedded) -> Embedded {
        embedded.insert(self.vectors.clone(), self.place)
    }

    fn project_input(&self, _: Site, input: Tensor<3>) -> Tensor<3> {
        self.seen.lock().expect("no panic").push(input.dims()[1]);
        input
    }

    fn untouched(&self, _: usize, row: &EmbeddedRow) -> usize {
        let inserted = (0..row.len).find(|position| !row.token_positions.contains(position));
        if self.tells {
            inserted.unwrap_or(row.len)
        } else {
            0
        }
    }
}

fn at(before_token: usize) -> Vec<Insertion> {
    vec![Insertion {
        before_token,
        vectors: 0..2,
    }]
}

/// Places, each with the length of what is learned from in the longest row of [`five_rows`].
const PLACES: [(Place, usize); 5] = [
    (|row| at(row.n_tokens()), 2),
    (|row| at(row.n_tokens() / 2), 2 + 13),
    (|row| at(row.n_tokens() - 1), 2 + 1),
    (
        |row| {
            let one = |before_token, vector| Insertion {
                before_token,
                vectors: vector..vector + 1,
            };
            vec![one(row.n_tokens() / 2, 0), one(row.n_tokens(), 1)]
        },
        2 + 13,
    ),
    // Behind, in front or nowhere, as it happens.
    (
        |row| match row.n_tokens() {
            2 => Vec::new(),
            3 => at(0),
            n_tokens => at(n_tokens),
        },
        2 + 3,
    ),
];

const LONGEST: usize = 25;

fn five_rows() -> Vec<TokenRow> {
    let row = |len: u32| TokenRow::new((0..len).map(|token| 3 + (token * 5 + len) % 30).collect());
    [9, 2, 3, 16, LONGEST as u32].map(row).to_vec()
}

/// The states at all positions of each row.
fn all_states(model: &Model, rows: &[TokenRow], tuner: &dyn Tuner) -> Vec<Tensor<2>> {
    let hidden = model.forward(rows, tuner);
    let all = hidden.states();
    let states = |index: usize| {
        let len = hidden.rows[index].len;
        let positions: Vec<_> = (0..len).map(|position| (index, position)).collect();
        let states = hidden.select(&positions);
        let of_row = all.clone().slice([index..index + 1, 0..len]);
        assert_close(of_row.reshape(states.dims()), states.clone(), 0.0);
        states
    };
    (0..rows.len()).map(states).collect()
}

/// Another weight for every state.
fn loss(states: Vec<Tensor<2>>) -> Tensor<1> {
    let states = Tensor::cat(states, 0);
    let shape = states.dims();
    let values: Vec<f32> = (0..shape[0] * shape[1])
        .map(|index| (index * 613 % 97) as f32 / 97.0 - 0.5)
        .collect();
    let data = burn::tensor::TensorData::new(values, shape);
    let weights: Tensor<2> = Tensor::from_data(data, &states.device());
    (states.clone() * states * weights).sum()
}

#[test]
fn states_and_gradients_are_those_of_the_whole() {
    let device = Device::default().autodiff();
    let rows = five_rows();
    for case in CASES {
        let model = model(case, &device);
        for (place, n_learned) in PLACES {
            let [whole, parts] = [false, true].map(|tells| Prompt::new(&model, place, tells));
            let expected = all_states(&model, &rows, &whole);
            let states = all_states(&model, &rows, &parts);
            assert_eq!(whole.seen(), Some(LONGEST + 2), "{case}");
            assert_eq!(parts.seen(), Some(n_learned), "{case}");
            for (index, (states, expected)) in states.iter().zip(&expected).enumerate() {
                assert_close(states.clone(), expected.clone(), 1e-5);
                let parts = Prompt::new(&model, place, true);
                let row = std::slice::from_ref(&rows[index]);
                let alone = all_states(&model, row, &parts).remove(0);
                assert_close(alone, expected.clone(), 1e-5);
            }
            let gradient = |prompt: &Prompt, states| {
                let gradients = loss(states).backward();
                prompt.vectors.grad(&gradients).expect("a gradient")
            };
            let expected = gradient(&whole, expected);
            let scale = expected.clone().abs().max().into_scalar::<f32>().max(1.0);
            assert_close(gradient(&parts, states), expected, 1e-5 * scale);
        }
    }
}

#[test]
fn where_gradients_or_nothing_flows_all_is_run_at_once() {
    let (place, _) = PLACES[0];
    let plain = model("llama", &Device::default());
    let prompt = Prompt::new(&plain, place, true);
    plain.forward(&five_rows(), &prompt);
    assert_eq!(prompt.seen(), Some(LONGEST + 2), "nothing is learned");

    let trained = plain
        .train()
        .set_trained(&|name| name == "model.norm.weight");
    let prompt = Prompt::new(&trained, place, true);
    let hidden = trained.forward(&five_rows(), &prompt);
    assert_eq!(prompt.seen(), Some(LONGEST + 2), "the base is learned");
    let mut gradients = hidden.states().sum().backward();
    assert_eq!(
        GradientsParams::from_module(&mut gradients, &trained).len(),
        1
    );
}

/// Rows that begin with the same `n_first` tokens.
fn rows_behind(n_first: u32, lens: &[u32]) -> Vec<TokenRow> {
    let row = |len: &u32| {
        let own = (0..*len).map(|token| 3 + (token * 5 + len) % 30);
        TokenRow::new(
            (0..n_first)
                .map(|token| 3 + token * 11 % 30)
                .chain(own)
                .collect(),
        )
    };
    lens.iter().map(row).collect()
}

#[test]
fn the_same_first_tokens_of_all_rows_are_run_once() {
    let device = Device::default();
    for case in CASES {
        let model = model(case, &device);
        for (place, _) in &PLACES[..4] {
            for lens in [&[4, 1, 9, 2, 6], &[3, 3, 0, 3, 3]] {
                let rows = rows_behind(20, lens);
                let [whole, parts] = [false, true].map(|tells| Prompt::new(&model, *place, tells));
                let expected = all_states(&model, &rows, &whole);
                let states = all_states(&model, &rows, &parts);
                assert!(parts.seen() < whole.seen(), "{case}");
                for (states, expected) in states.into_iter().zip(expected) {
                    assert_close(states, expected, 1e-5);
                }
            }
        }
        // A token that is not the same, and one row alone.
        let mut rows = rows_behind(20, &[4, 1, 9, 2, 6]);
        rows[2].ids[0] += 1;
        for rows in [&rows[..], &rows[..1]] {
            let prompt = Prompt::new(&model, PLACES[0].0, true);
            model.forward(rows, &prompt);
            let longest = rows.iter().map(|row| row.ids.len()).max();
            assert_eq!(prompt.seen(), longest.map(|len| len + 2), "{case}");
        }
    }
}

#[test]
fn a_frozen_model_alone_records_nothing() {
    let device = Device::default().autodiff();
    for case in CASES {
        let model = model(case, &device);
        let prompt = Prompt::new(&model, |_| Vec::new(), true);
        let states = all_states(&model, &five_rows(), &prompt);
        assert_eq!(prompt.seen(), None, "{case}");
        let expected = all_states(&model.clone().valid(), &five_rows(), &Identity);
        for (states, expected) in states.into_iter().zip(expected) {
            assert!(states.is_autodiff() && !states.is_tracked());
            assert_close(states.inner(), expected, 1e-5);
        }
    }
}

#[test]
fn a_prefix_touches_everything() {
    /// Says of itself what cannot be.
    #[derive(Debug)]
    struct Both(Everything);
    impl Tuner for Both {
        fn prefix(&self, layer: usize, n_batch: usize) -> Option<BatchPrefix> {
            self.0.prefix(layer, n_batch)
        }
        fn untouched(&self, _: usize, row: &EmbeddedRow) -> usize {
            row.len
        }
    }
    let device = Device::default().autodiff();
    let model = model("llama", &device);
    let tuner = Both(Everything::new(&model, &device));
    let loss = loss(all_states(&model, &five_rows(), &tuner));
    let gradients = loss.backward();
    assert!(tuner.0.prefix.val().grad(&gradients).is_some());
}
