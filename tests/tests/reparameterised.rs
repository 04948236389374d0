//! Prompts and prefixes that a network makes while they are trained compute and learn what PEFT's do.

use std::{ops::Range, path::Path};

use burn::{
    module::Param,
    nn::Linear,
    tensor::{Device, Tensor, TensorData},
};
use pilotlight_tests::{
    f32_values,
    parity::{Trained, adapter, check_end, check_logits, follow_peft, load},
};
use pilotlight_transformer::Model;
use pilotlight_tuners::{AnyTuner, InitContext, NoVocabulary, TunerConfig};
use safetensors::SafeTensors;

/// The methods, each with the keys that the golden script gave it.
const METHODS: [(&str, &str); 3] = [
    (
        "p-tuning-mlp",
        r#"{ "method": "soft-prompt", "prompt_length": 5, "encoder": "mlp", "encoder_dim": 12 }"#,
    ),
    (
        "p-tuning-lstm",
        r#"{ "method": "soft-prompt", "prompt_length": 5, "encoder": "lstm", "encoder_dim": 8, "encoder_layers": 2 }"#,
    ),
    (
        "prefix-projection",
        r#"{ "method": "prefix", "prefix_length": 3, "projection_dim": 12 }"#,
    ),
];

fn each_case(check: impl Fn(&str, &str, &str)) {
    for family in ["llama", "qwen2", "gpt2", "bert"] {
        for (method, keys) in METHODS {
            check(family, method, keys);
        }
    }
}

/// PEFT's `encoder.safetensors`.
struct Encoder<'a> {
    file: SafeTensors<'a>,
    device: &'a Device,
}

impl Encoder<'_> {
    fn data(&self, name: &str) -> TensorData {
        let shape = self.file.tensor(name).expect("the tensor").shape().to_vec();
        TensorData::new(f32_values(&self.file, name), shape)
    }

    fn embedding(&self) -> Param<Tensor<2>> {
        Param::from_data(self.data("embedding.weight"), self.device)
    }

    fn linear(&self, weight: &str, bias: &str) -> Linear {
        let weight = Tensor::<2>::from_data(self.data(weight), self.device);
        Linear {
            weight: Param::from_data(weight.transpose().into_data(), self.device),
            bias: Some(Param::from_data(self.data(bias), self.device)),
        }
    }

    fn numbered(&self, module: &str, number: usize) -> Linear {
        let name = |kind| format!("{module}.{number}.{kind}");
        self.linear(&name("weight"), &name("bias"))
    }

    /// A part of a layer's outputs.
    fn columns(&self, layer: &Linear, columns: Range<usize>) -> Linear {
        let weight = layer.weight.val().slice_dim(1, columns.clone());
        let bias = layer.bias.as_ref().expect("a bias").val();
        let bias = bias.slice_dim(0, columns);
        Linear {
            weight: Param::from_data(weight.into_data(), self.device),
            bias: Some(Param::from_data(bias.into_data(), self.device)),
        }
    }

    fn gates(&self, kind: &str, layer: usize, direction: &str) -> Linear {
        let name = |of| format!("lstm_head.{of}_{kind}_l{layer}{direction}");
        self.linear(&name("weight"), &name("bias"))
    }

    /// The tuner with PEFT's weights in place of its own.
    fn fill(&self, tuner: AnyTuner) -> AnyTuner {
        match tuner {
            AnyTuner::SoftPrompt(mut prompt) => {
                prompt.vectors = self.embedding();
                let encoder = prompt.encoder.as_mut().expect("an encoder");
                for (number, layer) in encoder.recurrent.iter_mut().enumerate() {
                    layer.onward.input = self.gates("ih", number, "");
                    layer.onward.hidden = self.gates("hh", number, "");
                    layer.backward.input = self.gates("ih", number, "_reverse");
                    layer.backward.hidden = self.gates("hh", number, "_reverse");
                }
                for (number, layer) in encoder.layers.iter_mut().enumerate() {
                    *layer = self.numbered("mlp_head", 2 * number);
                }
                prompt.into()
            }
            AnyTuner::Prefix(mut prefix) => {
                prefix.vectors = self.embedding();
                let network = prefix.network.as_mut().expect("a network");
                network.narrow = self.numbered("transform", 0);
                let all = self.numbered("transform", 2);
                for (number, layer) in network.wide.iter_mut().enumerate() {
                    let [_, width] = layer.weight.dims();
                    *layer = self.columns(&all, number * width..(number + 1) * width);
                }
                prefix.into()
            }
            _ => panic!("a method without a network"),
        }
    }
}

/// The tuner of these keys with the weights of PEFT's network.
fn with_network(
    model: &Model,
    plain: Trained,
    keys: &str,
    start: &Path,
    device: &Device,
) -> Trained {
    let config: TunerConfig = serde_json::from_str(keys).expect("keys");
    let tuner = config.init(&InitContext {
        base: model,
        vocabulary: &NoVocabulary,
        seed: 1,
        device,
    });
    let bytes = std::fs::read(start.join("encoder.safetensors")).expect("the golden encoder");
    let encoder = Encoder {
        file: SafeTensors::deserialize(&bytes).expect("a file"),
        device,
    };
    Trained {
        tuner: encoder.fill(tuner.expect("a tuner")),
        head: plain.head,
    }
}

#[test]
fn logits_equal_those_of_peft_with_and_without_the_network() {
    each_case(|family, method, keys| {
        let device = Device::flex();
        let start = adapter(family, method, "start");
        let (model, plain) = load(&start, family, &device);
        check_logits(&model, &plain, family, method);
        let trained = with_network(&model, plain, keys, &start, &device);
        check_logits(&model, &trained, family, method);
    });
}

#[test]
fn twenty_steps_of_training_follow_peft() {
    each_case(|family, method, keys| {
        let device = Device::flex().autodiff();
        let start = adapter(family, method, "start");
        let (model, plain) = load(&start, family, &device);
        let trained = with_network(&model, plain, keys, &start, &device);
        let trained = follow_peft(&model, trained, family, method);
        check_end(&model, &trained, family, method);
    });
}
