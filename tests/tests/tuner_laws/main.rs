//! What every method must satisfy on every family: one row per method.

#![expect(clippy::print_stdout, reason = "names the case in which a test failed")]

mod merging;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    optim::GradientsParams,
    store::ModuleRecord,
    tensor::{DType, Device, Tensor, TensorData},
};
use pilotlight_core::{Identity, ModelSpec, Site, TokenRow, Tuner};
use pilotlight_tests::{assert_close, golden_examples, golden_model};
use pilotlight_transformer::Model;
use pilotlight_tuners::{
    AnyTuner, BaseInfo, InitContext, NoVocabulary, TaskType, TunerConfig, load_adapter,
    save_adapter,
};

const FAMILIES: [&str; 4] = ["llama", "qwen2", "gpt2", "bert"];

/// A method, and what its paper promises of it.
struct Law {
    keys: &'static str,
    /// Whether a new tuner changes nothing.
    starts_as_identity: bool,
    /// Number of trained parameters.
    n_parameters: fn(&ModelSpec) -> usize,
}

const LAWS: &[Law] = &[
    Law {
        keys: r#"{ "method": "none" }"#,
        starts_as_identity: true,
        n_parameters: |_| 0,
    },
    Law {
        keys: r#"{ "method": "soft-prompt", "prompt_length": 4, "init": "random" }"#,
        starts_as_identity: false,
        n_parameters: |spec| 4 * spec.d_model,
    },
    Law {
        keys: r#"{ "method": "soft-prompt", "prompt_length": 3, "placement": "middle" }"#,
        starts_as_identity: false,
        n_parameters: |spec| 3 * spec.d_model,
    },
    Law {
        keys: r#"{ "method": "soft-prompt", "prompt_length": 3, "placement": "after" }"#,
        starts_as_identity: false,
        n_parameters: |spec| 3 * spec.d_model,
    },
    Law {
        keys: r#"{ "method": "soft-prompt", "init": "random-normal", "std": 0.3, "placement":
            [{ "place": "before", "length": 2 }, { "place": { "after_tokens": 3 }, "length": 1 }] }"#,
        starts_as_identity: false,
        n_parameters: |spec| 3 * spec.d_model,
    },
    Law {
        keys: r#"{ "method": "prefix", "prefix_length": 3, "std": 0.5 }"#,
        starts_as_identity: false,
        n_parameters: |spec| 3 * spec.n_layers * 2 * spec.n_kv_heads * spec.d_head,
    },
    Law {
        keys: r#"{ "method": "prefix", "prefix_length": 3, "std": 0.5, "projection_dim": 7 }"#,
        starts_as_identity: false,
        n_parameters: |spec| {
            let kv_dim = spec.n_kv_heads * spec.d_head;
            3 * kv_dim + 7 * (kv_dim + 1) + (7 + 1) * spec.n_layers * 2 * kv_dim
        },
    },
    Law {
        keys: r#"{ "method": "bottleneck", "kind": "houlsby", "bottleneck_dim": 5, "activation": "tanh" }"#,
        starts_as_identity: true,
        n_parameters: |spec| 2 * spec.n_layers * (2 * 5 * spec.d_model + 5 + spec.d_model),
    },
    Law {
        keys: r#"{ "method": "bottleneck", "bottleneck_dim": 5, "activation": "gelu" }"#,
        starts_as_identity: true,
        n_parameters: |spec| spec.n_layers * (2 * 5 * spec.d_model + 5 + spec.d_model),
    },
    Law {
        keys: r#"{ "method": "bottleneck", "kind": "parallel", "bottleneck_dim": 5, "activation": "silu" }"#,
        starts_as_identity: true,
        n_parameters: |spec| spec.n_layers * (2 * 5 * spec.d_model + 5 + spec.d_model),
    },
    Law {
        keys: r#"{ "method": "lora", "rank": 3 }"#,
        starts_as_identity: true,
        n_parameters: |spec| {
            let default = ["query", "value", "q_proj", "v_proj", "c_attn"];
            rank_times_widths(spec, 3, &|path| {
                default.iter().any(|name| path.ends_with(name))
            })
        },
    },
    Law {
        keys: r#"{ "method": "lora", "rank": 2, "alpha": 3, "targets": "all-linear", "rslora": true }"#,
        starts_as_identity: true,
        n_parameters: |spec| rank_times_widths(spec, 2, &|_| true),
    },
];

fn rank_times_widths(spec: &ModelSpec, rank: usize, chosen: &dyn Fn(&str) -> bool) -> usize {
    let widths = spec
        .projections
        .iter()
        .filter(|projection| chosen(&projection.path));
    let widths = widths.map(|projection| projection.d_input + projection.d_output);
    spec.n_layers * rank * widths.sum::<usize>()
}

fn each_case(check: impl Fn(&Law, &Model, AnyTuner)) {
    for family in FAMILIES {
        for law in LAWS {
            println!("{family}: {}", law.keys);
            let device = Device::flex().autodiff();
            let model = golden_model(family, &device).model;
            let config: TunerConfig = serde_json::from_str(law.keys).expect("keys");
            let tuner = config.init(&InitContext {
                base: &model,
                vocabulary: &NoVocabulary,
                seed: 1,
                device: &device,
            });
            check(law, &model, tuner.expect("a tuner"));
        }
    }
}

/// Moves every parameter off its first value, at which some gradients vanish.
fn shaken(tuner: AnyTuner) -> AnyTuner {
    struct Shake(usize);
    impl ModuleMapper for Shake {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| {
                let shape = tensor.shape();
                let n = shape.num_elements();
                let noise: Vec<f32> = (self.0..self.0 + n)
                    .map(|index| 0.2 * ((index * 7919 % 1013) as f32 / 506.0 - 1.0))
                    .collect();
                self.0 += n;
                let noise = Tensor::from_data(TensorData::new(noise, shape), &tensor.device());
                (tensor.detach() + noise).detach().require_grad()
            })
        }
    }
    tuner.map(&mut Shake(1))
}

/// Rows of unequal lengths, each with the place of its answer.
fn rows(family_of: &Model) -> Vec<TokenRow> {
    let family = if family_of.is_decoder() {
        "llama"
    } else {
        "bert"
    };
    let examples = golden_examples(family);
    examples[..4].iter().map(|example| example.row()).collect()
}

/// The states at the tokens of each row.
fn token_states(model: &Model, rows: &[TokenRow], tuner: &dyn Tuner) -> Vec<Tensor<2>> {
    let hidden = model.forward(rows, tuner);
    let states = |(index, row): (usize, &pilotlight_core::EmbeddedRow)| {
        let positions = row
            .token_positions
            .iter()
            .map(|position| (index, *position));
        hidden.select(&positions.collect::<Vec<_>>())
    };
    hidden.rows.iter().enumerate().map(states).collect()
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    let data = tensor.into_data_dtype(DType::F32);
    data.try_into_vec().expect("f32")
}

/// A sum of all states, each with another weight.
fn loss(model: &Model, tuner: &dyn Tuner) -> Tensor<1> {
    let states = token_states(model, &rows(model), tuner);
    let mut start = 0;
    let sums = states.into_iter().map(|states| {
        let shape = states.shape();
        let n = shape.num_elements();
        let weights: Vec<f32> = (start..start + n)
            .map(|index| (index * 613 % 97) as f32 / 97.0 - 0.5)
            .collect();
        start += n;
        let weights = Tensor::from_data(TensorData::new(weights, shape), &states.device());
        (states * weights).sum()
    });
    Tensor::cat(sums.collect(), 0).sum()
}

#[test]
fn a_new_tuner_is_the_identity_where_its_paper_says_so() {
    each_case(|law, model, tuner| {
        let rows = rows(model);
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
            assert!(worst <= 1e-6, "differs by {worst}");
        } else {
            assert!(worst > 1e-2, "has no effect");
        }
    });
}

#[test]
fn there_are_as_many_parameters_as_the_formula_says() {
    each_case(|law, model, tuner| {
        assert_eq!(tuner.num_params(), (law.n_parameters)(model.spec()));
    });
}

#[test]
fn each_parameter_gets_a_gradient_and_the_base_none() {
    struct Check(GradientsParams, usize);
    impl ModuleVisitor for Check {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
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
            param.map(|tensor| {
                let step = self.direction(&tensor).mul_scalar(self.0);
                (tensor + step).detach().require_grad()
            })
        }
    }
    struct Slope<'a>(&'a GradientsParams, Step, f64);
    impl ModuleVisitor for Slope<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(param.id).expect("a gradient");
            let direction = self.1.direction(&gradient);
            self.2 += f64::from((gradient * direction).sum().into_scalar::<f32>());
        }
    }
    each_case(|_, model, tuner| {
        let tuner = shaken(tuner);
        if tuner.num_params() == 0 {
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
