//! Everything that is to be measured, looked at before the first step.

use pilotlight_compare::{
    Precision,
    bench::{BenchMethod, BenchModel, Settings, Shape},
};
use pilotlight_core::ModelSpec;

use super::raw::Measure;
use crate::{console::Console, devices::DeviceChoice, experiments::Machine, failure::Failure};

/// Everything that is to be measured.
pub(super) struct Plan {
    pub(super) places: Vec<Place>,
    pub(super) n_steps: usize,
    pub(super) n_warm_up: usize,
}

/// A device and a type, and what is to be measured there.
pub(super) struct Place {
    pub(super) choice: DeviceChoice,
    /// Its name, as the hardware gives it.
    pub(super) hardware: String,
    pub(super) dtype: Precision,
    pub(super) settings: Vec<Settings>,
}

impl Plan {
    /// Finds devices and models, and checks that all methods fit the models.
    pub(super) fn new(
        asked: &Measure,
        devices: &[DeviceChoice],
        console: &Console,
    ) -> Result<Self, Failure> {
        let devices = match devices {
            [] => &[DeviceChoice::Auto],
            devices => devices,
        };
        let machine = Machine::new(console);
        let mut models = Vec::new();
        for name in &asked.models {
            let (shape, spec) = BenchModel::find(name, &machine)?.shape()?;
            if spec.head_path.is_none() {
                return Err(Failure::input(format!("{name} has no language-model head"))
                    .hint("the steps are those of decoders: Llama, Mistral, Qwen2, Qwen3, GPT-2"));
            }
            models.push((name, shape, spec));
        }
        let mut places: Vec<Place> = Vec::new();
        for device in devices {
            let found = device.find(console)?;
            let choice = found.choice;
            for dtype in &asked.dtypes {
                if places
                    .iter()
                    .any(|it| it.choice == choice && it.dtype == *dtype)
                {
                    continue;
                }
                found.check(*dtype, "--dtype")?;
                let mut settings = Vec::new();
                for model in &models {
                    asked.add(model, choice, *dtype, &mut settings)?;
                }
                places.push(Place {
                    choice,
                    hardware: found.name.clone(),
                    dtype: *dtype,
                    settings,
                });
            }
        }
        Ok(Self {
            places,
            n_steps: asked.n_steps,
            n_warm_up: asked.n_warm_up,
        })
    }

    pub(super) fn n_rows(&self) -> usize {
        let sizes = self.places.iter().map(|place| place.settings.len());
        sizes.sum()
    }
}

impl Measure {
    /// Adds all combinations on a model.
    fn add(
        &self,
        (name, shape, spec): &(&String, Shape, ModelSpec),
        device: DeviceChoice,
        dtype: Precision,
        all: &mut Vec<Settings>,
    ) -> Result<(), Failure> {
        for (batch, tokens) in pairs(&self.batches, &self.tokens) {
            for (method, length) in pairs(&self.methods, &self.prompt_lengths) {
                let Some(method) = BenchMethod::find(method) else {
                    return Err(Failure::input(format!("there is no method {method}")));
                };
                let tuner = method.tuner(*length);
                if let Some((key, problem)) = tuner.problems(spec).first() {
                    let problem = format!("{} on {name}: `{key}` {problem}", method.name);
                    return Err(Failure::input(problem)
                        .hint("leave the method out, or change --prompt-length"));
                }
                let n_taken = tokens + tuner.reserve();
                if n_taken > spec.n_positions {
                    let problem = format!(
                        "{} on {name}: {tokens} tokens and {} vectors are more than the {} positions of the model",
                        method.name,
                        tuner.reserve(),
                        spec.n_positions
                    );
                    return Err(Failure::input(problem).hint("lower --tokens or --prompt-length"));
                }
                let settings = Settings {
                    device: device.to_string(),
                    method: method.name.to_owned(),
                    prompt_length: tuner.reserve(),
                    tuner,
                    trains_base: method.trains_base,
                    model: (*name).clone(),
                    shape: shape.clone(),
                    batch: *batch,
                    tokens: *tokens,
                    dtype,
                };
                // Methods without vectors are the same for every length.
                if !all.contains(&settings) {
                    all.push(settings);
                }
            }
        }
        Ok(())
    }
}

fn pairs<'a, A, B>(first: &'a [A], second: &'a [B]) -> impl Iterator<Item = (&'a A, &'a B)> {
    first
        .iter()
        .flat_map(move |a| second.iter().map(move |b| (a, b)))
}
