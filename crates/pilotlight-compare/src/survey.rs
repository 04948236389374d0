//! What the models and data of a comparison are found to be, before anything is trained: mistakes of all methods, and
//! how much each of them computes.

use std::time::Instant;

use pilotlight_core::{Identity, TokenRow};
use pilotlight_data::{Head, Split, TaskData, TaskKind};
use pilotlight_tuners::TunerConfig;

use crate::{
    arithmetic::{Arithmetic, RowShape},
    base::{Base, trained_names},
    baseline,
    error::CompareError,
    experiment::{AxisValues, BaseConfig, Comparison, ExperimentConfig, FewShot, ReportConfig},
    forgetting::GeneralText,
    layers::Origins,
    run::tuned,
    shapes::{shapes, training_shapes},
    sources::Resolver,
};

/// What the runs of a comparison are found to compute.
#[derive(Debug, Default)]
pub struct Survey {
    works: Vec<(ExperimentConfig, Work)>,
    speeds: Vec<(Model, f64)>,
    /// The baselines with examples in context that the models can do.
    pub(crate) few_shot: Vec<FewShot>,
}

/// What tells models apart that are loaded: with what, and where.
type Model = (BaseConfig, String);

/// What a method computes on a task.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Work {
    /// Examples to train on.
    pub n_train: usize,
    /// Their tokens, on average.
    pub n_tokens: f64,
    /// Operations of a training step for an example, on average.
    pub step_operations: f64,
    /// Operations to evaluate all validation examples once.
    pub validation_operations: f64,
    /// Operations to test all examples.
    pub test_operations: f64,
    /// Operations to write a text for each of the test examples, none of which ends early.
    pub generation_operations: f64,
    /// Operations to evaluate general text, before and after training.
    pub general_operations: f64,
    /// Bytes of the model that is loaded.
    pub base_bytes: f64,
    /// Bytes of what training keeps beside it: gradients and moments of the trained parameters of the base.
    pub trained_bytes: f64,
    /// Bytes that are kept of a long example for the backward pass.
    pub example_bytes: f64,
    /// Seconds that loading the model and preparing the data took.
    pub start_seconds: f64,
}

/// What is different for runs that do not compute the same at a step.
fn subject(config: &ExperimentConfig) -> ExperimentConfig {
    let mut subject = config.clone();
    subject.seed = 0;
    subject.data.seed = None;
    subject.train = Default::default();
    subject.ensemble = None;
    subject.report = ReportConfig {
        whole_test: config.report.whole_test,
        generate: config.report.generate,
        general: config.report.general.clone(),
        ..ReportConfig::default()
    };
    subject
}

fn model_of(config: &ExperimentConfig) -> Model {
    let base = BaseConfig {
        train: Vec::new(),
        save: None,
        ..config.base.clone()
    };
    (base, config.device.clone())
}

impl Survey {
    /// Loads every model and prepares all data, one after the other.
    ///
    /// # Errors
    ///
    /// Whatever would keep a run from starting, with the name of its method.
    pub fn new(comparison: &Comparison, resolver: &dyn Resolver) -> Result<Self, CompareError> {
        let nowhere = Origins::default();
        let points = comparison.methods.values().flat_map(|method| {
            let points = method.points.iter();
            points.map(|point| (&*method.label, point.config.clone(), &point.origins))
        });
        let mut subjects: Vec<_> = points.collect();
        let baselines = baseline::untuned(comparison).into_iter();
        subjects.extend(baselines.map(|(_, config)| ("untuned", config, &nowhere)));
        let mut models: Vec<Model> = Vec::new();
        for (_, config, _) in &subjects {
            let model = model_of(config);
            if !models.contains(&model) {
                models.push(model);
            }
        }
        let mut survey = Self::default();
        // One at a time: two would need twice the memory.
        for model in models {
            let of_model = subjects.iter().filter(|(_, it, _)| model_of(it) == model);
            let start = Instant::now();
            let device = resolver.device(&model.1, model.0.dtype)?;
            let seed = of_model.clone().next().map_or(0, |(_, it, _)| it.seed);
            let base = Base::load(&model.0, seed, resolver, &device)?;
            let load_seconds = start.elapsed().as_secs_f64();
            for (label, config, origins) in of_model {
                if survey.work(config).is_none() {
                    let work = work(&base, config, origins, load_seconds);
                    let work = work.map_err(|error| error.of_method(label))?;
                    survey.works.push((subject(config), work));
                }
            }
            survey.add_few_shot(comparison, &model, &base, load_seconds)?;
            survey.speeds.push((model, speed(&base)));
        }
        Ok(survey)
    }

    /// Adds the baselines with examples in context that a model can do: those that are wished for, or else one with as
    /// many examples as fit.
    fn add_few_shot(
        &mut self,
        comparison: &Comparison,
        model: &Model,
        base: &Base,
        load_seconds: f64,
    ) -> Result<(), CompareError> {
        if base.default_head() != Head::Verbalizer {
            return Ok(());
        }
        let (counts, is_wish) = match &comparison.shots {
            Some(counts) => (counts.as_slice(), true),
            None => (USUAL_SHOTS, false),
        };
        let mut has_one: Vec<AxisValues> = Vec::new();
        for shots in counts {
            for (point, config) in baseline::few_shot(comparison, *shots) {
                let is_known = !is_wish && has_one.contains(&point);
                if model_of(&config) != *model || is_known {
                    continue;
                }
                if !is_wish && !self.has_room(&config, base) {
                    continue;
                }
                let label = baseline::few_shot_label(&config);
                match work(base, &config, &Origins::default(), load_seconds) {
                    Ok(work) => self.works.push((subject(&config), work)),
                    Err(_) if !is_wish => continue,
                    Err(error) => return Err(error.of_method(&label)),
                }
                has_one.push(point.clone());
                self.few_shot.push(FewShot { point, config });
            }
        }
        Ok(())
    }

    /// Whether most examples in context stay whole.
    fn has_room(&self, config: &ExperimentConfig, base: &Base) -> bool {
        const LONG: f64 = 1.5;
        let mut shown = config.task.clone();
        let n_shown = std::mem::take(&mut shown.shots) * shown.labels.len();
        let same = self.works.iter().find(|(it, _)| it.task == shown);
        let n_tokens = same.map_or(0.0, |(_, work)| work.n_tokens);
        let n_positions = base.model.spec().n_positions;
        let room = n_positions.saturating_sub(shown.max_tokens);
        room as f64 >= LONG * n_tokens * n_shown as f64
    }

    /// What a run of these settings computes; nothing if it is none of the comparison's.
    pub fn work(&self, config: &ExperimentConfig) -> Option<&Work> {
        let wanted = subject(config);
        let found = self.works.iter().find(|(subject, _)| *subject == wanted);
        found.map(|(_, work)| work)
    }

    /// Operations in a second of a forward pass on the model of these settings, as measured.
    pub(crate) fn speed(&self, config: &ExperimentConfig) -> Option<f64> {
        let wanted = model_of(config);
        let found = self.speeds.iter().find(|(model, _)| *model == wanted);
        found.map(|(_, speed)| *speed)
    }
}

/// Examples of each class in context, where nobody says how many: the first number that fits.
const USUAL_SHOTS: &[usize] = &[4, 2, 1];

/// Rows and tokens of the pass that is timed.
const TIMED: [usize; 2] = [8, 32];

/// Operations in a second of a forward pass.
fn speed(base: &Base) -> f64 {
    let model = &base.model;
    let [n_rows, n_tokens] = TIMED;
    let row = RowShape {
        n_tokens: n_tokens.min(model.spec().n_positions),
        ..RowShape::default()
    };
    let rows = vec![TokenRow::new(vec![0; row.n_tokens]); n_rows];
    let untuned = TunerConfig::default();
    let arithmetic = Arithmetic::new(model.spec(), &untuned, &[], &|_| false);
    // Whoever waits for a value waits for all that it is made of. The first pass also makes kernels.
    let pass = || model.forward(&rows, &Identity).states().sum().into_data();
    pass();
    let start = Instant::now();
    pass();
    let operations = n_rows as f64 * arithmetic.forward(row);
    operations / start.elapsed().as_secs_f64().max(f64::MIN_POSITIVE)
}

fn work(
    base: &Base,
    config: &ExperimentConfig,
    origins: &Origins,
    load_seconds: f64,
) -> Result<Work, CompareError> {
    let start = Instant::now();
    let mut of_whole = config.clone();
    let n_limited = match config.report.whole_test {
        true => of_whole.data.limit_test.take(),
        false => None,
    };
    let data = base.prepare(&of_whole, origins)?;
    let start_seconds = load_seconds + start.elapsed().as_secs_f64();

    let model = &base.model;
    let is_trained = trained_names(&config.base)?;
    let names = model.parameter_names();
    let arithmetic = Arithmetic::new(model.spec(), &config.tuner, &names, &is_trained);
    let steps = training_shapes(model, config, &data, || {
        Ok(tuned(base, config, &data)?.tuner)
    })?;
    let mean = |value: &dyn Fn(RowShape) -> f64| {
        let sum: f64 = steps.iter().map(|row| value(*row)).sum();
        sum / steps.len().max(1) as f64
    };
    let forward = |split: &Split, data: &TaskData| -> f64 {
        let rows = shapes(split.examples.iter(), data).map(|(_, row)| row);
        rows.map(|row| arithmetic.forward(row)).sum()
    };
    let general = GeneralText::read(base, config, origins)?;
    let general = general.map(|texts| 2.0 * forward(&texts.data().train, texts.data()));
    let test_operations = forward(&data.test, &data);
    let n_test = data.test.examples.len().max(1);
    let share = |limit: usize| limit.min(n_test) as f64 / n_test as f64;
    let bytes = config.base.dtype.bytes() as f64;
    Ok(Work {
        n_train: data.train.examples.len(),
        n_tokens: mean(&|row| row.n_tokens as f64),
        step_operations: mean(&|row| arithmetic.step(row)),
        validation_operations: forward(&data.validation, &data),
        // The limited test set is one of its own, and texts are written for it alone.
        test_operations: test_operations * (1.0 + n_limited.map_or(0.0, share)),
        generation_operations: n_limited.map_or(1.0, share)
            * writing(&arithmetic, config, &data.test),
        general_operations: general.unwrap_or_default(),
        base_bytes: bytes * model.n_parameters() as f64,
        trained_bytes: TRAINING_VALUES * bytes * arithmetic.n_trained(),
        // Examples of like length share a batch: the largest one is made of the longest.
        example_bytes: bytes
            * steps
                .iter()
                .map(|row| arithmetic.n_kept(*row))
                .fold(0.0, f64::max),
        start_seconds,
    })
}

/// Operations to write a text behind each example of a split, where that is asked for.
fn writing(arithmetic: &Arithmetic, config: &ExperimentConfig, split: &Split) -> f64 {
    let is_completion = config.task.kind == TaskKind::Completion;
    let Some(generate) = config.report.generate.filter(|_| is_completion) else {
        return 0.0;
    };
    let rows = split.examples.iter().map(|example| RowShape {
        n_tokens: example.input.ids.len() + generate.max_tokens,
        n_untouched: 0,
        n_words: generate.max_tokens,
    });
    rows.map(|row| arithmetic.forward(row)).sum()
}

/// What training keeps beside a parameter: its gradient and AdamW's two moments.
const TRAINING_VALUES: f64 = 3.0;
