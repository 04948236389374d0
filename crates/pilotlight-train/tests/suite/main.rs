//! Runs of the trainer on a tiny model, from the outside.

mod adapters;
mod common;
mod precision;
mod prediction;
mod rates;
mod replicas;
mod training;
