//! What PEFT computes and learns with an adapter, Pilotlight computes and learns too.
//!
//! `goldens/make_peft_goldens.py` makes the golden files; bottleneck adapters, which PEFT lacks, are written out there.

use burn::tensor::Device;
use pilotlight_tests::parity::{adapter, check_end, check_logits, follow_peft, load};
use pilotlight_tuners::{BaseInfo, TaskType, save_adapter};

const FAMILIES: [&str; 4] = ["llama", "qwen2", "gpt2", "bert"];
const METHODS: [&str; 15] = [
    "prompt",
    "prefix",
    "lora",
    "rslora-all-linear",
    "dora",
    "dora-all-linear",
    "gaussian",
    "orthogonal",
    "lora-bias",
    "lora-embeddings-head",
    "lora-layers",
    "ia3",
    "houlsby",
    "pfeiffer",
    "parallel",
];

fn each_case(check: impl Fn(&str, &str)) {
    for family in FAMILIES {
        for method in METHODS {
            // A Llama has no biases to train.
            if (family, method) != ("llama", "lora-bias") {
                check(family, method);
            }
        }
    }
}

#[test]
fn logits_equal_those_of_peft_in_a_padded_batch() {
    each_case(|family, method| {
        let start = adapter(family, method, "start");
        let (model, trained) = load(&start, family, &Device::flex());
        check_logits(&model, &trained, family, method);
    });
}

#[test]
fn an_adapter_that_was_saved_again_gives_the_same_logits() {
    each_case(|family, method| {
        let start = adapter(family, method, "start");
        let (model, trained) = load(&start, family, &Device::flex());
        let base = BaseInfo {
            name_or_path: "tiny".into(),
            spec: model.spec().clone(),
            task_type: match trained.head {
                Some(_) => TaskType::SeqCls,
                None => TaskType::CausalLm,
            },
        };
        let head = trained.head.map(|head| head.export());
        let folder = tempfile::tempdir().expect("a folder");
        save_adapter(folder.path(), &trained.tuner, head.as_deref(), &base).expect("it is saved");
        if folder.path().join("adapter_config.json").exists() {
            // What PEFT reads, without our own description.
            std::fs::remove_file(folder.path().join("pilotlight.json")).expect("it was there");
        }
        let (model, trained) = load(folder.path(), family, &Device::flex());
        check_logits(&model, &trained, family, method);
    });
}

#[test]
fn twenty_steps_of_training_follow_peft() {
    each_case(|family, method| {
        let device = Device::flex().autodiff();
        let (model, start) = load(&adapter(family, method, "start"), family, &device);
        let trained = follow_peft(&model, start, family, method);
        check_end(&model, &trained, family, method);
    });
}
