mod bias;
mod dora;
mod inits;
mod words_and_head;

use burn::{
    module::{Lora as BurnLora, Module, ParamGroup},
    nn::LinearConfig,
    optim::{GradientsParams, SgdConfig},
    tensor::{Device, Distribution, Tensor},
};
use pilotlight_core::{ModelSpec, Projection, Site, Tuner};

use super::*;
use crate::{
    error::Problems,
    method::Method,
    targets::Targets,
    test_support::{assert_close, bert, context, llama, values},
};

fn site(layer: usize, projection: Projection) -> Site {
    Site { layer, projection }
}

fn names(names: &[&str]) -> Option<Targets> {
    Some(Targets::Names(
        names.iter().map(|name| (*name).into()).collect(),
    ))
}

#[track_caller]
fn check_sites(config: LoraConfig, spec: &ModelSpec, expected: &[(usize, Projection)]) {
    let expected: Vec<Target> = expected
        .iter()
        .map(|(layer, kind)| site(*layer, *kind).into())
        .collect();
    assert_eq!(config.chosen(spec), expected);
}

#[test]
fn targets_choose_projections() {
    use Projection::*;
    let all = |targets| LoraConfig {
        targets,
        ..LoraConfig::default()
    };
    let both = [(0, Query), (0, Value), (1, Query), (1, Value)];
    check_sites(all(None), &llama(), &both);
    check_sites(all(None), &bert(), &both);
    check_sites(all(names(&["q_proj", "self_attn.v_proj"])), &llama(), &both);
    check_sites(
        all(names(&["model.layers.1.mlp.up_proj"])),
        &llama(),
        &[(1, Up)],
    );
    // A suffix ends at a dot: this is no `up_proj`.
    check_sites(all(names(&["p_proj"])), &llama(), &[]);
    let pattern = Targets::Pattern(r".*\.0\..*\.(k|o)_proj".into());
    check_sites(all(Some(pattern)), &llama(), &[(0, Key), (0, Output)]);
    let part = Targets::Pattern("q_proj".into());
    check_sites(all(Some(part)), &llama(), &[]);
    assert_eq!(all(Some(Targets::AllLinear)).chosen(&llama()).len(), 14);
    let config = LoraConfig {
        exclude: names(&["mlp.gate_proj", "up_proj", "down_proj", "k_proj", "o_proj"]),
        layers: Some(vec![1]),
        ..all(Some(Targets::AllLinear))
    };
    check_sites(config, &llama(), &[(1, Query), (1, Value)]);
}

#[test]
fn names_for_peft_choose_the_same_projections() {
    let rules = [
        LoraConfig {
            targets: Some(Targets::AllLinear),
            ..LoraConfig::default()
        },
        LoraConfig {
            targets: names(&["query", "0.attention.output.dense", "1.output.dense"]),
            ..LoraConfig::default()
        },
        LoraConfig {
            targets: Some(Targets::Pattern(r".*\.\d+\.output\.dense".into())),
            ..LoraConfig::default()
        },
        LoraConfig::default(),
    ];
    for config in rules {
        let chosen = config.chosen(&bert());
        let names = target::names_of(&chosen, &bert());
        let back = LoraConfig {
            targets: Some(Targets::Names(names.clone())),
            ..LoraConfig::default()
        };
        assert_eq!(back.chosen(&bert()), chosen, "{names:?}");
    }
    let default = LoraConfig::default().chosen(&llama());
    assert_eq!(target::names_of(&default, &llama()), ["q_proj", "v_proj"]);
}

#[test]
fn a_rule_that_fits_nothing_is_a_problem() {
    let check = |config: LoraConfig, key: &str, message: &str| {
        let mut problems = Problems::default();
        config.problems(&llama(), &mut problems);
        let [problem] = problems.listed() else {
            panic!("one problem: {problems:?}");
        };
        assert_eq!(problem.key, key);
        assert!(problem.message.contains(message), "{problem:?}");
    };
    let with = |change: fn(&mut LoraConfig)| {
        let mut config = LoraConfig::default();
        change(&mut config);
        config
    };
    check(
        with(|c| c.targets = names(&["q_prj"])),
        "targets",
        "did you mean `q_proj`?",
    );
    check(
        with(|c| c.targets = Some(Targets::Pattern("q_proj".into()))),
        "targets",
        "model.layers.0.self_attn.q_proj",
    );
    check(
        with(|c| c.targets = Some(Targets::Pattern("(".into()))),
        "targets",
        "no regular",
    );
    check(
        with(|c| c.exclude = names(&["q_proj", "v_proj"])),
        "targets",
        "no projection",
    );
    check(with(|c| c.layers = Some(vec![0, 2])), "layers", "has 2");
    check(with(|c| c.rank = 0), "rank", "at least 1");
    check(with(|c| c.alpha = 0.0), "alpha", "not above 0");
    check(with(|c| c.dropout = 1.0), "dropout", "below 1");
    let pattern =
        |c: &mut LoraConfig| c.rank_pattern = [("k_proj".into(), 2)].into_iter().collect();
    check(with(pattern), "rank_pattern", "`k_proj` has no effect");
}

#[test]
fn factors_start_as_in_peft() {
    let (spec, device) = (llama(), Device::default());
    let config = LoraConfig {
        targets: names(&["down_proj", "q_proj"]),
        rank_pattern: [("down_proj".to_owned(), 200)].into_iter().collect(),
        alpha_pattern: [(r"1\.mlp\.down_proj".to_owned(), 50.0)]
            .into_iter()
            .collect(),
        ..LoraConfig::default()
    };
    let lora = config.init(&context(&spec, &device, 1)).expect("a tuner");
    let shape = |update: &LowRank| (update.a.dims(), update.b.dims(), update.scale);
    let shapes: Vec<_> = lora.updates.iter().map(shape).collect();
    assert_eq!(
        shapes,
        [
            ([8, 8], [8, 8], 2.0),
            ([12, 200], [200, 8], 0.08),
            ([8, 8], [8, 8], 2.0),
            ([12, 200], [200, 8], 0.25),
        ]
    );
    let bound = 1.0 / 12f32.sqrt();
    let a = values(lora.updates[1].a.val());
    let largest = a.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    assert!(largest <= bound && largest > 0.95 * bound, "{largest}");
    let mean_square = a.iter().map(|x| x * x).sum::<f32>() / a.len() as f32;
    assert!(
        (mean_square - bound * bound / 3.0).abs() < 0.05 * bound * bound,
        "{mean_square}"
    );
    assert!(values(lora.updates[1].b.val()).iter().all(|x| *x == 0.0));
}

#[test]
fn rslora_divides_by_the_root_of_the_rank() {
    let (spec, device) = (llama(), Device::default());
    let config = LoraConfig {
        rank: 4,
        alpha: 6.0,
        rslora: true,
        ..LoraConfig::default()
    };
    let lora = config.init(&context(&spec, &device, 1)).expect("a tuner");
    assert_eq!(lora.updates[0].scale, 3.0);
}

/// A trained update: both factors are random.
fn random_update(site: Site, device: &Device) -> LowRank {
    let random = |shape| Tensor::<2>::random(shape, Distribution::Normal(0.0, 1.0), device);
    let (a, b) = (random([8, 3]).into_data(), random([3, 8]).into_data());
    LowRank::new(site, a, b, 0.7, device)
}

#[test]
fn merged_equals_hooked() {
    let device = Device::default();
    let query = site(0, Projection::Query);
    let lora = Lora::new(LoraConfig::default(), vec![random_update(query, &device)]);
    let base = LinearConfig::new(8, 8).init(&device);
    let input = Tensor::random([2, 5, 8], Distribution::Normal(0.0, 1.0), &device);
    let output = base.forward(input.clone());
    let hooked = lora.project_output(query, &base, &input, output.clone());
    let merged = lora
        .merged_output(query, &base)
        .expect("a merged projection");
    assert_close(
        &values(merged.forward(input.clone())),
        &values(hooked),
        1e-5,
    );

    let key = site(0, Projection::Key);
    assert!(lora.merged_output(key, &base).is_none());
    let untouched = lora.project_output(key, &base, &input, output.clone());
    assert_eq!(values(untouched), values(output));
}

#[test]
fn agrees_with_the_dense_update_of_burn() {
    let device = Device::default().autodiff();
    let query = site(0, Projection::Query);
    let base = LinearConfig::new(8, 8).init(&device).no_grad();
    let lora = BurnLora::new(3, 6.0).set_param_group(ParamGroup::all());
    let dense = base.clone().apply_lora(lora);
    let input = Tensor::<3>::random([2, 5, 8], Distribution::Normal(0.0, 1.0), &device);
    // One step, so that B is not zero any more.
    let loss = dense.forward(input.clone()).powf_scalar(2.0).mean();
    let gradients = GradientsParams::from_grads(loss.backward(), &dense);
    let dense = SgdConfig::new().init().step(1.0, dense, gradients);
    let adapter = dense.weight.adapter().expect("factors");
    let [a, b] = [&adapter.a, &adapter.b].map(|factor| factor.val().into_data());
    let update = LowRank::new(query, a, b, 2.0, &device);
    let tuner = Lora::new(LoraConfig::default(), vec![update]);

    let output = base.forward(input.clone());
    let found = tuner.project_output(query, &base, &input, output);
    let expected = dense.forward(input.clone());
    assert_close(&values(found.clone()), &values(expected.clone()), 1e-5);

    let found = GradientsParams::from_grads(found.powf_scalar(2.0).mean().backward(), &tuner);
    let expected = GradientsParams::from_grads(expected.powf_scalar(2.0).mean().backward(), &dense);
    for (ours, theirs) in [
        (&tuner.updates[0].a, &adapter.a),
        (&tuner.updates[0].b, &adapter.b),
    ] {
        let ours = found.get::<2>(ours.id).expect("a gradient");
        let theirs = expected.get::<2>(theirs.id).expect("a gradient");
        assert_close(&values(ours), &values(theirs), 1e-5);
    }
}

#[test]
fn dropout_acts_in_training_alone() {
    let device = Device::default().autodiff();
    let query = site(0, Projection::Query);
    let config = LoraConfig {
        dropout: 0.5,
        ..LoraConfig::default()
    };
    let lora = Lora::new(config, vec![random_update(query, &device)]);
    let forward = |lora: &Lora, device: &Device| {
        let base = LinearConfig::new(8, 8).init(device);
        let input = Tensor::<3>::ones([1, 50, 8], device);
        let output = Tensor::zeros([1, 50, 8], device);
        values(lora.project_output(query, &base, &input, output))
    };
    let plain = Device::default();
    let kept = forward(&lora.valid(), &plain);
    assert!(
        kept.chunks(8).all(|row| row == &kept[..8]),
        "rows that are alike"
    );
    let dropped = forward(&lora, &device);
    assert!(dropped.chunks(8).any(|row| row != &dropped[..8]));
}

#[test]
fn b_and_vectors_learn_at_a_multiple_of_the_rate() {
    let device = Device::default();
    let base = dora::Weights::of(llama(), &device);
    let config = LoraConfig {
        targets: names(&["q_proj", "embed_tokens"]),
        dora: true,
        plus_ratio: Some(16.0),
        ..LoraConfig::default()
    };
    let lora = config.init(&base.context(1)).expect("a tuner");
    let factors = LoraConfig::rate_factors(&lora);
    let mut expected = Vec::new();
    for layer in [0, 1] {
        let update = lora.update(site(layer, Projection::Query)).expect("one");
        let magnitude = update.magnitude.as_ref().expect("magnitudes");
        expected.extend([(update.b.id, 16.0), (magnitude.values.id, 16.0)]);
    }
    assert_eq!(factors, expected);
    let plain = LoraConfig {
        plus_ratio: None,
        ..config
    };
    let lora = plain.init(&base.context(1)).expect("a tuner");
    assert!(LoraConfig::rate_factors(&lora).is_empty());
}
