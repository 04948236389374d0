//! The methods that can be measured.

use pilotlight_tuners::TunerConfig;

use crate::arithmetic::GradientStart;

/// A method that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BenchMethod {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name in tables.
    pub label: &'static str,
    /// Whether it is measured where no methods are named.
    pub is_usual: bool,
    /// Section `[tuner]` as TOML, with [`LENGTH`] in place of the number of vectors.
    tuner: &'static str,
    /// Whether the whole base is trained.
    pub trains_base: bool,
    /// Where in the first layer the backward pass ends.
    pub(super) gradient_start: GradientStart,
}

/// What stands for the number of vectors.
const LENGTH: &str = "LENGTH";

/// The methods, usual ones first.
pub const BENCH_METHODS: &[BenchMethod] = &[
    BenchMethod {
        name: "prompt-tuning",
        label: "prompt tuning",
        is_usual: true,
        tuner: "method = 'soft-prompt'\nprompt_length = LENGTH\ninit = 'random'",
        trains_base: false,
        gradient_start: GradientStart::Embeddings,
    },
    BenchMethod {
        name: "prefix-tuning",
        label: "prefix tuning",
        is_usual: true,
        tuner: "method = 'prefix'\nprefix_length = LENGTH",
        trains_base: false,
        gradient_start: GradientStart::Attention,
    },
    BenchMethod {
        name: "lora",
        label: "LoRA (rank 8)",
        is_usual: true,
        tuner: "method = 'lora'\nrank = 8\nalpha = 16.0",
        trains_base: false,
        gradient_start: GradientStart::Attention,
    },
    BenchMethod {
        name: "adapters",
        label: "adapters (Pfeiffer)",
        is_usual: true,
        tuner: "method = 'bottleneck'\nkind = 'pfeiffer'\nbottleneck_dim = 64",
        trains_base: false,
        gradient_start: GradientStart::LayerOutput,
    },
    BenchMethod {
        name: "full-fine-tuning",
        label: "full fine-tuning",
        is_usual: true,
        tuner: "method = 'none'",
        trains_base: true,
        gradient_start: GradientStart::Embeddings,
    },
    BenchMethod {
        name: "prompt-behind",
        label: "prompt behind the text",
        is_usual: false,
        tuner: "method = 'soft-prompt'\nprompt_length = LENGTH\ninit = 'random'\nplacement = 'after'",
        trains_base: false,
        gradient_start: GradientStart::Embeddings,
    },
    BenchMethod {
        name: "deep-prompts",
        label: "deep prompts",
        is_usual: false,
        tuner: "method = 'soft-prompt'\nprompt_length = LENGTH\ninit = 'random'\ndeep = true",
        trains_base: false,
        gradient_start: GradientStart::Embeddings,
    },
    BenchMethod {
        name: "ia3",
        label: "(IA)³",
        is_usual: false,
        tuner: "method = 'ia3'",
        trains_base: false,
        gradient_start: GradientStart::Attention,
    },
];

impl BenchMethod {
    /// The method of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        BENCH_METHODS.iter().find(|method| method.name == name)
    }

    /// The keys of the method, with so many vectors where it has any.
    pub fn tuner(&self, length: usize) -> TunerConfig {
        let text = self.tuner.replace(LENGTH, &length.to_string());
        toml::from_str(&text).expect("a test reads all of them")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_read_and_have_names_of_their_own() {
        for (index, method) in BENCH_METHODS.iter().enumerate() {
            let tuner = method.tuner(7);
            let has_length = method.tuner.contains(LENGTH);
            assert_eq!(tuner.reserve(), if has_length { 7 } else { 0 });
            assert_eq!(BenchMethod::find(method.name), Some(&BENCH_METHODS[index]));
        }
    }
}
