//! The training loop.

use std::{collections::BTreeMap, time::Instant};

use burn::{
    module::Module,
    optim::{GradientsAccumulator, GradientsParams},
    tensor::{DType, Device, Tensor},
};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use crate::{
    checkpoint::{Best, Checkpoints, State},
    error::TrainError,
    evaluate::evaluate,
    item::{Item, items},
    job::{Job, Outcome},
    loss::BatchLoss,
    metrics::{Metric, SplitName},
    observer::Event,
    optimizer::Optimizer,
    order::BatchOrder,
    parameters::{n_values, trained_shapes, trained_values, with_values},
    replicas::Replicas,
    run_folder::MetricsFile,
    schedule::learning_rate,
    settings,
    suspects::Suspects,
    tuned::Tuned,
    update::{Updated, update},
};

/// Stream of what is drawn on the device (dropout), apart from all else that is drawn from the seed of the run.
const STREAM: u64 = 0x6472_6f70_0000_0000;

/// Trains the parameters that require gradients: those of the tuner and of the head, and the base's that
/// [`Model::set_trained`](pilotlight_transformer::Model::set_trained) chose.
///
/// The loss is described [here](crate#the-loss). On a CPU a run that is killed and resumed ends
/// with the same bits as one that is not.
///
/// # Errors
///
/// If the configuration, the model and the data do not fit each other; if the loss is not finite; if a checkpoint
/// is damaged or of another run; if files cannot be read or written.
pub fn train(tuned: Tuned, job: Job<'_>) -> Result<Outcome, TrainError> {
    train_with(tuned, job, &[])
}

/// The same with the help of further `devices`: each of them gets a copy of the model and a part of every batch.
///
/// Trained parameters and their gradients are all that travels in a step. Evaluation, the optimizer and checkpoints stay
/// on the device of `tuned`. Sums are taken in another order than on one device alone, and dropout draws other numbers;
/// where devices share their random numbers (the CPU named twice) those of a dropout are not the same in every run.
///
/// # Errors
///
/// As for [`train`].
pub fn train_with(tuned: Tuned, job: Job<'_>, devices: &[Device]) -> Result<Outcome, TrainError> {
    let problems = job.config.problems();
    if !problems.is_empty() {
        return Err(TrainError::Config(problems));
    }
    tuned.check(job.data)?;
    Run::start(tuned.train(), job, devices)?.finish()
}

/// A run that goes on.
struct Run<'a> {
    tuned: Tuned,
    job: Job<'a>,
    items: Vec<Item>,
    order: BatchOrder,
    n_steps: usize,
    shapes: BTreeMap<String, Vec<usize>>,
    optimizer: Optimizer,
    checkpoints: Checkpoints,
    metrics: MetricsFile,
    state: State,
    suspects: Suspects,
    replicas: Replicas,
}

impl<'a> Run<'a> {
    fn start(mut tuned: Tuned, job: Job<'a>, devices: &[Device]) -> Result<Self, TrainError> {
        let shapes = trained_shapes(&tuned);
        if shapes.is_empty() {
            return Err(TrainError::NothingToTrain);
        }
        let config = job.config;
        let items = items(&job.data.train, job.data.verbalizer.as_ref(), "training")?;
        let order = BatchOrder::new(
            items.iter().map(|item| item.row.ids.len()).collect(),
            config.batch_size,
            job.seed,
            config.shuffle,
            config.bucket_by_length,
            config.steps.is_none().then_some(config.epochs),
        );
        let n_steps = config.n_steps(items.len());
        job.observer.event(&Event::Start {
            n_steps,
            n_examples: items.len(),
            n_trained: n_values(&shapes),
        });

        if job.data.validation.examples.is_empty() {
            for (key, is_set) in [
                ("eval_every", config.eval_every.is_some()),
                ("patience", config.patience.is_some()),
            ] {
                if is_set {
                    let text = format!("`train.{key}` has no effect: there is no validation split");
                    job.observer.event(&Event::Warning(text));
                }
            }
        }

        let dtype = tuned.base.word_embeddings().dtype();
        if dtype != DType::F32 && !trained_shapes(&tuned.base).is_empty() {
            let text = format!(
                "the base is trained in {dtype:?}, which loses updates smaller than its last digit: \
                 `base.dtype = \"f32\"` keeps them"
            );
            job.observer.event(&Event::Warning(text));
        }

        let settings = settings::of_run(&tuned, &job, &items)?;
        if !job.resume {
            // Nobody must ever resume from what an earlier run left here.
            job.run.remove_checkpoints()?;
        }
        let checkpoints = Checkpoints::open(job.run.checkpoints())?;
        let factors = tuned.tuner.rate_factors();
        let mut optimizer = Optimizer::new(config).with_rate_factors(factors);
        let mut state = State::new(settings);
        if job.resume
            && let Some(loaded) = checkpoints.latest()?
        {
            loaded.check(&state.settings, &shapes)?;
            let path = loaded.path.clone();
            let device = tuned.device().inner();
            optimizer
                .restore(loaded.optimizer, &shapes, &device)
                .map_err(|problem| TrainError::file(path, problem, "remove this checkpoint"))?;
            tuned = with_values(tuned, loaded.parameters);
            state = loaded.state;
            job.observer.event(&Event::Resume { step: state.step });
        }
        let metrics = MetricsFile::open(&job.run.metrics(), state.metrics_bytes)?;
        Ok(Self {
            replicas: Replicas::new(&tuned, devices),
            tuned,
            items,
            order,
            n_steps,
            suspects: match state.step {
                0 => Suspects::new(shapes.keys().cloned()),
                _ => Suspects::default(),
            },
            shapes,
            optimizer,
            checkpoints,
            metrics,
            state,
            job,
        })
    }

    fn finish(mut self) -> Result<Outcome, TrainError> {
        let tenth = (self.n_steps / 10).max(1);
        let checkpoint_every = self.job.config.checkpoint_every.unwrap_or(tenth);
        while self.state.step < self.n_steps && !self.is_exhausted() {
            self = self.step()?;
            let step = self.state.step;
            let is_last = step == self.n_steps;
            let is_due =
                |every: Option<usize>| every.is_some_and(|every| step.is_multiple_of(every));
            if is_last || is_due(self.job.config.eval_every) {
                self.validate()?;
            }
            if is_last || self.is_exhausted() || is_due(Some(checkpoint_every)) {
                self.save()?;
            }
        }
        let step = self.state.step;
        let stopped_early = step < self.n_steps;
        if let Some(Best {
            step: best_step, ..
        }) = self.state.best
        {
            if stopped_early {
                self.job
                    .observer
                    .event(&Event::EarlyStop { step, best_step });
            }
            if best_step != step {
                let values = self.checkpoints.best(best_step, &self.shapes)?;
                self.tuned = with_values(self.tuned, values);
            }
        }
        self.job.observer.event(&Event::Done { step });
        Ok(Outcome {
            tuned: self.tuned.valid(),
            history: self.metrics.history,
            steps: step,
            best: self.state.best,
            stopped_early,
            seconds: self.state.seconds,
            n_trained: n_values(&self.shapes),
        })
    }

    /// Whether the validation loss has not fallen for too long.
    fn is_exhausted(&self) -> bool {
        let patience = self.job.config.patience;
        patience.is_some_and(|patience| self.state.evaluations_since_best >= patience)
    }

    /// One optimizer step. It takes the run as a whole, so that the optimizer owns the parameters and can free them
    /// one by one.
    fn step(mut self) -> Result<Self, TrainError> {
        let start = Instant::now();
        let config = self.job.config;
        let step = self.state.step;
        let rate = learning_rate(config, step, self.n_steps);
        seed_devices(&self.tuned, &self.replicas, self.job.seed, step);

        let batches: Vec<Vec<usize>> = (0..config.accumulate)
            .map(|batch| self.order.batch(step * config.accumulate + batch))
            .filter(|batch| !batch.is_empty())
            .collect();
        let examples = batches.iter().map(Vec::len).sum();
        let of_step = batches
            .iter()
            .flatten()
            .map(|&item| self.items[item].n_trained());
        let tokens: usize = of_step.sum();
        let of_batches = self.gradients(&batches, 1.0 / tokens as f64);
        self.look_for_dead_parameters(&of_batches.gradients);
        let Updated { tuned, loss, norm } = update(
            self.tuned,
            &mut self.optimizer,
            of_batches,
            config.grad_clip,
            rate,
            step + 1,
        )?;
        self.tuned = tuned;

        self.state.step += 1;
        let seconds = start.elapsed().as_secs_f64();
        self.state.seconds.training += seconds;
        self.metrics.add(Metric {
            step: step + 1,
            split: SplitName::Train,
            loss,
            learning_rate: Some(rate),
            gradient_norm: norm,
            accuracy: None,
            examples,
            tokens,
        })?;
        self.job.observer.event(&Event::Step {
            step: step + 1,
            loss,
            learning_rate: rate,
            gradient_norm: norm,
            n_examples: examples,
            seconds,
        });
        Ok(self)
    }

    /// The loss over all batches of a step, and its gradients.
    fn gradients(&mut self, batches: &[Vec<usize>], weight: f64) -> BatchLoss {
        self.replicas.refresh(&self.tuned);
        let mut losses = Vec::with_capacity(batches.len());
        let mut sum = GradientsAccumulator::new();
        for batch in batches {
            let items: Vec<&Item> = batch.iter().map(|&item| &self.items[item]).collect();
            let of_batch = self.replicas.backward(&self.tuned, &items, weight);
            if batches.len() == 1 {
                return of_batch;
            }
            losses.push(of_batch.loss);
            sum.accumulate(&self.tuned, of_batch.gradients);
        }
        BatchLoss {
            loss: Tensor::cat(losses, 0).sum(),
            gradients: sum.grads(),
        }
    }

    /// Tells of trained parameters that learn nothing.
    fn look_for_dead_parameters(&mut self, gradients: &GradientsParams) {
        let has_changed = (0..self.state.step)
            .any(|step| learning_rate(self.job.config, step, self.n_steps) > 0.0);
        let names = self.suspects.look(&self.tuned, gradients, has_changed);
        if !names.is_empty() {
            self.job.observer.event(&Event::NoGradient { names });
        }
    }

    /// Evaluates on the validation split, if there is one, and keeps the best parameters.
    fn validate(&mut self) -> Result<(), TrainError> {
        let data = self.job.data;
        if data.validation.examples.is_empty() {
            return Ok(());
        }
        let start = Instant::now();
        let step = self.state.step;
        let batch_size = self.job.config.eval_batch_size;
        let result = evaluate(
            &self.tuned,
            data,
            &data.validation,
            batch_size,
            self.job.observer,
        )?;
        let loss = result.loss;
        if !loss.is_finite() {
            return Err(TrainError::NotFinite { step, loss });
        }
        self.state.seconds.evaluation += start.elapsed().as_secs_f64();
        let is_best = self.state.best.is_none_or(|best| loss < best.loss);
        self.metrics.add(Metric {
            step,
            split: SplitName::Validation,
            loss,
            learning_rate: None,
            gradient_norm: None,
            accuracy: result.accuracy,
            examples: data.validation.examples.len(),
            tokens: result.n_tokens,
        })?;
        self.job.observer.event(&Event::Evaluation {
            step,
            loss,
            accuracy: result.accuracy,
            is_best,
        });
        if is_best {
            let start = Instant::now();
            self.state.best = Some(Best { step, loss });
            self.state.evaluations_since_best = 0;
            self.checkpoints
                .save_best(step, &trained_values(&self.tuned))?;
            self.state.seconds.checkpointing += start.elapsed().as_secs_f64();
        } else {
            self.state.evaluations_since_best += 1;
        }
        Ok(())
    }

    fn save(&mut self) -> Result<(), TrainError> {
        let start = Instant::now();
        self.state.metrics_bytes = self.metrics.sync()?;
        let parameters = trained_values(&self.tuned);
        self.checkpoints
            .save(self.state.clone(), &parameters, self.optimizer.record())?;
        self.state.seconds.checkpointing += start.elapsed().as_secs_f64();
        self.job.observer.event(&Event::Checkpoint {
            step: self.state.step,
        });
        Ok(())
    }
}

/// Makes what the devices draw in a step a function of the seed and the step.
fn seed_devices(tuned: &Tuned, replicas: &Replicas, seed: u64, step: usize) {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(STREAM + step as u64);
    for device in std::iter::once(tuned.device()).chain(replicas.devices()) {
        device.seed(generator.next_u64());
    }
}
