//! What training computed and what a request takes, found out when nothing can disturb the training any more.

use std::time::Instant;

use burn::tensor::Device;
use pilotlight_data::{Split, TaskData};
use pilotlight_train::{Tuned, Unobserved, evaluate};
use pilotlight_tuners::{AnyTuner, load_adapter};

use super::{Run, RunObserver, Stage, Watch};
use crate::{
    arithmetic::Arithmetic,
    base::trained_names,
    error::CompareError,
    experiment::ExperimentConfig,
    peaks::peak,
    result::{Latency, Operations, RequestCosts},
    shapes::{sample, training_shapes},
    statistics::median,
};

/// No more requests are timed once those so far have taken so many seconds.
const MOST_SECONDS: f64 = 3.0;

/// What was found.
#[derive(Default)]
pub(super) struct Costs {
    pub(super) operations: Option<Operations>,
    pub(super) request: Option<RequestCosts>,
}

impl Run<'_> {
    /// The costs of a run whose adapter is saved; `devices` are those of its steps.
    pub(super) fn costs(
        &mut self,
        tuned: &Tuned,
        data: &TaskData,
        watch: &Watch,
        devices: &[&Device],
        observer: &mut dyn RunObserver,
    ) -> Result<Costs, CompareError> {
        let report = &self.config.report;
        if report.test_only {
            return Ok(Costs::default());
        }
        observer.stage(Stage::Costs);
        let start = Instant::now();
        let per_token = operations_per_token(tuned, self.config, data)?;
        let tokens_per_second = watch.tokens_per_second(&data.train);
        let operations = per_token.map(|per_token| Operations {
            per_token,
            per_second: tokens_per_second.map(|tokens| per_token * tokens),
            peak_per_second: self.peak(devices),
        });
        // A trial leaves no adapter.
        let request = match report.trial {
            true => None,
            false => Some(self.request(tuned, data)?),
        };
        self.seconds.costs = start.elapsed().as_secs_f64();
        Ok(Costs {
            operations,
            request,
        })
    }

    /// That of the device; several may differ, or be parts of one processor. A run is not in vain because it is not known.
    fn peak(&self, devices: &[&Device]) -> Option<f64> {
        let [device] = devices else {
            return None;
        };
        peak(device, self.config.base.dtype, self.options.peaks).ok()
    }

    /// What the adapter in the folder of the run adds to a request.
    fn request(&self, tuned: &Tuned, data: &TaskData) -> Result<RequestCosts, CompareError> {
        let base = &tuned.base;
        // As it is saved: networks that only trained it are gone.
        let saved = load_adapter(&self.folder.adapter(), base.spec(), &tuned.device())?;
        let extra_positions = saved.config.reserve();
        let value_bytes = self.config.base.dtype.bytes();
        let on_base = |tuner: AnyTuner| {
            let (head, pooling) = (tuned.head.clone(), Some(tuned.pooling()));
            Tuned::new(base.clone(), tuner, head, pooling)
        };
        let alone = on_base(AnyTuner::default());
        let most = self.config.report.timed_requests;
        Ok(RequestCosts {
            extra_positions,
            extra_kv_bytes: base
                .is_decoder()
                .then(|| RequestCosts::kv_bytes(extra_positions, base.spec(), value_bytes)),
            latency: latency([&alone, &on_base(saved.tuner)], data, most)?,
        })
    }
}

/// Operations of training for a token of the texts; `None` of texts without tokens.
fn operations_per_token(
    tuned: &Tuned,
    config: &ExperimentConfig,
    data: &TaskData,
) -> Result<Option<f64>, CompareError> {
    let model = &tuned.base;
    let names = model.parameter_names();
    let is_trained = trained_names(&config.base)?;
    let arithmetic = Arithmetic::new(model.spec(), &config.tuner, &names, &is_trained);
    let rows = training_shapes(model, config, data, || Ok(tuned.tuner.clone()))?;
    let operations: f64 = rows.into_iter().map(|row| arithmetic.step(row)).sum();
    let n_tokens: usize = sample(data).map(|it| it.input.ids.len()).sum();
    Ok((n_tokens > 0).then(|| operations / n_tokens as f64))
}

/// Times the first `most` test examples, each by itself, on the base alone and on the base with an adapter.
fn latency(
    models: [&Tuned; 2],
    data: &TaskData,
    most: usize,
) -> Result<Option<Latency>, CompareError> {
    let examples = data.test.examples.iter().take(most);
    let requests: Vec<Split> = examples
        .map(|example| Split {
            examples: vec![example.clone()],
            ..Split::default()
        })
        .collect();
    let timed = |model: &Tuned, request: &Split| -> Result<f64, CompareError> {
        let start = Instant::now();
        evaluate(model, data, request, 1, &mut Unobserved)?;
        Ok(start.elapsed().as_secs_f64())
    };
    // The first of each makes kernels.
    if let Some(first) = requests.first() {
        for model in models {
            timed(model, first)?;
        }
    }
    let start = Instant::now();
    let mut seconds = [Vec::new(), Vec::new()];
    for (index, request) in requests.iter().enumerate() {
        // Neither is always the one that finds the text in the processor's caches.
        let order = if index.is_multiple_of(2) {
            [0, 1]
        } else {
            [1, 0]
        };
        for place in order {
            seconds[place].push(timed(models[place], request)?);
        }
        if start.elapsed().as_secs_f64() > MOST_SECONDS {
            break;
        }
    }
    let [alone, with] = seconds.each_ref().map(|seconds| median(seconds));
    let latency = alone.zip(with).map(|(base_seconds, with)| Latency {
        n_requests: seconds[0].len(),
        seconds: with,
        base_seconds,
        ratio: with / base_seconds,
    });
    Ok(latency)
}
