use burn::{
    module::Param,
    nn::Linear,
    tensor::{Device, Distribution, Tensor},
};
use pilotlight_core::Base;
use serde_json::json;

use super::{
    dora::{Weights, numbers},
    *,
};
use crate::{
    method::{InitContext, NoVocabulary, Tensors},
    peft::PeftFields,
};

const TAKEN: [LoraInit; 2] = [LoraInit::Pissa, LoraInit::Olora];

fn started(init: LoraInit) -> LoraConfig {
    LoraConfig {
        rank: 2,
        alpha: 3.0,
        targets: names(&["v_proj", "up_proj", "embed_tokens", "lm_head"]),
        init,
        ..LoraConfig::default()
    }
}

fn made(config: &LoraConfig, device: &Device) -> Lora {
    let base = Weights::of(llama(), device);
    config.init(&base.context(1)).expect("a tuner")
}

/// The tuner with factors that differ from their first values.
fn trained(lora: Lora) -> Lora {
    let mut lora = lora;
    for (index, update) in lora.updates.iter_mut().enumerate() {
        let shaken = |factor: Tensor<2>| {
            let noise = numbers(index, factor.dims());
            factor.clone() + Tensor::from_data(noise, &factor.device()).mul_scalar(0.3)
        };
        update.a = update.a.clone().map(shaken);
        update.b = update.b.clone().map(shaken);
    }
    lora
}

fn update(lora: &Lora, projection: Projection) -> &LowRank {
    lora.update(site(0, projection)).expect("an update")
}

#[test]
fn what_is_taken_off_the_weight_is_put_back() {
    let device = Device::default();
    let base = Weights::of(llama(), &device);
    let input = Tensor::<3>::random([2, 5, 8], Distribution::Normal(0.0, 1.0), &device);
    for init in TAKEN {
        for dora in [false, true] {
            let config = LoraConfig {
                dora,
                ..started(init)
            };
            let lora = made(&config, &device);
            for projection in [Projection::Value, Projection::Up] {
                let site = site(0, projection);
                let linear = base.projection(site).expect("a projection");
                let output = linear.forward(input.clone());
                let hooked = lora.project_output(site, &linear, &input, output.clone());
                assert_eq!(values(hooked), values(output));
                assert!(values(update(&lora, projection).b.val())[0] != 0.0);
            }
        }
    }
}

#[test]
fn principal_parts_leave_nothing_in_their_directions() {
    let device = Device::default();
    let base = Weights::of(llama(), &device);
    let lora = made(&started(LoraInit::Pissa), &device);
    // A tall and a wide weight.
    for projection in [Projection::Value, Projection::Up] {
        let update = update(&lora, projection);
        let (a, b) = (update.a.val(), update.b.val());
        let weight = base
            .projection(site(0, projection))
            .expect("one")
            .weight
            .val();
        let part = a.clone().matmul(b.clone()).mul_scalar(update.scale);
        let rest = weight.clone() - part.clone();
        let left = a.clone().transpose().matmul(rest.clone());
        let right = rest.clone().matmul(b.clone().transpose());
        assert_close(&values(left), &vec![0.0; 2 * weight.dims()[1]], 1e-5);
        assert_close(&values(right), &vec![0.0; 2 * weight.dims()[0]], 1e-5);
        // Either factor holds the roots of the same singular values.
        let of_a = values(a.clone().transpose().matmul(a));
        let of_b = values(b.clone().matmul(b.transpose()));
        assert_close(&of_a, &of_b, 1e-5);
        assert!(of_a[0] > of_a[3] && of_a[1].abs() < 1e-5, "{of_a:?}");
        // The largest of what is left is below the smallest of what was taken.
        let smallest = of_a[3] * update.scale as f32;
        let normal = Distribution::Normal(0.0, 1.0);
        let mut probe = Tensor::<2>::random([1, weight.dims()[0]], normal, &device);
        for _ in 0..50 {
            let next = probe.matmul(rest.clone()).matmul(rest.clone().transpose());
            let length = next.clone().square().sum().sqrt().into_scalar::<f32>();
            probe = next.div_scalar(length);
        }
        let found = probe
            .matmul(rest)
            .square()
            .sum()
            .sqrt()
            .into_scalar::<f32>();
        assert!(found < smallest * 1.0001, "{found} is above {smallest}");
    }
}

#[test]
fn orthonormal_columns_span_the_first_inputs() {
    let device = Device::default();
    let base = Weights::of(llama(), &device);
    let lora = made(&started(LoraInit::Olora), &device);
    for projection in [Projection::Value, Projection::Up] {
        let update = update(&lora, projection);
        let (a, b) = (update.a.val(), update.b.val());
        let gram = values(b.clone().matmul(b.clone().transpose()));
        assert_close(&gram, &[1.0, 0.0, 0.0, 1.0], 1e-5);
        // The first two inputs are made by the two columns alone.
        let weight = base
            .projection(site(0, projection))
            .expect("one")
            .weight
            .val();
        let first = |matrix: Tensor<2>| values(matrix.narrow(0, 0, 2));
        assert_close(&first(a.matmul(b)), &first(weight), 1e-5);
    }
}

#[test]
fn other_factors_are_drawn_as_in_peft() {
    let device = Device::default();
    let lora = made(&started(LoraInit::Orthogonal), &device);
    let update = update(&lora, Projection::Up);
    let product = values(update.a.val().matmul(update.b.val()));
    assert_close(&product, &[0.0; 96], 1e-7);
    for factor in [&update.a, &update.b] {
        let square = values(factor.val().square().mean_dim(1))
            .iter()
            .sum::<f32>();
        assert!(square > 1e-3, "{square}");
    }
    let config = LoraConfig {
        rank: 50,
        ..started(LoraInit::Gaussian)
    };
    let lora = made(&config, &device);
    let update = self::update(&lora, Projection::Up);
    let a = values(update.a.val());
    let deviation = (a.iter().map(|x| x * x).sum::<f32>() / a.len() as f32).sqrt();
    assert!((deviation - 0.02).abs() < 3e-3, "{deviation}");
    // Words start with B, whatever the key says.
    for init in [LoraInit::Kaiming, LoraInit::Orthogonal, LoraInit::Pissa] {
        let lora = made(&started(init), &device);
        let words = lora.update(Target::Words).expect("an update");
        assert!(values(words.a.val()).iter().all(|value| *value == 0.0));
        assert!(values(words.b.val()).iter().all(|value| *value != 0.0));
    }
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let device = Device::default();
    for init in [LoraInit::Orthogonal, LoraInit::Pissa, LoraInit::Olora] {
        let [one, other] = [(); 2].map(|()| made(&started(init), &device));
        for (one, other) in one.updates.iter().zip(&other.updates) {
            assert_eq!(one.a.val().into_data(), other.a.val().into_data());
            assert_eq!(one.b.val().into_data(), other.b.val().into_data());
        }
    }
}

#[test]
fn a_part_of_the_weight_is_saved_as_twice_the_rank() {
    let device = Device::default();
    let base = Weights::of(llama(), &device);
    let input = Tensor::<3>::random([2, 5, 8], Distribution::Normal(0.0, 1.0), &device);
    for (init, rslora) in TAKEN
        .into_iter()
        .flat_map(|init| [(init, false), (init, true)])
    {
        let config = LoraConfig {
            rslora,
            rank_pattern: [("up_proj".to_owned(), 3)].into_iter().collect(),
            alpha_pattern: [("v_proj".to_owned(), 5.0)].into_iter().collect(),
            ..started(init)
        };
        let lora = trained(made(&config, &device));
        let tensors = LoraConfig::tensors(&lora, &llama()).into_iter().collect();
        let saved = config.saved();
        assert_eq!(saved.init, LoraInit::Kaiming);
        let mut tensors = Tensors::new(tensors);
        let loaded = saved
            .restore(&mut tensors, &llama(), &device)
            .expect("it loads");
        assert_eq!(update(&loaded, Projection::Up).a.dims(), [8, 6]);
        for projection in [Projection::Value, Projection::Up] {
            let site = site(0, projection);
            let linear = base.projection(site).expect("a projection");
            let output = linear.forward(input.clone());
            let [ours, plain] = [&lora, &loaded]
                .map(|lora| lora.project_output(site, &linear, &input, output.clone()));
            assert_eq!(values(ours.clone()), values(plain));
            // The formula, with the difference of two products.
            let update = update(&lora, projection);
            let start = update.start.as_ref().expect("first factors");
            let product = update.a.val().matmul(update.b.val());
            let product = product - start.a.val().matmul(start.b.val());
            let weight = linear.weight.val() + product.mul_scalar(update.scale);
            let bias = linear.bias.as_ref().map(Param::val);
            let expected = burn::tensor::module::linear(input.clone(), weight, bias);
            assert_close(&values(ours), &values(expected), 1e-5);
        }
    }
}

#[test]
fn dropout_does_not_reach_what_is_taken_off() {
    let device = Device::default().autodiff();
    let site = site(0, Projection::Query);
    let eye = || Tensor::<2>::eye(8, &device).into_data();
    let config = LoraConfig {
        dropout: 0.5,
        ..started(LoraInit::Pissa)
    };
    let update = LowRank::new(site, eye(), eye(), 1.0, &device).taken_off();
    let lora = Lora::new(config, vec![update]);
    let base = Linear {
        weight: Param::from_tensor(Tensor::eye(8, &device)).set_require_grad(false),
        bias: None,
    };
    let input = Tensor::<3>::ones([1, 50, 8], &device);
    let hooked = values(lora.project_output(site, &base, &input, input.clone()));
    // 1 - 1 + d, where d is 0 or 1 / (1 - 0.5).
    assert!(
        hooked.iter().all(|value| [0.0, 2.0].contains(value)),
        "{hooked:?}"
    );
    assert!(hooked.contains(&0.0) && hooked.contains(&2.0));
}

#[test]
fn ranks_that_an_init_cannot_have_are_problems() {
    let check = |init: LoraInit, rank: usize, message: &str| {
        let config = LoraConfig {
            rank,
            ..started(init)
        };
        let mut problems = Problems::default();
        config.problems(&llama(), &mut problems);
        let [problem] = problems.listed() else {
            panic!("one problem: {problems:?}");
        };
        assert_eq!(problem.key, "init");
        assert!(problem.message.contains(message), "{problem:?}");
    };
    check(LoraInit::Orthogonal, 3, "is 3");
    check(
        LoraInit::Pissa,
        5,
        "4 parts of `model.layers.0.self_attn.v_proj`",
    );
    check(LoraInit::Olora, 9, "rank is 9");
}

#[test]
fn weights_that_are_not_finite_are_told() {
    #[derive(Debug)]
    struct Infinite(ModelSpec);
    impl Base for Infinite {
        fn spec(&self) -> &ModelSpec {
            &self.0
        }
        fn word_embeddings(&self) -> Tensor<2> {
            Tensor::zeros([40, 8], &Device::default())
        }
        fn head(&self) -> Option<Tensor<2>> {
            Some(Tensor::full([8, 40], f32::INFINITY, &Device::default()))
        }
    }
    let config = LoraConfig {
        targets: names(&["lm_head"]),
        ..started(LoraInit::Pissa)
    };
    let context = InitContext {
        base: &Infinite(llama()),
        vocabulary: &NoVocabulary,
        seed: 1,
        device: &Device::default(),
    };
    let message = config.init(&context).expect_err("infinite").to_string();
    assert!(
        message.contains("finite weights, but `lm_head`"),
        "{message}"
    );
}

#[test]
fn an_adapter_for_a_changed_base_is_refused() {
    let read = |init: serde_json::Value| {
        let fields = json!({ "r": 4, "target_modules": ["q_proj"], "init_lora_weights": init });
        let serde_json::Value::Object(fields) = fields else {
            unreachable!("an object");
        };
        let mut fields = PeftFields::new(fields);
        let config = LoraConfig::from_peft(&mut fields).expect("keys");
        let (_, problems) = fields.into_parts();
        let problems: Vec<_> = problems
            .listed()
            .iter()
            .map(|it| it.message.clone())
            .collect();
        (config.init, problems.join("\n"))
    };
    for init in ["pissa", "pissa_niter_16", "olora"] {
        let (_, problems) = read(init.into());
        assert!(
            problems.contains("path_initial_model_for_weight_conversion"),
            "{problems}"
        );
    }
    assert!(read("loftq".into()).1.contains("not supported"));
    assert_eq!(read("gaussian".into()), (LoraInit::Gaussian, String::new()));
    assert_eq!(read(false.into()), (LoraInit::Kaiming, String::new()));
}
