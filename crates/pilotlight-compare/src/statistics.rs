//! What can be said of runs of several seeds on a test set of so many examples. Pure functions.
//!
//! | question | function |
//! |---|---|
//! | what does a method reach, and how sure is that? | [`summarize`]: mean, deviation over seeds, two-level bootstrap interval |
//! | the same for other statistics (macro-F1, MCC, BLEU) | [`Bootstrap::intervals`] |
//! | how many times as long does something take? | [`ratio_of_medians`] |
//! | which methods differ? | [`compare_all`]: every pair, corrected for their number; ties are within noise |
//!
//! `docs/statistics.md` has the equations and their sources.

mod bootstrap;
mod comparison;
mod descriptive;
mod outcomes;
mod ratio;
mod significance;

pub use bootstrap::{Bootstrap, Examples, Interval, bootstrap_accuracy};
pub use comparison::{Comparison, PairTest, compare_all};
pub use descriptive::{
    accuracy, majority_accuracy, majority_class, mean, median, quantile, standard_deviation,
};
pub use outcomes::{SeedOutcomes, Summary, examples, summarize};
pub use ratio::ratio_of_medians;
pub use significance::{holm, mcnemar};

#[cfg(test)]
mod tests;
