//! Prompts with vectors of their own for every layer.

use super::*;

fn deep(placement: Placement, prompt_length: usize) -> SoftPromptConfig {
    SoftPromptConfig {
        deep: true,
        ..config(placement, prompt_length)
    }
}

#[test]
fn each_layer_reads_its_own_vectors_where_the_prompt_stands() {
    let device = Device::default();
    let placement = split(&[(Place::After, 1), (Place::Before, 1)]);
    let vectors = [[-1.0f32], [-2.0], [-3.0], [-4.0], [-5.0], [-6.0]];
    let prompt = SoftPrompt::new(deep(placement, 2), vectors, &device);
    let mut rows = [TokenRow::new(vec![0; 3]), TokenRow::new(vec![0])];
    rows[0].anchors.answer = Some(2);
    let embedded = prompt.embed(Embedded::new(Tensor::zeros([2, 3, 1], &device), &rows));
    assert_eq!(
        values(embedded.embeddings)[..8],
        [-2., 0., 0., -1., 0., -2., 0., -1.]
    );
    let states = || {
        let counted: Vec<f32> = (1..=10).map(|i| i as f32).collect();
        Tensor::<3>::from_data(TensorData::new(counted, [2, 5, 1]), &device)
    };
    let at = |layer| values(prompt.layer_input(layer, &embedded.rows, states()));
    assert_eq!(at(0), values(states()));
    assert_eq!(at(1), [-4., 2., 3., -3., 5., -4., 7., -3., 9., 10.]);
    assert_eq!(at(2), [-6., 2., 3., -5., 5., -6., 7., -5., 9., 10.]);
}

#[test]
fn a_prompt_that_is_not_deep_leaves_the_layers_alone() {
    let device = Device::default();
    let prompt = SoftPrompt::new(config(Placement::default(), 1), [[1.0f32]], &device);
    let embedded = Embedded::new(
        Tensor::zeros([1, 2, 1], &device),
        &[TokenRow::new(vec![0, 0])],
    );
    let embedded = prompt.embed(embedded);
    let states = Tensor::<3>::ones([1, 3, 1], &device);
    assert_eq!(
        values(prompt.layer_input(1, &embedded.rows, states)),
        [1.0; 3]
    );
}

#[test]
fn layers_start_by_the_same_rule() {
    let (spec, device) = (llama(), Device::default());
    let init = |init, text: Option<&str>| {
        let config = SoftPromptConfig {
            init: Some(init),
            text: text.map(str::to_owned),
            ..deep(Placement::default(), 3)
        };
        let prompt = config.init(&context(&spec, &device, 1)).expect("a prompt");
        assert_eq!(prompt.vectors.dims(), [spec.n_layers * 3, 8]);
        let vectors = values(prompt.vectors.val());
        let words: Vec<usize> = vectors.chunks(8).map(|vector| vector[0] as usize).collect();
        (vectors, words)
    };
    let (_, words) = init(Init::Text, Some("20 30"));
    assert_eq!(words, [20, 30, 20, 20, 30, 20]);
    let (_, words) = init(Init::Labels, None);
    assert_eq!([words[0], words[3]], [20, 20]);
    for kind in [Init::Vocab, Init::Random, Init::RandomNormal] {
        let (vectors, _) = init(kind, None);
        assert_ne!(vectors[..24], vectors[24..], "{kind:?}");
    }
}

#[test]
fn a_deep_prompt_is_saved_for_us_and_not_for_peft() {
    let (spec, device) = (llama(), Device::default());
    let keys = SoftPromptConfig {
        init: Some(Init::Random),
        ..deep(Placement::default(), 3)
    };
    assert!(keys.to_peft(&spec).is_none());
    let folder = tempfile::tempdir().expect("a folder");
    let prompt = keys.init(&context(&spec, &device, 1)).expect("a prompt");
    let expected = values(prompt.vectors.val());
    let base = BaseInfo {
        name_or_path: "base".into(),
        spec: spec.clone(),
        task_type: TaskType::CausalLm,
    };
    save_adapter(folder.path(), &AnyTuner::from(prompt), None, &base).expect("saved");
    let mut from = with_init(Init::From, 3);
    from.from_prompt = Some(folder.path().to_owned());
    let error = init_with_seed(&from, 1).expect_err("a deep prompt");
    assert!(error.to_string().contains("set `deep = true`"), "{error}");
    from.deep = true;
    let again = from.init(&context(&spec, &device, 2)).expect("a prompt");
    assert_eq!(values(again.vectors.val()), expected);
}
