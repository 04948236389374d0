//! P-tuning: prompts that a network makes.

use burn::module::ModuleMapper;

use super::*;
use crate::{method::Tensors, soft_prompt::encoder::EncoderConfig};

/// The cosines of 0, 3, 6 and so on, parameter by parameter.
struct Cosines(usize);

impl ModuleMapper for Cosines {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let shape = tensor.shape();
            let start = self.0;
            self.0 += shape.num_elements();
            let values: Vec<f32> = (start..self.0).map(|i| (3.0 * i as f32).cos()).collect();
            Tensor::from_data(TensorData::new(values, shape), &tensor.device())
        })
    }
}

fn ptuning(kind: EncoderKind) -> SoftPromptConfig {
    SoftPromptConfig {
        encoder: Some(kind),
        ..config(Placement::default(), 3)
    }
}

#[track_caller]
fn check_output(kind: EncoderKind, n_parameters: usize, expected: [[f32; 2]; 3]) {
    let device = Device::default();
    let encoder = EncoderConfig {
        kind,
        d_model: 2,
        d_hidden: 2,
        n_layers: 2,
        dropout: 0.5,
    };
    let (spec, d_model) = (llama(), 2);
    let mut random = context(&spec, &device, 1).random("soft-prompt");
    let vectors = TensorData::zeros::<f32, _>([3, d_model]);
    let prompt = SoftPrompt {
        encoder: Some(encoder.init(&mut random, &device)),
        ..SoftPrompt::new(config(Placement::default(), 3), vectors, &device)
    };
    let prompt = prompt.map(&mut Cosines(0));
    assert_eq!(prompt.num_params(), n_parameters);
    assert_close(&values(prompt.prompt()), expected.as_flattened(), 1e-5);
}

#[test]
fn outputs_equal_those_of_pytorch() {
    // PEFT 0.21's `PromptEncoder` on torch 2.11.
    check_output(
        EncoderKind::Mlp,
        24,
        [
            [-1.806_703_7, 1.828_82],
            [-1.808_519_8, 1.830_699_9],
            [-1.805_328_4, 1.827_396_4],
        ],
    );
    check_output(
        EncoderKind::Lstm,
        260,
        [
            [0.086_358_13, -0.440_968_33],
            [0.084_717_39, -0.440_714_03],
            [0.083_103_66, -0.440_118_67],
        ],
    );
}

#[test]
fn first_values_are_those_of_pytorch() {
    let (spec, device) = (llama(), Device::default());
    let keys = SoftPromptConfig {
        encoder_dim: Some(25),
        prompt_length: Some(60),
        ..ptuning(EncoderKind::Lstm)
    };
    let prompt = keys.init(&context(&spec, &device, 1)).expect("a prompt");
    let input = values(prompt.vectors.val());
    let variance = input.iter().map(|x| x * x).sum::<f32>() / input.len() as f32;
    assert!((variance - 1.0).abs() < 0.2, "{variance}");
    let encoder = prompt.encoder.expect("an encoder");
    let check = |layer: &burn::nn::Linear, bound: f32| {
        let bias = values(layer.bias.clone().expect("a bias").val());
        for values in [values(layer.weight.val()), bias] {
            let largest = values.iter().fold(0f32, |largest, x| largest.max(x.abs()));
            assert!(
                largest <= bound && largest > 0.9 * bound,
                "{largest} {bound}"
            );
        }
    };
    check(&encoder.recurrent[0].onward.input, 0.2);
    check(&encoder.recurrent[1].backward.hidden, 0.2);
    check(&encoder.layers[1], 50f32.sqrt().recip());
    assert_eq!(encoder.recurrent[1].onward.input.weight.dims(), [50, 100]);
}

#[test]
fn the_encoder_is_dropped_when_the_prompt_is_saved() {
    let (spec, device) = (llama(), Device::default());
    for kind in [EncoderKind::Mlp, EncoderKind::Lstm] {
        let keys = SoftPromptConfig {
            std: Some(0.5),
            ..ptuning(kind)
        };
        let prompt = keys.init(&context(&spec, &device, 1)).expect("a prompt");
        assert_eq!(prompt.config, keys);
        let tensors = SoftPromptConfig::tensors(&prompt, &spec);
        let mut tensors = Tensors::new(tensors.into_iter().collect());
        let saved = keys.saved();
        let plain = saved
            .restore(&mut tensors, &spec, &device)
            .expect("a prompt");
        assert!(plain.encoder.is_none());
        assert_eq!(plain.config, config(Placement::default(), 3));
        let output = values(prompt.prompt());
        assert_close(&values(plain.prompt()), &output, 0.0);
        assert_ne!(output, values(prompt.vectors.val()));
    }
}

#[test]
fn the_state_of_training_keeps_the_encoder() {
    let (spec, device) = (llama(), Device::default());
    let prompt = |seed| {
        let keys = ptuning(EncoderKind::Lstm);
        keys.init(&context(&spec, &device, seed)).expect("a prompt")
    };
    let (trained, fresh) = (prompt(1), prompt(2));
    let expected = values(trained.prompt());
    assert_ne!(values(fresh.prompt()), expected);
    let record = trained.into_record();
    assert_eq!(values(fresh.load_record(record).prompt()), expected);
}

#[test]
fn dropout_is_drawn_while_training_alone() {
    let (spec, device) = (llama(), Device::default().autodiff());
    let keys = SoftPromptConfig {
        encoder_dropout: Some(0.5),
        ..ptuning(EncoderKind::Lstm)
    };
    let prompt = keys.init(&context(&spec, &device, 1)).expect("a prompt");
    let twice = |prompt: &SoftPrompt| [values(prompt.prompt()), values(prompt.prompt())];
    let [first, second] = twice(&prompt);
    assert_ne!(first, second);
    let [first, second] = twice(&prompt.valid());
    assert_eq!(first, second);
}

#[test]
fn options_of_an_encoder_without_effect_are_problems() {
    check_problems(
        SoftPromptConfig {
            encoder_dim: Some(8),
            encoder_layers: Some(2),
            encoder_dropout: Some(0.1),
            ..config(Placement::default(), 3)
        },
        &[
            ("encoder_dim", "only an `encoder` reads it"),
            ("encoder_layers", "only `encoder = \"lstm\"` reads it"),
            ("encoder_dropout", "has no effect"),
        ],
    );
    check_problems(
        SoftPromptConfig {
            encoder_layers: Some(2),
            encoder_dropout: Some(0.1),
            ..ptuning(EncoderKind::Mlp)
        },
        &[
            ("encoder_layers", "has no effect"),
            ("encoder_dropout", "has no effect"),
        ],
    );
    check_problems(
        SoftPromptConfig {
            encoder_layers: Some(1),
            encoder_dropout: Some(0.1),
            ..ptuning(EncoderKind::Lstm)
        },
        &[("encoder_dropout", "several `encoder_layers`")],
    );
    check_problems(
        SoftPromptConfig {
            encoder_dim: Some(0),
            encoder_layers: Some(0),
            encoder_dropout: Some(1.0),
            ..ptuning(EncoderKind::Lstm)
        },
        &[
            ("encoder_dim", "at least 1"),
            ("encoder_layers", "at least 1"),
            ("encoder_dropout", "below 1"),
        ],
    );
    check_problems(
        SoftPromptConfig {
            deep: true,
            init: Some(Init::Text),
            text: Some("20".into()),
            ..ptuning(EncoderKind::Mlp)
        },
        &[("init", "`encoder`"), ("deep", "`encoder`")],
    );
}
