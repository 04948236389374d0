//! A training step, made ready on a device and measured.

use std::time::Instant;

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use pilotlight_core::{Embedded, TokenRow, Tuner};
use pilotlight_data::{Example, Split, Target, TaskData, TaskKind};
use pilotlight_train::{Steps, TrainConfig, TrainError, Tuned};
use pilotlight_transformer::LoadOptions;
use pilotlight_tuners::{InitContext, NoVocabulary};

use super::{document::Measured, methods::BenchMethod, model::BenchModel, settings::Settings};
use crate::{
    arithmetic::{Arithmetic, RowShape},
    error::{CompareError, Problem},
    memory,
};

/// Seed of everything that is drawn.
const SEED: u64 = 1;

/// A training step that is ready to be done: the model is loaded and the method is on it.
#[derive(Debug)]
pub struct Step {
    steps: Steps,
    device: Device,
    total_parameters: usize,
    operations: f64,
}

/// A model with a method on it.
///
/// # Errors
///
/// If the method does not exist or does not fit the model, or the model cannot be loaded.
pub fn tuned(
    settings: &Settings,
    model: &BenchModel,
    device: &Device,
) -> Result<Tuned, CompareError> {
    let options = LoadOptions {
        device: device.clone(),
        dtype: settings.dtype.dtype(),
    };
    let base = model.load(&options)?;
    let base = base.set_trained(&|_| settings.trains_base);
    let context = InitContext {
        base: &base,
        vocabulary: &NoVocabulary,
        seed: SEED,
        device,
    };
    let tuner = settings.tuner.init(&context)?;
    Ok(Tuned::new(base, tuner, None, None))
}

impl Step {
    /// Loads the model onto the device and puts the method on it.
    ///
    /// # Errors
    ///
    /// If the method does not exist or does not fit the model, or the model cannot be loaded.
    pub fn load(
        settings: &Settings,
        model: &BenchModel,
        device: &Device,
    ) -> Result<Self, CompareError> {
        let tuned = tuned(settings, model, device)?;
        let total_parameters = tuned.num_params();
        let operations = operations_of(settings, &tuned)?;
        let data = completions(settings, tuned.base.spec().n_vocab);
        let steps = Steps::new(tuned, &data, &TrainConfig::default())?;
        device.sync().map_err(failed)?;
        Ok(Self {
            steps,
            device: device.clone(),
            total_parameters,
            operations,
        })
    }

    /// Does `n_warm_up` steps and then `n_steps`, and measures each of them. How long it took from the start of the
    /// process until this step was loaded is what only the caller knows.
    ///
    /// # Errors
    ///
    /// If the device fails, or the loss is not finite.
    pub fn measure(
        self,
        n_warm_up: usize,
        n_steps: usize,
        start_up_seconds: f64,
    ) -> Result<Measured, CompareError> {
        let trained_parameters = self.steps.n_trained();
        let mut steps = self.steps;
        let mut seconds = Vec::with_capacity(n_warm_up + n_steps);
        memory::reset_peak();
        for _ in 0..n_warm_up + n_steps {
            let start = Instant::now();
            steps = steps.step()?;
            // The loss was read; the optimizer may not be done.
            self.device.sync().map_err(failed)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        let of_device = self.device.memory_pool_usage();
        let step_seconds = seconds.split_off(n_warm_up);
        Ok(Measured {
            warm_up_seconds: seconds,
            step_seconds,
            start_up_seconds,
            peak_memory_bytes: memory::peak_bytes(),
            device_memory_bytes: of_device.map(|usage| usage.bytes_reserved),
            trained_parameters,
            total_parameters: self.total_parameters,
            step_operations: self.operations,
            peak_operations_per_second: None,
        })
    }
}

/// Texts of tokens that look drawn, each of which one token follows.
pub fn completions(settings: &Settings, n_vocab: usize) -> TaskData {
    let token = |text: usize, place: usize| {
        let mixed = (text * (settings.tokens + 1) + place) as u32;
        (mixed.wrapping_mul(2_654_435_761) >> 8) % n_vocab as u32
    };
    let example = |text| Example {
        input: TokenRow::new(
            (0..settings.tokens)
                .map(|place| token(text, place))
                .collect(),
        ),
        target: Target::Completion(vec![token(text, settings.tokens)]),
        origin: text + 1,
    };
    TaskData {
        kind: TaskKind::Completion,
        labels: Vec::new(),
        verbalizer: None,
        train: Split {
            examples: (0..settings.batch).map(example).collect(),
            ..Split::default()
        },
        validation: Split::default(),
        test: Split::default(),
    }
}

fn operations_of(settings: &Settings, tuned: &Tuned) -> Result<f64, CompareError> {
    let method = BenchMethod::find(&settings.method).ok_or_else(|| Problem {
        origin: None,
        key: None,
        message: format!("there is no method `{}` to be measured", settings.method),
        hint: String::new(),
    })?;
    let spec = tuned.base.spec();
    let words = Tensor::zeros([1, settings.tokens, spec.d_model], &tuned.device());
    let text = TokenRow::new(vec![0; settings.tokens]);
    let embedded = tuned.tuner.embed(Embedded::new(words, &[text]));
    let row = &embedded.rows[0];
    let shape = RowShape {
        n_tokens: settings.tokens,
        // What is trained within the base is trained at every position.
        n_untouched: match settings.trains_base {
            true => 0,
            false => tuned.tuner.untouched(0, row),
        },
        n_words: 1,
    };
    let names = tuned.base.parameter_names();
    let is_trained = |_: &str| settings.trains_base;
    let arithmetic = Arithmetic::new(spec, &settings.tuner, &names, &is_trained);
    let of_row = arithmetic.starting(method.gradient_start).step(shape);
    Ok(settings.batch as f64 * of_row)
}

fn failed(error: impl std::fmt::Display) -> CompareError {
    TrainError::Device(error.to_string()).into()
}
