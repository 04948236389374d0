//! Runs of the trainer on a tiny model, from the outside.

mod adapters;
mod common;
mod precision;
mod prediction;
mod rates;
mod replicas;
mod training;

#[path = "../../examples/two_devices.rs"]
mod two_devices;

#[test]
fn a_prompt_learns_the_same_on_two_devices() {
    two_devices::main().unwrap_or_else(|error| panic!("{error}"));
}
