//! What every method must satisfy on every family: one row per method.

#![expect(clippy::print_stdout, reason = "names the case in which a test failed")]

mod composing;
mod merging;
mod writing;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    optim::GradientsParams,
    store::ModuleRecord,
    tensor::{Device, Tensor, TensorData},
};
use pilotlight_core::{Identity, TokenRow};
use pilotlight_tests::{
    assert_close, golden_model,
    laws::{Law, laws},
    probe::{is_frozen, loss, n_trained, rows, shaken, token_states, values},
    vocabulary::Numbers,
};
use pilotlight_transformer::Model;
use pilotlight_tuners::{
    AnyTuner, BaseInfo, InitContext, TaskType, TunerConfig, load_adapter, save_adapter,
};

const FAMILIES: [&str; 4] = ["llama", "qwen2", "gpt2", "bert"];

fn each_case(check: impl Fn(&Law, &Model, AnyTuner)) {
    for family in FAMILIES {
        let device = Device::flex().autodiff();
        let model = golden_model(family, &device).model;
        for law in laws(model.is_decoder()) {
            println!("{family}: {}", law.keys);
            let config: TunerConfig = serde_json::from_str(law.keys).expect("keys");
            let tuner = config.init(&InitContext {
                base: &model,
                vocabulary: &Numbers,
                seed: 1,
                device: &device,
            });
            check(law, &model, tuner.expect("a tuner"));
        }
    }
}

#[test]
fn a_new_tuner_is_the_identity_where_its_paper_says_so() {
    each_case(|law, model, tuner| {
        let rows = rows(model);
        // Without gradients both run through the same kernels; with them, what learns nothing takes others.
        let (model, tuner) = (&model.valid(), tuner.valid());
        let found = token_states(model, &rows, &tuner).into_iter().map(values);
        let expected = token_states(model, &rows, &Identity)
            .into_iter()
            .map(values);
        let worst = found.zip(expected).flat_map(|(found, expected)| {
            let pairs = found.into_iter().zip(expected);
            pairs
                .map(|(found, expected)| (found - expected).abs())
                .collect::<Vec<_>>()
        });
        let worst = worst.fold(0f32, f32::max);
        if law.starts_as_identity {
            let bound = if law.rounds_at_start() { 1e-5 } else { 1e-6 };
            assert!(worst <= bound, "differs by {worst}");
        } else {
            assert!(worst > 1e-2, "has no effect");
        }
    });
}

#[test]
fn there_are_as_many_parameters_as_the_formula_says() {
    each_case(|law, model, tuner| {
        assert_eq!(n_trained(&tuner), (law.n_parameters)(model.spec()));
    });
}

#[test]
fn each_parameter_gets_a_gradient_and_the_base_none() {
    struct Check(GradientsParams, usize);
    impl ModuleVisitor for Check {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if is_frozen(param) {
                assert!(self.0.get::<D>(param.id).is_none(), "a constant");
                return;
            }
            let gradient = self.0.get::<D>(param.id).expect("a gradient");
            let rows = gradient.dims()[0];
            let largest: f32 = gradient.abs().max().into_scalar();
            assert!(largest > 0.0, "a gradient of zero for {rows} rows");
            self.1 += 1;
        }
    }
    each_case(|_, model, tuner| {
        let tuner = shaken(tuner);
        if tuner.num_params() == 0 {
            return;
        }
        let mut gradients = loss(model, &tuner).backward();
        let base = GradientsParams::from_module(&mut gradients, model);
        assert_eq!(base.len(), 0, "the base is frozen");
        let gradients = GradientsParams::from_module(&mut gradients, &tuner);
        let mut check = Check(gradients, 0);
        tuner.visit(&mut check);
        assert!(check.1 > 0);
    });
}

#[test]
fn gradients_equal_finite_differences() {
    /// Adds a multiple of a fixed direction to the parameters.
    struct Step(f32, usize);
    impl Step {
        fn direction<const D: usize>(&mut self, tensor: &Tensor<D>) -> Tensor<D> {
            let shape = tensor.shape();
            let n = shape.num_elements();
            let range = self.1..self.1 + n;
            let values: Vec<f32> = range
                .map(|index| (index * 31 % 19) as f32 / 9.0 - 1.0)
                .collect();
            self.1 += n;
            Tensor::from_data(TensorData::new(values, shape), &tensor.device())
        }
    }
    impl ModuleMapper for Step {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if is_frozen(&param) {
                return param;
            }
            param.map(|tensor| {
                let step = self.direction(&tensor).mul_scalar(self.0);
                (tensor + step).detach().require_grad()
            })
        }
    }
    struct Slope<'a>(&'a GradientsParams, Step, f64);
    impl ModuleVisitor for Slope<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if is_frozen(param) {
                return;
            }
            let gradient = self.0.get::<D>(param.id).expect("a gradient");
            let direction = self.1.direction(&gradient);
            self.2 += f64::from((gradient * direction).sum().into_scalar::<f32>());
        }
    }
    each_case(|law, model, tuner| {
        let tuner = shaken(tuner);
        if tuner.num_params() == 0 || !law.has_full_gradients() {
            return;
        }
        let gradients = GradientsParams::from_grads(loss(model, &tuner).backward(), &tuner);
        let mut slope = Slope(&gradients, Step(0.0, 0), 0.0);
        tuner.visit(&mut slope);
        let size = 1e-3;
        let [up, down] = [size, -size].map(|size| {
            let moved = tuner.clone().map(&mut Step(size, 0));
            f64::from(loss(model, &moved).into_scalar::<f32>())
        });
        let expected = (up - down) / (2.0 * f64::from(size));
        let difference = (slope.2 - expected).abs();
        assert!(
            difference <= 0.02 * expected.abs() + 0.05,
            "the slope is {}, finite differences say {expected}",
            slope.2
        );
    });
}

#[test]
fn records_and_folders_keep_every_bit() {
    each_case(|_, model, tuner| {
        let fresh = tuner.clone();
        let tuner = shaken(tuner);
        let expected = loss(model, &tuner).into_data();

        if tuner.num_params() > 0 {
            let bytes = tuner.clone().into_record().into_bytes().expect("a record");
            let record = ModuleRecord::from_bytes(bytes).expect("the same record");
            let loaded = fresh.load_record(record);
            assert_eq!(loss(model, &loaded).into_data(), expected);
        }

        let base = BaseInfo {
            name_or_path: "tiny".into(),
            spec: model.spec().clone(),
            task_type: TaskType::CausalLm,
        };
        let folder = tempfile::tempdir().expect("a folder");
        save_adapter(folder.path(), &tuner, None, &base).expect("it is saved");
        let device = Device::flex().autodiff();
        let loaded = load_adapter(folder.path(), model.spec(), &device).expect("it loads");
        assert_eq!(loaded.config.method(), tuner.config().method());
        assert_eq!(loaded.config, loaded.tuner.config());
        assert_eq!(loss(model, &loaded.tuner).into_data(), expected);
    });
}

#[test]
fn padding_and_batch_mates_change_nothing() {
    each_case(|_, model, tuner| {
        let tuner = shaken(tuner).valid();
        let rows = rows(model);
        let alone: Vec<Vec<f32>> = rows
            .iter()
            .map(|row| values(token_states(model, std::slice::from_ref(row), &tuner).remove(0)))
            .collect();
        let mut long = rows[0].clone();
        long.ids = long.ids.iter().copied().cycle().take(30).collect();
        let mut batch: Vec<TokenRow> = rows.iter().rev().cloned().collect();
        batch.insert(1, long);
        let mut together = token_states(model, &batch, &tuner);
        together.remove(1);
        for (together, alone) in together.into_iter().rev().zip(&alone) {
            assert_close(&values(together), alone, 1e-5);
        }
    });
}
