//! Soft prompts and their rivals as tuners for a frozen transformer.
//!
//! | module | concept |
//! |---|---|
//! | [`soft_prompt`] | learned vectors among the input embeddings (Lester et al. 2021), through an encoder (P-tuning, Liu et al. 2021), in every layer; hooks `embed`, `layer_input` |
//! | [`prefix`] | learned keys and values in front of every layer's attention (Li and Liang 2021); hook `prefix` |
//! | [`lora`] | low-rank updates of weights (Hu et al. 2021), DoRA (Liu et al. 2024); hooks `words`, `project_output`, `project_head`, `merged_output`, `merged_words`, `merged_head` |
//! | [`ia3`] | factors on keys, values and inner activations (Liu et al. 2022); hooks `project_input`, `project_output`, `merged_input`, `merged_output` |
//! | [`bottleneck`] | narrow layers behind or beside the residual branches (Houlsby et al. 2019, Pfeiffer et al. 2021, He et al. 2022); hook `sublayer_output` |
//! | [`compose`] | several of these at once |
//! | [`mixed`] | another tuner for each row of a batch |
//! | [`untuned`] | no tuner |
//! | [`targets`] | rules that choose projections by their names |
//! | [`registry`] | [`AnyTuner`] and [`TunerConfig`] over all methods |
//! | [`method`] | what a method tells the registry |
//! | [`adapter_files`] | adapters as folders, ours and PEFT's |
//!
//! A soft prompt in front of a model of your own; the folder `examples` has LoRA beside a plain Burn model and a tuner of
//! your own, too:
//!
//! ```
#![doc = include_str!("../examples/prompt_tuning.rs")]
//! ```

pub mod adapter_files;
pub mod bottleneck;
pub mod compose;
pub mod error;
mod files;
pub mod ia3;
mod keys;
pub mod lora;
pub mod method;
pub mod mixed;
pub mod peft;
pub mod prefix;
mod random;
pub mod registry;
pub mod soft_prompt;
pub mod targets;
mod tensor_file;
#[cfg(test)]
mod test_support;
pub mod untuned;

pub use adapter_files::{
    AdapterFiles, BaseInfo, SavedAdapter, TaskType, load_adapter, replaces_biases, save_adapter,
};
pub use bottleneck::{Activation, Bottleneck, BottleneckConfig, BottleneckInit, BottleneckKind};
pub use compose::{Compose, ComposeConfig};
pub use error::{Problem, Problems, TunerError};
pub use ia3::{Ia3, Ia3Config};
pub use lora::{Lora, LoraConfig, LowRank, Magnitude, Target};
pub use method::{InitContext, Method, NoVocabulary, Vocabulary};
pub use mixed::Mixed;
pub use prefix::{Prefix, PrefixConfig, PrefixInit};
pub use registry::{AnyTuner, METHODS, TunerConfig};
pub use soft_prompt::{
    EncoderKind, Init, Place, PlacedVectors, Placement, SoftPrompt, SoftPromptConfig,
};
pub use targets::Targets;
pub use untuned::{Untuned, UntunedConfig};
