use burn::{
    nn::LinearConfig,
    tensor::{Device, Distribution, Tensor},
};
use pilotlight_core::{ModelSpec, Projection};
use serde_json::json;

use super::*;
use crate::{
    error::Problems,
    method::Method,
    peft::PeftFields,
    targets::Targets,
    test_support::{assert_close, bert, context, llama, values},
};

fn names(names: &[&str]) -> Option<Targets> {
    Some(Targets::Names(
        names.iter().map(|name| (*name).into()).collect(),
    ))
}

/// The sites of layer 1.
fn in_layer_1(config: &Ia3Config, spec: &ModelSpec) -> Vec<(Projection, Side)> {
    let sites = config.sites(spec).into_iter();
    sites
        .filter(|(site, _)| site.layer == 1)
        .map(|(site, side)| (site.projection, side))
        .collect()
}

#[test]
fn by_default_the_paper_is_followed() {
    let expected = [
        (Projection::Key, Side::Output),
        (Projection::Value, Side::Output),
        (Projection::Down, Side::Input),
    ];
    let default = Ia3Config::default();
    assert_eq!(in_layer_1(&default, &llama()), expected);
    assert_eq!(in_layer_1(&default, &bert()), expected);
    let device = Device::default();
    let tuner = default.init(&context(&llama(), &device, 1)).expect("ia3");
    assert_eq!(tuner.num_params(), 2 * (4 + 4 + 12));
    assert!(
        tuner
            .factors
            .iter()
            .all(|one| values(one.values.val()) == vec![1.0; one.values.dims()[0]])
    );
}

#[test]
fn the_rules_of_peft_for_bert_scale_the_input_of_both_output_layers() {
    let fields = json!({
        "target_modules": ["key", "value", "output.dense"], "feedforward_modules": ["output.dense"],
    });
    let mut fields = PeftFields::new(fields.as_object().expect("an object").clone());
    let config = Ia3Config::from_peft(&mut fields).expect("all fields");
    let expected = [
        (Projection::Key, Side::Output),
        (Projection::Value, Side::Output),
        (Projection::Output, Side::Input),
        (Projection::Down, Side::Input),
    ];
    assert_eq!(in_layer_1(&config, &bert()), expected);
}

#[test]
fn the_names_for_peft_choose_the_same_projections() {
    let configs = [
        Ia3Config::default(),
        Ia3Config {
            targets: Some(Targets::AllLinear),
            feed_forward: Some(Targets::Pattern(r".*1\.(attention\.)?output\.dense".into())),
            exclude: names(&["0.attention.self.query"]),
        },
        Ia3Config {
            targets: names(&["key"]),
            feed_forward: Some(Targets::Names(Vec::new())),
            ..Ia3Config::default()
        },
    ];
    for config in configs {
        let mut fields = config.to_peft(&bert()).expect("PEFT has ia3");
        let back = Ia3Config::from_peft(&mut fields).expect("all fields");
        assert_eq!(back.sites(&bert()), config.sites(&bert()));
        // Which PEFT asks for.
        let list = |rule: &Option<Targets>| match rule {
            Some(Targets::Names(names)) => names.clone(),
            other => panic!("a list: {other:?}"),
        };
        let targets = list(&back.targets);
        let feed_forward = list(&back.feed_forward);
        assert!(feed_forward.iter().all(|name| targets.contains(name)));
    }
}

#[test]
fn outputs_are_scaled_with_their_bias_and_inputs_without() {
    let device = Device::default();
    let base = LinearConfig::new(3, 2).init(&device);
    let input = Tensor::<3>::random([1, 4, 3], Distribution::Default, &device);
    let site = |projection| Site {
        layer: 0,
        projection,
    };
    let factors = |projection, side, values: Vec<f32>| {
        let n = values.len();
        Factors::new(
            site(projection),
            side,
            TensorData::new(values, [n]),
            &device,
        )
    };
    let tuner = Ia3::new(
        Ia3Config::default(),
        vec![
            factors(Projection::Key, Side::Output, vec![2.0, -0.5]),
            factors(Projection::Down, Side::Input, vec![0.0, 3.0, 1.0]),
        ],
    );
    let hooked = |projection| {
        let input = tuner.project_input(site(projection), input.clone());
        let output = base.forward(input.clone());
        values(tuner.project_output(site(projection), &base, &input, output))
    };
    let plain = values(base.forward(input.clone()));
    let expected: Vec<f32> = plain
        .iter()
        .zip([2.0, -0.5].iter().cycle())
        .map(|(y, l)| y * l)
        .collect();
    assert_close(&hooked(Projection::Key), &expected, 1e-6);
    assert_eq!(hooked(Projection::Query), plain);
    let scaled: Vec<f32> = values(input.clone())
        .iter()
        .zip([0.0, 3.0, 1.0].iter().cycle())
        .map(|(x, l)| x * l)
        .collect();
    let scaled = Tensor::<3>::from_data(TensorData::new(scaled, [1, 4, 3]), &device);
    assert_close(
        &hooked(Projection::Down),
        &values(base.forward(scaled)),
        1e-6,
    );

    let hooks: &dyn Tuner = &tuner;
    for projection in [Projection::Key, Projection::Down] {
        let merged = hooks.merged(site(projection), &base).expect("factors");
        assert_close(
            &values(merged.forward(input.clone())),
            &hooked(projection),
            1e-6,
        );
    }
    assert!(hooks.merged(site(Projection::Query), &base).is_none());
}

#[test]
fn rules_that_choose_nothing_are_problems() {
    let check = |config: Ia3Config, expected: (&str, &str)| {
        let mut problems = Problems::default();
        config.problems(&llama(), &mut problems);
        let [problem] = problems.listed() else {
            panic!("one problem: {problems:?}");
        };
        assert_eq!(problem.key, expected.0);
        assert!(problem.message.contains(expected.1), "{problem:?}");
    };
    let default = Ia3Config::default;
    let targets = names(&["k_prj"]);
    check(
        Ia3Config {
            targets,
            ..default()
        },
        ("targets", "did you mean `k_proj`?"),
    );
    let exclude = Some(Targets::AllLinear);
    check(
        Ia3Config {
            exclude,
            ..default()
        },
        ("targets", "no projection"),
    );
    let feed_forward = names(&["up_proj"]);
    check(
        Ia3Config {
            feed_forward,
            ..default()
        },
        ("feed_forward", "none of the targets"),
    );
}
