//! What a run tells while it goes on.

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Training begins.
    Start {
        /// Number of optimizer steps of the run.
        n_steps: usize,
        /// Number of training examples.
        n_examples: usize,
        /// Number of trained parameters.
        n_trained: usize,
    },
    /// A checkpoint was found and is continued behind this step.
    Resume {
        /// The last step that was done.
        step: usize,
    },
    /// An optimizer step was done.
    Step {
        /// The step, from 1.
        step: usize,
        /// Mean loss over the trained tokens (or classes) of the step.
        loss: f64,
        /// The learning rate it was done at.
        learning_rate: f64,
        /// Norm of the gradient over all trained parameters before clipping, where it is clipped.
        gradient_norm: Option<f64>,
        /// Examples of the step.
        n_examples: usize,
        /// Seconds of the step.
        seconds: f64,
    },
    /// An evaluation goes on.
    Evaluating {
        /// Examples done.
        done: usize,
        /// Examples in all.
        n_examples: usize,
    },
    /// The validation split was evaluated.
    Evaluation {
        /// The step behind which.
        step: usize,
        /// Mean loss over the trained tokens (or classes).
        loss: f64,
        /// Share of right classes, where there are classes.
        accuracy: Option<f64>,
        /// Whether no evaluation before had a lower loss.
        is_best: bool,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// The step behind which.
        step: usize,
    },
    /// Training ended early: the validation loss no longer falls.
    EarlyStop {
        /// The last step.
        step: usize,
        /// The step with the lowest loss.
        best_step: usize,
    },
    /// Trained parameters get no gradient, so that they learn nothing: the loss does not depend on them.
    ///
    /// It comes at the first step for those that have none at all; for those whose gradient is zero everywhere at the
    /// first step behind one that changed something.
    NoGradient {
        /// Those of the base by their names in Hugging Face checkpoints, others by their paths.
        names: Vec<String>,
    },
    /// Something that a user should know.
    Warning(String),
    /// Training is done.
    Done {
        /// The last step.
        step: usize,
    },
}

/// Somebody who watches a run, for example a progress bar.
pub trait Observer {
    /// Takes notice of an event.
    fn event(&mut self, event: &Event);
}

/// An observer that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn event(&mut self, _event: &Event) {}
}
