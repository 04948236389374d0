use burn::{
    module::Param,
    tensor::{Device, Distribution, Tensor, module::linear},
};
use pilotlight_core::Base;
use serde_json::json;

use super::{dora::Weights, *};
use crate::{method::Tensors, peft::PeftFields};

fn with_biases(dora: bool) -> LoraConfig {
    LoraConfig {
        rank: 2,
        bias: LoraBias::LoraOnly,
        dora,
        plus_ratio: Some(2.0),
        ..LoraConfig::default()
    }
}

#[test]
fn biases_start_as_the_base_s_and_are_used_in_their_place() {
    let device = Device::default();
    let base = Weights::of(llama(), &device);
    let site = site(1, Projection::Value);
    let projection = base.projection(site).expect("a projection");
    let input = Tensor::<3>::random([2, 5, 8], Distribution::Normal(0.0, 1.0), &device);
    let output = projection.forward(input.clone());
    for dora in [false, true] {
        let mut lora = with_biases(dora).init(&base.context(1)).expect("a tuner");
        let hooked = lora.project_output(site, &projection, &input, output.clone());
        assert_eq!(values(hooked), values(output.clone()));

        for update in &mut lora.updates {
            update.b = update.b.clone().map(|b| b.add_scalar(0.1));
            let bias = update.bias.take().expect("a bias");
            update.bias = Some(bias.map(|bias| bias.mul_scalar(3.0)));
        }
        let hooked = lora.project_output(site, &projection, &input, output.clone());
        let mut plain = lora.clone();
        plain
            .updates
            .iter_mut()
            .for_each(|update| update.bias = None);
        let merged = plain.merged_output(site, &projection).expect("it merges");
        let bias = projection
            .bias
            .as_ref()
            .map(|bias| bias.val().mul_scalar(3.0));
        let expected = linear(input.clone(), merged.weight.val(), bias);
        assert_close(&values(hooked.clone()), &values(expected), 1e-5);
        let merged = lora.merged_output(site, &projection).expect("it merges");
        assert_close(
            &values(merged.forward(input.clone())),
            &values(hooked),
            1e-5,
        );
    }
}

#[test]
fn biases_are_in_the_file_where_peft_puts_them() {
    let device = Device::default();
    let base = Weights::of(llama(), &device);
    let lora = with_biases(false).init(&base.context(1)).expect("a tuner");
    let tensors = LoraConfig::tensors(&lora, &llama());
    let name = "base_model.model.model.layers.1.self_attn.v_proj.base_layer.bias";
    assert!(tensors.iter().any(|(found, _)| found == name));
    let mut tensors = Tensors::new(tensors.into_iter().collect());
    let loaded = with_biases(false).restore(&mut tensors, &llama(), &device);
    let loaded = loaded.expect("it loads");
    assert!(tensors.into_rest().0.is_empty());
    for (one, other) in lora.updates.iter().zip(&loaded.updates) {
        let [one, other] = [one, other].map(|update| update.bias.as_ref().map(Param::val));
        let [one, other] = [one, other].map(|bias| bias.expect("a bias").into_data());
        assert_eq!(one, other);
    }
    // B and the bias of each update.
    assert_eq!(LoraConfig::rate_factors(&lora).len(), 8);
}

#[test]
fn the_key_is_peft_s() {
    let read = |bias: &str| {
        let fields = json!({ "r": 4, "target_modules": ["q_proj"], "bias": bias });
        let serde_json::Value::Object(fields) = fields else {
            unreachable!("an object");
        };
        let mut fields = PeftFields::new(fields);
        let config = LoraConfig::from_peft(&mut fields).expect("keys");
        (config, fields.into_parts().1)
    };
    let (config, problems) = read("lora_only");
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(config.bias, LoraBias::LoraOnly);
    let fields = config.to_peft(&llama()).expect("fields");
    assert_eq!(fields.get("bias"), Some(&"lora_only".into()));
    assert_eq!(read("none").0.bias, LoraBias::None);
    assert!(!read("some").1.is_empty());
}

#[test]
fn a_key_without_effect_is_told() {
    #[derive(Debug)]
    struct NoBiases(Weights);
    impl Base for NoBiases {
        fn spec(&self) -> &ModelSpec {
            self.0.spec()
        }
        fn word_embeddings(&self) -> Tensor<2> {
            self.0.word_embeddings()
        }
        fn projection(&self, site: Site) -> Option<burn::nn::Linear> {
            let mut linear = self.0.projection(site)?;
            linear.bias = None;
            Some(linear)
        }
    }
    let device = Device::default();
    let base = NoBiases(Weights::of(llama(), &device));
    let context = crate::InitContext {
        base: &base,
        vocabulary: &crate::NoVocabulary,
        seed: 1,
        device: &device,
    };
    let error = with_biases(false).init(&context).expect_err("no biases");
    assert!(error.to_string().contains("has no effect"), "{error}");
    let error = with_biases(false).init(&super::context(&llama(), &device, 1));
    let message = error.expect_err("no weights").to_string();
    assert!(message.contains("does not give"), "{message}");
}
