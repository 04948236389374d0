//! The list of methods: one line each.

mod checks;
mod hooks;
mod section;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use burn::{
    module::{Module, ParamId},
    tensor::{Device, TensorData},
};
use pilotlight_core::{ModelSpec, Tuner};
use serde_json::{Map, Value};

use crate::{
    adapter_files,
    bottleneck::{Bottleneck, BottleneckConfig},
    compose::{Compose, ComposeConfig},
    error::{Problems, TunerError, suggest},
    ia3::{Ia3, Ia3Config},
    keys,
    lora::{Lora, LoraConfig},
    method::{InitContext, Method, Tensors, anchored},
    peft::PeftFields,
    prefix::{Prefix, PrefixConfig},
    soft_prompt::{SoftPrompt, SoftPromptConfig},
    untuned::{Untuned, UntunedConfig},
};

macro_rules! tuners {
    ($($(#[doc = $doc:literal])* $tuner:ident($config:ident)),* $(,)?) => {
        /// A tuner of any method.
        #[derive(Module, Debug)]
        pub enum AnyTuner {
            $($(#[doc = $doc])* $tuner($tuner),)*
        }

        /// Section `[tuner]` of an experiment file: a method with its keys, or a saved adapter to start from.
        ///
        /// ```toml
        /// [tuner]
        /// method = "soft-prompt"
        /// prompt_length = 20
        /// ```
        ///
        /// or `from = "DIR"` alone.
        #[derive(Debug, Clone, PartialEq)]
        pub enum TunerConfig {
            $($(#[doc = $doc])* $tuner($config),)*
            /// `from = "DIR"`: start from a saved adapter, ours or PEFT's.
            Saved(PathBuf),
        }

        $(impl From<$config> for TunerConfig {
            fn from(config: $config) -> Self {
                Self::$tuner(config)
            }
        }

        impl From<$tuner> for AnyTuner {
            fn from(tuner: $tuner) -> Self {
                Self::$tuner(tuner)
            }
        })*

        /// The names of all methods.
        pub const METHODS: &[&str] = &[$(<$config as Method>::NAME),*];

        impl AnyTuner {
            fn hooks(&self) -> &dyn Tuner {
                match self {
                    $(Self::$tuner(tuner) => tuner,)*
                }
            }

            /// The keys that the tuner was made with.
            pub fn config(&self) -> TunerConfig {
                match self {
                    $(Self::$tuner(tuner) => TunerConfig::$tuner($config::of(tuner).clone()),)*
                }
            }

            /// Parameters that learn at a multiple of the learning rate, and the multiple.
            pub fn rate_factors(&self) -> Vec<(ParamId, f64)> {
                match self {
                    $(Self::$tuner(tuner) => $config::rate_factors(tuner),)*
                }
            }

            /// The parameters by their names in files.
            pub(crate) fn tensors(&self, spec: &ModelSpec) -> Vec<(String, TensorData)> {
                match self {
                    $(Self::$tuner(tuner) => $config::tensors(tuner, spec),)*
                }
            }
        }

        impl TunerConfig {
            fn of_method(name: &str, keys: Map<String, Value>) -> Result<Self, String> {
                $(if name == <$config as Method>::NAME {
                    return keys::read::<$config>(name, keys).map(Self::$tuner);
                })*
                Err(format!("`{name}` is no method\n{}", suggest(name, METHODS)))
            }

            /// The method's name; for a saved adapter that cannot be read `"saved"`.
            pub fn method(&self) -> &'static str {
                match self {
                    $(Self::$tuner(_) => <$config as Method>::NAME,)*
                    Self::Saved(folder) => match adapter_files::read_config(folder) {
                        Ok(config) => config.method(),
                        Err(_) => "saved",
                    },
                }
            }

            /// Positions of every row that the tuner takes for itself; they must be kept free.
            pub fn reserve(&self) -> usize {
                match self {
                    $(Self::$tuner(config) => config.reserve(),)*
                    Self::Saved(folder) => of_saved(folder, Self::reserve),
                }
            }

            /// Vectors that are inserted into every row; a row without tokens can go on from them.
            pub fn inserted(&self) -> usize {
                match self {
                    $(Self::$tuner(config) => config.inserted(),)*
                    Self::Saved(folder) => of_saved(folder, Self::inserted),
                }
            }

            /// Multiplications of its own matrices at each position of a forward pass, over all layers. Networks
            /// that run once a step and not at each position, such as those behind a prompt, are not counted.
            pub fn multiplications(&self, spec: &ModelSpec) -> usize {
                match self {
                    $(Self::$tuner(config) => config.multiplications(spec),)*
                    Self::Saved(folder) => of_saved(folder, |config| config.multiplications(spec)),
                }
            }

            /// Whether no other tuner may insert vectors beside its own.
            pub(crate) fn inserts_alone(&self) -> bool {
                match self {
                    $(Self::$tuner(config) => config.inserts_alone(),)*
                    Self::Saved(folder) => of_saved(folder, Self::inserts_alone),
                }
            }

            /// Whether its hooks read the weights of the base themselves.
            pub(crate) fn reads_weights(&self) -> bool {
                match self {
                    $(Self::$tuner(config) => config.reads_weights(),)*
                    Self::Saved(folder) => of_saved(folder, Self::reads_weights),
                }
            }

            /// Whether a tuner of these keys can be folded into the weights of the base.
            pub(crate) fn merges(&self) -> bool {
                match self {
                    $(Self::$tuner(config) => config.merges(),)*
                    Self::Saved(folder) => of_saved(folder, Self::merges),
                }
            }

            /// The keys under which a tuner of these keys is saved.
            pub(crate) fn saved(&self) -> Self {
                match self {
                    $(Self::$tuner(config) => Self::$tuner(config.saved()),)*
                    Self::Saved(folder) => Self::Saved(folder.clone()),
                }
            }

            /// Names of the template's parts, each with the key that mentions it.
            pub(crate) fn mentions(&self) -> Vec<(String, &str)> {
                match self {
                    $(Self::$tuner(config) => config.mentions(),)*
                    Self::Saved(_) => Vec::new(),
                }
            }

            pub(crate) fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
                match self {
                    $(Self::$tuner(config) => config.paths_mut(),)*
                    Self::Saved(folder) => vec![folder],
                }
            }

            fn keys(&self) -> serde_json::Result<Value> {
                match self {
                    $(Self::$tuner(config) => serde_json::to_value(config),)*
                    Self::Saved(folder) => Ok(serde_json::json!({ "from": folder })),
                }
            }

            /// The tuners that it consists of.
            fn composed(&self) -> &[TunerConfig] {
                match self {
                    $(Self::$tuner(config) => config.composed(),)*
                    Self::Saved(_) => &[],
                }
            }

            pub(crate) fn own_problems(&self, spec: &ModelSpec, problems: &mut Problems) {
                match self {
                    $(Self::$tuner(config) => config.problems(spec, problems),)*
                    Self::Saved(folder) => match adapter_files::read_config(folder) {
                        Ok(config) => config.own_problems(spec, problems),
                        Err(error) => problems.push("from", format!("cannot be used: {error}")),
                    },
                }
            }

            /// A new tuner, or the saved one.
            ///
            /// # Errors
            ///
            /// If the keys do not fit the model or the context lacks what they ask for; for a saved adapter whatever
            /// [`load_adapter`](crate::load_adapter) says.
            pub fn init(&self, context: &InitContext<'_>) -> Result<AnyTuner, TunerError> {
                if let Self::Saved(folder) = self {
                    let saved = adapter_files::load_adapter(folder, context.spec(), context.device)?;
                    return saved.tuner_alone(folder);
                }
                let mut problems = Problems::default();
                self.own_problems(context.spec(), &mut problems);
                problems.into_result()?;
                match self {
                    $(Self::$tuner(config) => config.init(context).map(AnyTuner::$tuner),)*
                    Self::Saved(_) => unreachable!("loaded above"),
                }
            }

            pub(crate) fn restore(
                &self,
                tensors: &mut Tensors,
                spec: &ModelSpec,
                device: &Device,
            ) -> Option<AnyTuner> {
                match self {
                    $(Self::$tuner(config) => {
                        config.restore(tensors, spec, device).map(AnyTuner::$tuner)
                    })*
                    Self::Saved(_) => None,
                }
            }

            pub(crate) fn head_prefix(&self) -> &'static str {
                match self {
                    $(Self::$tuner(_) => <$config as Method>::HEAD_PREFIX,)*
                    Self::Saved(_) => "",
                }
            }

            pub(crate) fn to_peft(&self, spec: &ModelSpec) -> Option<PeftFields> {
                match self {
                    $(Self::$tuner(config) => config.to_peft(spec),)*
                    Self::Saved(_) => None,
                }
            }

            /// The keys that stand for PEFT's fields; `None` for a method of PEFT's that is not here.
            pub(crate) fn from_peft(peft_type: &str, fields: &mut PeftFields) -> Option<Self> {
                $(if <$config as Method>::PEFT_TYPES.contains(&peft_type) {
                    return $config::from_peft(fields).map(Self::$tuner);
                })*
                None
            }

            pub(crate) fn peft_type(&self) -> Option<&'static str> {
                match self {
                    $(Self::$tuner(_) => <$config as Method>::PEFT_TYPES.first().copied(),)*
                    Self::Saved(_) => None,
                }
            }

            /// The methods that PEFT has too, by PEFT's names.
            pub(crate) fn peft_types() -> Vec<&'static str> {
                [$(<$config as Method>::PEFT_TYPES),*].concat()
            }
        }
    };
}

tuners! {
    /// Nothing is tuned beside the base.
    Untuned(UntunedConfig),
    /// Learned vectors among the input embeddings.
    SoftPrompt(SoftPromptConfig),
    /// Learned keys and values in front of every layer's attention.
    Prefix(PrefixConfig),
    /// Low-rank updates of projections.
    Lora(LoraConfig),
    /// Factors on keys, values and inner activations.
    Ia3(Ia3Config),
    /// Narrow layers behind or beside the residual branches.
    Bottleneck(BottleneckConfig),
    /// Several of these at once.
    Compose(ComposeConfig),
}

impl AnyTuner {
    /// The soft prompt, if it is one and nothing else.
    pub fn as_soft_prompt(&self) -> Option<&SoftPrompt> {
        match self {
            Self::SoftPrompt(prompt) => Some(prompt),
            _ => None,
        }
    }
}

impl Default for AnyTuner {
    fn default() -> Self {
        Self::Untuned(Untuned::default())
    }
}

impl Default for TunerConfig {
    fn default() -> Self {
        Self::Untuned(UntunedConfig::default())
    }
}

/// What the keys of a saved adapter say; nothing if they cannot be read, which is a problem of its own.
fn of_saved<T: Default>(folder: &Path, ask: impl Fn(&TunerConfig) -> T) -> T {
    let config = adapter_files::read_config(folder);
    config.map(|config| ask(&config)).unwrap_or_default()
}

impl TunerConfig {
    /// Whether it is the method that tunes nothing.
    pub fn is_untuned(&self) -> bool {
        matches!(self, Self::Untuned(_))
    }

    /// Whether it, or a tuner that it consists of, stands in another folder.
    pub(crate) fn names_folder(&self) -> bool {
        matches!(self, Self::Saved(_)) || self.composed().iter().any(Self::names_folder)
    }

    /// Makes relative paths among the keys relative to `folder`, that of the experiment file.
    pub fn anchor_paths(&mut self, folder: &Path) {
        for path in self.paths_mut() {
            *path = anchored(path, folder);
        }
    }
}

impl fmt::Display for TunerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method())
    }
}
