//! The examples run.

#[path = "../examples/prompt_tuning.rs"]
mod prompt_tuning;

#[test]
fn a_prompt_in_front_of_a_model_of_one_s_own_learns() {
    prompt_tuning::main();
}
