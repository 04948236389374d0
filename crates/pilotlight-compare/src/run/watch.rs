//! Who watches a run.

use pilotlight_data::Split;
use pilotlight_train::{Event, Observer, Outcome};

use crate::statistics::median;

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The model is loaded.
    Load,
    /// The data are read and the tuner is made.
    Prepare,
    /// The untuned base is tested.
    Untuned,
    /// The tuner is trained.
    Train,
    /// The trained model is tested.
    Test,
    /// It writes texts for the test examples.
    Generate,
    /// The model is tested on general text.
    General,
    /// The result is written.
    Save,
    /// Requests are timed.
    Costs,
}

/// Somebody who watches a run: the events of training and evaluation, and the stages around them.
pub trait RunObserver: Observer {
    /// A stage begins.
    fn stage(&mut self, stage: Stage);
}

/// An observer that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Observer for Unwatched {
    fn event(&mut self, _event: &Event) {}
}

impl RunObserver for Unwatched {
    fn stage(&mut self, _stage: Stage) {}
}

/// The times of the steps that were done since the last start.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seconds: Vec<f64>,
    n_examples: usize,
}

/// A watch that passes on all it sees.
pub(super) struct Watching<'a> {
    watch: &'a mut Watch,
    observer: &'a mut dyn Observer,
}

impl Observer for Watching<'_> {
    fn event(&mut self, event: &Event) {
        if let Event::Step {
            n_examples,
            seconds,
            ..
        } = event
        {
            self.watch.seconds.push(*seconds);
            self.watch.n_examples += n_examples;
        }
        self.observer.event(event);
    }
}

impl Watch {
    pub(super) fn in_front_of<'a>(&'a mut self, observer: &'a mut dyn Observer) -> Watching<'a> {
        Watching {
            watch: self,
            observer,
        }
    }

    /// Median of the steps; where a resume left none to be seen, the mean over those before it.
    pub(super) fn median_step(&self, outcome: &Outcome) -> Option<f64> {
        let mean = outcome.seconds.training / outcome.steps as f64;
        median(&self.seconds).or((outcome.steps > 0).then_some(mean))
    }

    /// Tokens of the inputs, as many to an example as the split has on average, in a second of the steps.
    pub(super) fn tokens_per_second(&self, split: &Split) -> Option<f64> {
        let seconds: f64 = self.seconds.iter().sum();
        let tokens: usize = split
            .examples
            .iter()
            .map(|example| example.input.ids.len())
            .sum();
        let per_example = tokens as f64 / split.examples.len() as f64;
        (seconds > 0.0).then(|| per_example * self.n_examples as f64 / seconds)
    }
}
