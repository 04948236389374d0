//! First factors that are a part of the base's weights are PEFT's, and so is what is learned from them.

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use pilotlight_core::{ModelSpec, TokenRow};
use pilotlight_tests::{
    GoldenExample, assert_close, f32_values, golden_examples, golden_model,
    parity::{Trained, adapter, check_logits, follow_peft, load},
};
use pilotlight_transformer::{ClassificationHead, Model, Pretrained};
use pilotlight_tuners::{AnyTuner, InitContext, LowRank, NoVocabulary, TunerConfig};
use safetensors::SafeTensors;

fn each_case(check: impl Fn(&str, &str)) {
    for family in ["llama", "qwen2", "gpt2", "bert"] {
        for init in ["pissa", "olora"] {
            // PEFT cannot run OLoRA on GPT-2, whose weights are stored the other way round.
            if (family, init) != ("gpt2", "olora") {
                check(family, init);
            }
        }
    }
}

/// The file of the factors that PEFT started from.
fn peft_start(family: &str, init: &str) -> Vec<u8> {
    let path = adapter(family, init, "start/adapter_model.safetensors");
    std::fs::read(path).expect("the golden factors")
}

/// A tuner of our own init, with the head that PEFT started from.
fn start(family: &str, init: &str, device: &Device) -> (Model, Trained) {
    let Pretrained { model, head, .. } = golden_model(family, device);
    let keys = format!(r#"{{ "method": "lora", "rank": 4, "alpha": 6, "init": "{init}" }}"#);
    let config: TunerConfig = serde_json::from_str(&keys).expect("keys");
    let context = InitContext {
        base: &model,
        vocabulary: &NoVocabulary,
        seed: 1,
        device,
    };
    let tuner = config.init(&context).expect("a tuner");
    let bytes = peft_start(family, init);
    let file = SafeTensors::deserialize(&bytes).expect("a file");
    let head = head.map(|head: ClassificationHead| {
        let tensors = head.export().into_iter().map(|(name, data)| {
            let values = f32_values(&file, &format!("base_model.model.{name}"));
            (name, TensorData::new(values, data.shape().clone()))
        });
        let tensors = tensors.collect();
        head.set_require_grad(true).import(tensors).expect("a head")
    });
    (model, Trained { tuner, head })
}

fn updates(tuner: &AnyTuner) -> &[LowRank] {
    match tuner {
        AnyTuner::Lora(lora) => &lora.updates,
        other => panic!("a LoRA, not {other:?}"),
    }
}

/// PEFT's product `A B` `[d_input, d_output]` of one weight.
fn peft_product(file: &SafeTensors<'_>, update: &LowRank, spec: &ModelSpec) -> Tensor<2> {
    let path = update.target.path(spec).expect("a path");
    let [a, b] = ["A", "B"].map(|factor| {
        let name = format!("base_model.model.{path}.lora_{factor}.weight");
        let shape = file.tensor(&name).expect("a factor").shape().to_vec();
        let data = TensorData::new(f32_values(file, &name), shape);
        Tensor::<2>::from_data(data, &Device::flex()).transpose()
    });
    a.matmul(b)
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.try_into_vec_as().expect("f32")
}

#[test]
fn the_same_part_of_each_weight_is_taken() {
    each_case(|family, init| {
        let (model, trained) = start(family, init, &Device::flex());
        let bytes = peft_start(family, init);
        let file = SafeTensors::deserialize(&bytes).expect("a file");
        for update in updates(&trained.tuner) {
            let ours = update.a.val().matmul(update.b.val());
            let theirs = peft_product(&file, update, model.spec());
            assert_close(&values(ours), &values(theirs), 1e-5);
        }
    });
}

#[test]
fn the_model_is_unchanged_at_first() {
    each_case(|family, init| {
        let (model, trained) = start(family, init, &Device::flex());
        check_logits(&model, &trained, family, init);
    });
}

#[test]
fn twenty_steps_of_training_follow_peft() {
    each_case(|family, init| {
        let device = Device::flex().autodiff();
        let (model, trained) = start(family, init, &device);
        let trained = follow_peft(&model, trained, family, init).valid();
        // What PEFT made a plain LoRA of twice the rank of.
        let (plain, end) = load(&adapter(family, init, "end"), family, &Device::flex());
        let examples = golden_examples(family);
        let rows: Vec<TokenRow> = examples.iter().map(GoldenExample::row).collect();
        let states = |model: &Model, tuner: &AnyTuner| {
            let hidden = model.forward(&rows, tuner);
            let last = hidden.rows.iter().map(|row| row.len - 1).enumerate();
            values(hidden.select(&last.collect::<Vec<_>>()))
        };
        let ours = states(&model.valid(), &trained.tuner);
        assert_close(&ours, &states(&plain, &end.tuner), 2e-3);
    });
}
