//! A base in half precision: the numbers of every method stay near those in f32, and what is trained stays in f32.

#![expect(clippy::print_stdout, reason = "names the case in which a test failed")]

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{DType, Device, Tensor},
};
use pilotlight_tests::{
    golden_model_in,
    laws::laws,
    measured::{FAMILIES, compare, tuner},
};
use pilotlight_tuners::{BaseInfo, TaskType, save_adapter};
use safetensors::{Dtype, SafeTensors};

#[test]
fn f16_is_near_f32() {
    println!("{}", compare(&Device::flex(), DType::F16));
}

#[test]
fn bf16_is_near_f32() {
    println!("{}", compare(&Device::flex(), DType::BF16));
}

#[test]
fn what_is_trained_is_f32() {
    struct Types(Vec<DType>);
    impl ModuleVisitor for Types {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.val().dtype());
        }
    }
    let device = Device::flex().autodiff();
    for family in FAMILIES {
        for dtype in [DType::F16, DType::BF16] {
            let model = golden_model_in(family, &device, dtype).model;
            for law in laws(family != "bert") {
                println!("{family}, {dtype:?}: {}", law.keys);
                let tuner = tuner(&model, law.keys, &device);
                let mut types = Types(Vec::new());
                tuner.visit(&mut types);
                assert!(types.0.iter().all(|dtype| *dtype == DType::F32));

                let base = BaseInfo {
                    name_or_path: "tiny".into(),
                    spec: model.spec().clone(),
                    task_type: TaskType::CausalLm,
                };
                let folder = tempfile::tempdir().expect("a folder");
                save_adapter(folder.path(), &tuner, None, &base).expect("it is saved");
                let files = ["adapter_model.safetensors", "adapter.safetensors"];
                let files = files.map(|name| std::fs::read(folder.path().join(name)).ok());
                let mut n_tensors = 0;
                for bytes in files.into_iter().flatten() {
                    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
                    for (name, tensor) in file.iter() {
                        assert_eq!(tensor.dtype(), Dtype::F32, "{name}");
                        n_tensors += 1;
                    }
                }
                assert_eq!(n_tensors > 0, !types.0.is_empty());
            }
        }
    }
}
