//! The examples run.

#[path = "../examples/lora_on_mlp.rs"]
mod lora_on_mlp;
#[path = "../examples/own_tuner.rs"]
mod own_tuner;
#[path = "../examples/prompt_tuning.rs"]
mod prompt_tuning;

#[test]
fn a_prompt_in_front_of_a_model_of_one_s_own_learns() {
    prompt_tuning::main();
}

#[test]
fn updates_beside_the_layers_of_a_model_of_one_s_own_learn() {
    lora_on_mlp::main();
}

#[test]
fn a_tuner_of_one_s_own_learns() {
    own_tuner::main();
}
