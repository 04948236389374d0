//! The keys of `method = "prefix"`.

use burn::tensor::{Device, TensorData};
use pilotlight_core::ModelSpec;
use serde::{Deserialize, Serialize};

use super::{Prefix, init, kv_dim};
use crate::{
    error::{Problems, TunerError},
    method::{InitContext, Method, Tensors},
    peft::PeftFields,
};

/// The keys of `method = "prefix"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrefixConfig {
    /// Number of keys, and of values, in every layer.
    pub prefix_length: usize,
    /// What keys and values are at first.
    pub init: PrefixInit,
    /// `random` and `zero`: the standard deviation of what is drawn, 0.02 for `random` and 1 for the keys of `zero`; of
    /// the network's input, where there is one, 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std: Option<f64>,
    /// `text`: the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Inner width of a network through which the prefix is trained; by default it is trained as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projection_dim: Option<usize>,
}

/// The first keys and values of a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrefixInit {
    /// Independent normal numbers.
    #[default]
    Random,
    /// Values of zero, so that a new prefix says nothing and only draws attention away. The keys are normal numbers:
    /// equal vectors would get equal gradients for ever, and stay one vector.
    Zero,
    /// What the frozen model itself computes of a text's first tokens, so that it starts as the model with this text in
    /// front.
    Text,
}

impl Default for PrefixConfig {
    fn default() -> Self {
        Self {
            prefix_length: 20,
            init: PrefixInit::default(),
            std: None,
            text: None,
            projection_dim: None,
        }
    }
}

impl PrefixConfig {
    /// The standard deviation of what is drawn.
    pub fn std(&self) -> f64 {
        self.std.unwrap_or(match (self.init, self.projection_dim) {
            (_, Some(_)) | (PrefixInit::Zero, None) => 1.0,
            (PrefixInit::Random | PrefixInit::Text, None) => 0.02,
        })
    }

    fn check_init(&self, problems: &mut Problems) {
        let is_text = self.init == PrefixInit::Text;
        if is_text && self.std.is_some() {
            problems.push(
                "std",
                "has no effect: nothing is drawn with init `text`\nhint: leave it out, or set `init`",
            );
        }
        match &self.text {
            None if is_text => problems.push("text", "is missing: this `init` needs it"),
            Some(_) if !is_text => problems.push(
                "text",
                "has no effect: only init `text` reads it\nhint: leave it out, or set `init`",
            ),
            Some(text) if text.is_empty() => problems.push("text", "is empty"),
            _ => {}
        }
        if is_text && self.projection_dim.is_some() {
            problems.push(
                "projection_dim",
                "cannot stand beside init `text`: no input of the network is known to give the text's keys and \
                 values\nhint: leave out one of the two",
            );
        }
        // Equal vectors would get equal gradients for ever.
        if self.std.is_some_and(|std| !(std > 0.0 && std.is_finite())) {
            problems.push("std", format!("is {}, which is not above 0", self.std()));
        }
    }
}

impl Method for PrefixConfig {
    type Tuner = Prefix;
    const NAME: &'static str = "prefix";
    const HEAD_PREFIX: &'static str = "base_model.";
    const PEFT_TYPES: &'static [&'static str] = &["PREFIX_TUNING"];

    fn reserve(&self) -> usize {
        self.prefix_length
    }

    fn problems(&self, spec: &ModelSpec, problems: &mut Problems) {
        if self.prefix_length == 0 {
            problems.push("prefix_length", "must be at least 1");
        } else if self.prefix_length >= spec.n_positions {
            problems.push(
                "prefix_length",
                format!(
                    "is {}, which leaves no room for a text: the model takes {} positions",
                    self.prefix_length, spec.n_positions
                ),
            );
        }
        self.check_init(problems);
        if self.projection_dim == Some(0) {
            problems.push("projection_dim", "must be at least 1");
        }
    }

    fn init(&self, context: &InitContext<'_>) -> Result<Prefix, TunerError> {
        init::prefix(self, context)
    }

    fn saved(&self) -> Self {
        if self.projection_dim.is_none() {
            return self.clone();
        }
        // The init is that of the network's input, which is not saved.
        Self {
            prefix_length: self.prefix_length,
            ..Self::default()
        }
    }

    fn of(tuner: &Prefix) -> &Self {
        &tuner.config
    }

    fn tensors(tuner: &Prefix, _spec: &ModelSpec) -> Vec<(String, TensorData)> {
        vec![("prompt_embeddings".into(), tuner.all_layers().into_data())]
    }

    fn restore(&self, tensors: &mut Tensors, spec: &ModelSpec, device: &Device) -> Option<Prefix> {
        let shape = [self.prefix_length, init::width(spec)];
        let vectors = tensors.take("prompt_embeddings", shape)?;
        Some(Prefix::new(self.saved(), vectors, None, spec, device))
    }

    fn to_peft(&self, spec: &ModelSpec) -> Option<PeftFields> {
        let fields = PeftFields::default()
            .with("num_virtual_tokens", self.prefix_length)
            .with("token_dim", kv_dim(spec))
            .with("num_transformer_submodules", 1)
            .with("num_attention_heads", spec.n_kv_heads)
            .with("num_layers", spec.n_layers)
            .with("encoder_hidden_size", kv_dim(spec))
            .with("prefix_projection", false);
        Some(fields)
    }

    fn from_peft(fields: &mut PeftFields) -> Option<Self> {
        // PEFT saves the output of its network, so `prefix_projection` changes nothing here.
        fields.refuse("num_transformer_submodules", &[1.into()]);
        Some(Self {
            prefix_length: fields.count("num_virtual_tokens")?,
            ..Self::default()
        })
    }
}
