use burn::tensor::{Device, Distribution, Int, Tensor};
use pilotlight_core::Base;

use super::{dora::Weights, *};

fn everywhere(dora: bool) -> LoraConfig {
    LoraConfig {
        rank: 3,
        targets: names(&["q_proj", "embed_tokens", "lm_head"]),
        dora,
        ..LoraConfig::default()
    }
}

/// The tuner with factors and magnitudes that differ from their first values.
fn shaken(lora: Lora) -> Lora {
    let device = Device::default();
    let mut lora = lora;
    let shake = |tensor: Tensor<2>| {
        let noise = Tensor::random(tensor.shape(), Distribution::Normal(0.0, 0.5), &device);
        tensor + noise
    };
    for update in &mut lora.updates {
        update.a = update.a.clone().map(shake);
        update.b = update.b.clone().map(shake);
        if let Some(magnitude) = &mut update.magnitude {
            magnitude.values = magnitude
                .values
                .clone()
                .map(|values| values.mul_scalar(1.3));
        }
    }
    lora
}

#[test]
fn names_choose_words_and_head() {
    let query = site(0, Projection::Query);
    let config = LoraConfig {
        layers: Some(vec![0]),
        ..everywhere(false)
    };
    // As in PEFT: a suffix is bound to the layers, a whole path is not.
    assert_eq!(config.chosen(&llama()), [query.into(), Target::Head]);
    let chosen = everywhere(false).chosen(&llama());
    assert_eq!(chosen.first(), Some(&Target::Words));
    assert_eq!(
        target::names_of(&chosen, &llama()),
        ["q_proj", "embed_tokens", "lm_head"]
    );
    let all = LoraConfig {
        targets: Some(Targets::AllLinear),
        ..LoraConfig::default()
    };
    assert_eq!(all.chosen(&llama()).len(), 14);
    let pattern = LoraConfig {
        targets: Some(Targets::Pattern(".*embed_tokens|lm_head".into())),
        ..LoraConfig::default()
    };
    assert_eq!(pattern.chosen(&llama()), [Target::Words, Target::Head]);
    let mut problems = Problems::default();
    let headless = ModelSpec {
        head_path: None,
        ..llama()
    };
    everywhere(false).problems(&headless, &mut problems);
    let [problem] = problems.listed() else {
        panic!("one problem: {problems:?}");
    };
    assert!(problem.message.contains("`lm_head`"), "{problem:?}");
}

#[test]
fn a_new_tuner_changes_neither_words_nor_scores() {
    let device = Device::default();
    let base = Weights::of(llama(), &device);
    let ids = Tensor::<2, Int>::from_data([[3, 0, 39], [7, 7, 1]], &device);
    let weight = base.word_embeddings();
    let embeddings = burn::tensor::module::embedding(weight.clone(), ids.clone());
    let head = base.head().expect("a head");
    let states = Tensor::<2>::random([5, 8], Distribution::Normal(0.0, 1.0), &device);
    let scores = states.clone().matmul(head.clone());
    for dora in [false, true] {
        let lora = everywhere(dora).init(&base.context(1)).expect("a tuner");
        let hooked = lora.words(&weight, &ids, embeddings.clone());
        assert_eq!(values(hooked), values(embeddings.clone()));
        let hooked = lora.project_head(&head, &[0; 5], &states, scores.clone());
        assert_eq!(values(hooked), values(scores.clone()));

        let lora = shaken(lora);
        let merged = lora.merged_words(&weight).expect("it merges");
        let expected = burn::tensor::module::embedding(merged, ids.clone());
        let hooked = lora.words(&weight, &ids, embeddings.clone());
        assert_close(&values(hooked), &values(expected), 1e-4);
        let merged = lora.merged_head(&head).expect("it merges");
        let hooked = lora.project_head(&head, &[0; 5], &states, scores.clone());
        assert_close(
            &values(hooked),
            &values(states.clone().matmul(merged)),
            1e-4,
        );
    }
}

#[test]
fn files_have_the_names_of_peft() {
    let device = Device::default();
    let base = Weights::of(llama(), &device);
    let lora = everywhere(true).init(&base.context(1)).expect("a tuner");
    let tensors = LoraConfig::tensors(&shaken(lora), &llama());
    let found: Vec<(&str, Vec<usize>)> = tensors
        .iter()
        .map(|(name, data)| (name.as_str(), data.shape().to_vec()))
        .filter(|(name, _)| !name.contains("q_proj"))
        .collect();
    let expected: [(&str, &[usize]); 6] = [
        (
            "base_model.model.model.embed_tokens.lora_embedding_A",
            &[3, 40],
        ),
        (
            "base_model.model.model.embed_tokens.lora_embedding_B",
            &[8, 3],
        ),
        (
            "base_model.model.model.embed_tokens.lora_magnitude_vector",
            &[8],
        ),
        ("base_model.model.lm_head.lora_A.weight", &[3, 8]),
        ("base_model.model.lm_head.lora_B.weight", &[40, 3]),
        ("base_model.model.lm_head.lora_magnitude_vector", &[40]),
    ];
    let expected = expected.map(|(name, shape)| (name, shape.to_vec()));
    assert_eq!(found, expected);
}
