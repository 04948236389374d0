//! Optimizer steps alone, for whoever measures them.

use burn::module::Module;
use pilotlight_data::TaskData;

use crate::{
    config::TrainConfig,
    error::TrainError,
    item::{Item, items},
    loss::backward,
    optimizer::Optimizer,
    parameters::{n_values, trained_shapes},
    tuned::Tuned,
    update::{Updated, update},
};

/// Optimizer steps as [`train`](crate::train) does them, each on all training examples of a task: nothing is evaluated
/// and nothing written.
///
/// Of the configuration the optimizer, its constants, `learning_rate` and `grad_clip` are read.
#[derive(Debug)]
pub struct Steps {
    tuned: Tuned,
    items: Vec<Item>,
    optimizer: Optimizer,
    learning_rate: f64,
    grad_clip: Option<f64>,
    n_done: usize,
}

impl Steps {
    /// Makes ready for the first step.
    ///
    /// # Errors
    ///
    /// If the configuration, the model and the data do not fit each other, or nothing is trained.
    pub fn new(tuned: Tuned, data: &TaskData, config: &TrainConfig) -> Result<Self, TrainError> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(TrainError::Config(problems));
        }
        tuned.check(data)?;
        let tuned = tuned.train();
        if trained_shapes(&tuned).is_empty() {
            return Err(TrainError::NothingToTrain);
        }
        let factors = tuned.tuner.rate_factors();
        Ok(Self {
            tuned,
            items: items(&data.train, data.verbalizer.as_ref(), "training")?,
            optimizer: Optimizer::new(config).with_rate_factors(factors),
            learning_rate: config.learning_rate,
            grad_clip: config.grad_clip,
            n_done: 0,
        })
    }

    /// Number of trained parameters.
    pub fn n_trained(&self) -> usize {
        n_values(&trained_shapes(&self.tuned))
    }

    /// Does one step; the value of the loss is there when it returns.
    ///
    /// # Errors
    ///
    /// If the loss is not finite, or the device fails.
    pub fn step(mut self) -> Result<Self, TrainError> {
        let items: Vec<&Item> = self.items.iter().collect();
        let tokens: usize = items.iter().map(|item| item.n_trained()).sum();
        let loss = backward(&self.tuned, &items, 1.0 / tokens as f64);
        self.n_done += 1;
        let (rate, clip) = (self.learning_rate, self.grad_clip);
        // The optimizer owns the parameters, so that it can free them one by one.
        let Updated { tuned, .. } = update(
            self.tuned,
            &mut self.optimizer,
            loss,
            clip,
            rate,
            self.n_done,
        )?;
        self.tuned = tuned;
        Ok(self)
    }
}
