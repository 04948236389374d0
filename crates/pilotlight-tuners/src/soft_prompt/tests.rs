mod arithmetic;
mod deep;
mod encoder;

use std::collections::HashSet;

use burn::tensor::{Device, Tensor};
use pilotlight_core::{Anchors, Embedded, TokenRow, Tuner};

use super::*;
use crate::{
    adapter_files::{BaseInfo, TaskType, save_adapter},
    error::TunerError,
    method::Method,
    registry::AnyTuner,
    test_support::{assert_close, context, llama, values, word_embeddings},
};

fn config(placement: Placement, prompt_length: usize) -> SoftPromptConfig {
    SoftPromptConfig {
        prompt_length: Some(prompt_length),
        placement,
        ..SoftPromptConfig::default()
    }
}

/// Puts two vectors, -1 and -2, into a row of the tokens 0, 1, 2, 3, 4, where 4 is the answer.
#[track_caller]
fn check_placement(placement: Placement, parts: &[(&str, usize)], expected: &[f32]) {
    let device = Device::default();
    let prompt = SoftPrompt::new(config(placement, 2), [[-1.0f32], [-2.0]], &device);
    let mut row = TokenRow::new(vec![0, 1, 2, 3, 4]);
    row.anchors = Anchors {
        parts: parts
            .iter()
            .map(|(name, end)| ((*name).into(), *end))
            .collect(),
        answer: Some(4),
    };
    // A longer batch mate, so that the row is padded.
    let mate = TokenRow::new(vec![9; 7]);
    let tokens = [0., 1., 2., 3., 4., 99., 99.].into_iter().chain([9.; 7]);
    let data = TensorData::new(tokens.collect::<Vec<f32>>(), [2, 7, 1]);
    let embedded = Embedded::new(Tensor::from_data(data, &device), &[row, mate]);
    let embedded = prompt.embed(embedded);
    assert_eq!(embedded.rows[0].len, 7);
    assert_eq!(values(embedded.embeddings)[..7], *expected);
}

fn split(parts: &[(Place, usize)]) -> Placement {
    let placed = |(place, length): &(Place, usize)| PlacedVectors {
        place: place.clone(),
        length: *length,
    };
    Placement::Split(parts.iter().map(placed).collect())
}

#[test]
fn vectors_stand_where_the_placement_says() {
    use Place::*;
    let check = |place, parts: &[(&str, usize)], expected: [f32; 7]| {
        check_placement(Placement::Whole(place), parts, &expected);
    };
    check(Before, &[], [-1., -2., 0., 1., 2., 3., 4.]);
    check(After, &[], [0., 1., 2., 3., -1., -2., 4.]);
    check(Middle, &[], [0., 1., -1., -2., 2., 3., 4.]);
    check(Middle, &[("one", 4)], [0., 1., -1., -2., 2., 3., 4.]);
    check(
        Middle,
        &[("one", 3), ("two", 4)],
        [0., 1., 2., -1., -2., 3., 4.],
    );
    check(AfterTokens(1), &[], [0., -1., -2., 1., 2., 3., 4.]);
    check(AfterTokens(50), &[], [0., 1., 2., 3., -1., -2., 4.]);
    check(
        AfterPart("one".into()),
        &[("one", 1), ("two", 4)],
        [0., -1., -2., 1., 2., 3., 4.],
    );
    check(
        AfterPart("none".into()),
        &[("one", 1)],
        [0., 1., 2., 3., -1., -2., 4.],
    );
}

#[test]
fn a_split_prompt_stands_at_several_places() {
    let placement = split(&[(Place::After, 1), (Place::Before, 1)]);
    check_placement(placement, &[], &[-2., 0., 1., 2., 3., -1., 4.]);
}

#[test]
fn a_prompt_without_an_answer_ends_the_row() {
    let device = Device::default();
    let placement = Placement::Whole(Place::After);
    let prompt = SoftPrompt::new(config(placement, 1), [[-1.0f32]], &device);
    let rows = [TokenRow::new(vec![0, 1])];
    let embedded = Embedded::new(Tensor::zeros([1, 2, 1], &device), &rows);
    let row = &prompt.embed(embedded).rows[0];
    assert_eq!(
        (row.len, row.token_positions.as_slice()),
        (3, [0, 1].as_slice())
    );
}

#[track_caller]
fn init_with_seed(config: &SoftPromptConfig, seed: u64) -> Result<Vec<f32>, TunerError> {
    let (spec, device) = (llama(), Device::default());
    let prompt = config.init(&context(&spec, &device, seed))?;
    assert_eq!(prompt.vectors.dims(), [config.prompt_length(), 8]);
    Ok(values(prompt.vectors.val()))
}

#[track_caller]
fn init(config: &SoftPromptConfig) -> Vec<f32> {
    init_with_seed(config, 1).expect("a prompt")
}

/// The tokens whose embeddings the vectors are.
#[track_caller]
fn tokens(config: &SoftPromptConfig) -> Vec<u32> {
    let embeddings = values(word_embeddings(&Device::default()));
    let vectors = init(config);
    vectors
        .chunks(8)
        .map(|vector| {
            let id = vector[0] as usize;
            assert_eq!(vector, &embeddings[id * 8..][..8], "an embedding as it is");
            id as u32
        })
        .collect()
}

fn with_init(init: Init, prompt_length: usize) -> SoftPromptConfig {
    SoftPromptConfig {
        init: Some(init),
        ..config(Placement::default(), prompt_length)
    }
}

#[test]
fn random_vectors_are_as_long_as_word_embeddings() {
    let norms = |values: &[f32]| -> Vec<f32> {
        let vectors = values.chunks(8);
        vectors
            .map(|v| v.iter().map(|x| x * x).sum::<f32>().sqrt())
            .collect()
    };
    let embeddings = norms(&values(word_embeddings(&Device::default())));
    let mean = embeddings.iter().sum::<f32>() / 40.0;
    let vectors = init(&with_init(Init::Random, 6));
    assert_close(&norms(&vectors), &[mean; 6], 1e-4);
    let different: HashSet<_> = vectors.iter().map(|x| x.to_bits()).collect();
    assert_eq!(different.len(), 48);
}

#[test]
fn normal_vectors_have_the_given_deviation() {
    let config = SoftPromptConfig {
        std: Some(0.5),
        ..with_init(Init::RandomNormal, 60)
    };
    let vectors = init(&config);
    let n = vectors.len() as f32;
    let mean = vectors.iter().sum::<f32>() / n;
    let std = (vectors.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / n).sqrt();
    assert!(mean.abs() < 0.1 && (std - 0.5).abs() < 0.05, "{mean} {std}");
}

#[test]
fn seeds_decide_what_is_drawn() {
    for kind in [Init::Random, Init::RandomNormal, Init::Vocab, Init::Labels] {
        let config = with_init(kind, 5);
        let first = init(&config);
        assert_eq!(first, init(&config));
        let other = init_with_seed(&config, 2).expect("a prompt");
        assert_ne!(first, other, "{kind:?}");
    }
}

#[test]
fn vocab_draws_different_frequent_words() {
    let config = SoftPromptConfig {
        vocab_top_k: Some(6),
        ..with_init(Init::Vocab, 6)
    };
    let mut words = tokens(&config);
    words.sort_unstable();
    assert_eq!(words, [34, 35, 36, 37, 38, 39]);
}

#[test]
fn vocab_goes_on_with_words_that_never_occurred() {
    let words = tokens(&with_init(Init::Vocab, 30));
    let (frequent, others) = words.split_at(25);
    assert!(frequent.iter().all(|id| *id >= 15), "{words:?}");
    let others: HashSet<_> = others.iter().copied().collect();
    assert_eq!(others, HashSet::from([10, 11, 12, 13, 14]));
    let error = init_with_seed(&with_init(Init::Vocab, 31), 1).expect_err("31 of 30 words");
    assert!(
        error.to_string().contains("the vocabulary has 30"),
        "{error}"
    );
}

#[test]
fn text_is_repeated_or_cut() {
    let config = |length| SoftPromptConfig {
        text: Some("20 30 5".into()),
        ..with_init(Init::Text, length)
    };
    assert_eq!(tokens(&config(5)), [20, 30, 5, 20, 30]);
    assert_eq!(tokens(&config(2)), [20, 30]);
    let unknown = SoftPromptConfig {
        text: Some("20 400".into()),
        ..with_init(Init::Text, 2)
    };
    let error = init_with_seed(&unknown, 1).expect_err("no such token");
    assert!(error.to_string().contains("needs token 400"), "{error}");
}

#[test]
fn labels_come_first_and_several_tokens_are_averaged() {
    let vectors = init(&with_init(Init::Labels, 4));
    let embeddings = values(word_embeddings(&Device::default()));
    assert_eq!(vectors[..8], embeddings[20 * 8..][..8]);
    let mean: Vec<f32> = (0..8)
        .map(|column| (embeddings[21 * 8 + column] + embeddings[23 * 8 + column]) / 2.0)
        .collect();
    assert_close(&vectors[8..16], &mean, 1e-6);
    assert!(vectors[16] >= 15.0, "a frequent word");
    assert_eq!(
        init(&with_init(Init::Labels, 1)),
        &embeddings[20 * 8..][..8]
    );
}

#[test]
fn a_saved_prompt_can_be_the_start_of_another_placement() {
    let (spec, device) = (llama(), Device::default());
    let folder = tempfile::tempdir().expect("a folder");
    let saved = with_init(Init::Random, 3);
    let prompt = saved.init(&context(&spec, &device, 7)).expect("a prompt");
    let base = BaseInfo {
        name_or_path: "base".into(),
        spec,
        task_type: TaskType::CausalLm,
    };
    save_adapter(folder.path(), &AnyTuner::from(prompt), None, &base).expect("saved");
    let mut from = with_init(Init::From, 3);
    from.from_prompt = Some(folder.path().to_owned());
    from.placement = Placement::Whole(Place::After);
    assert_eq!(init(&from), init_with_seed(&saved, 7).expect("a prompt"));
    from.prompt_length = Some(4);
    let error = init_with_seed(&from, 1).expect_err("another length");
    assert!(
        error.to_string().contains("set `prompt_length = 3`"),
        "{error}"
    );
}

#[track_caller]
fn check_problems(config: SoftPromptConfig, expected: &[(&str, &str)]) {
    let mut problems = crate::error::Problems::default();
    config.problems(&llama(), &mut problems);
    let found = problems.listed();
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, (key, message)) in found.iter().zip(expected) {
        assert_eq!(found.key, *key);
        assert!(found.message.contains(message), "{found:?}");
    }
}

#[test]
fn options_without_effect_are_problems() {
    let options = SoftPromptConfig {
        std: Some(0.1),
        vocab_top_k: Some(5),
        text: Some("20".into()),
        from_prompt: Some("p".into()),
        ..with_init(Init::Random, 3)
    };
    check_problems(
        options,
        &[
            ("std", "only init `random-normal` reads it"),
            ("vocab_top_k", "has no effect"),
            ("text", "has no effect"),
            ("from_prompt", "has no effect"),
        ],
    );
    check_problems(with_init(Init::Text, 3), &[("text", "is missing")]);
    check_problems(with_init(Init::From, 3), &[("from_prompt", "is missing")]);
}

#[test]
fn lengths_that_do_not_fit_are_problems() {
    check_problems(
        with_init(Init::Random, 0),
        &[("prompt_length", "at least 1")],
    );
    check_problems(
        with_init(Init::Random, 64),
        &[("prompt_length", "takes 64 positions")],
    );
    let parts = split(&[(Place::Before, 2), (Place::After, 0)]);
    check_problems(
        config(parts, 3),
        &[("prompt_length", "add up to 2"), ("placement", "length 0")],
    );
}
