//! LoRA in PEFT's files.

use burn::tensor::{Device, TensorData};
use pilotlight_core::ModelSpec;
use serde_json::{Value, json};

use super::{
    Lora, LoraBias, LoraConfig, LoraInit, LowRank, Magnitude,
    target::{self, Target},
};
use crate::{
    adapter_files::description::ALL_BIASES,
    method::{Tensors, transposed},
    peft::PeftFields,
    targets::Targets,
};

/// PEFT's names of what biases are trained.
const NO_BIAS: &str = "none";
const LORA_ONLY: &str = "lora_only";

/// The tensors of a tuner, by PEFT's names.
pub(super) fn tensors(tuner: &Lora, spec: &ModelSpec) -> Vec<(String, TensorData)> {
    let mut tensors = Vec::new();
    for update in &tuner.updates {
        let Some(path) = update.target.path(spec) else {
            continue;
        };
        let names = Names::new(update.target, &path);
        let [a, b] = update.factors();
        tensors.push((names.a, a.transpose().into_data()));
        tensors.push((names.b, b.transpose().into_data()));
        if let Some(magnitude) = &update.magnitude {
            tensors.push((names.magnitude, magnitude.values.val().into_data()));
        }
        if let Some(bias) = &update.bias {
            tensors.push((names.bias, bias.val().into_data()));
        }
    }
    tensors
}

/// The tuner of these tensors.
pub(super) fn restore(
    config: &LoraConfig,
    tensors: &mut Tensors,
    spec: &ModelSpec,
    device: &Device,
) -> Option<Lora> {
    let mut updates = Some(Vec::new());
    // Goes on behind a missing tensor, so that one report names all of them.
    for planned in config.plan(spec) {
        let names = Names::new(planned.target, &planned.path);
        let a = tensors.take(&names.a, [planned.rank, planned.d_input]);
        let b = tensors.take(&names.b, [planned.d_output, planned.rank]);
        let magnitude = match config.dora {
            true => tensors
                .take(&names.magnitude, [planned.d_output])
                .map(|values| Some(Magnitude::new(values, device))),
            false => Some(None),
        };
        // A projection without a bias has none to train.
        let has_bias = config.bias == LoraBias::LoraOnly && tensors.shape(&names.bias).is_some();
        let bias = match has_bias {
            true => tensors.take(&names.bias, [planned.d_output]).map(Some),
            false => Some(None),
        };
        // PEFT saves the frozen weights of words and head beside their updates. They are the model's, unless the
        // vocabulary has another size, which shows in their shape.
        if tensors.shape(&names.weight).is_some() {
            let shape = match planned.target {
                Target::Words => [planned.d_input, planned.d_output],
                Target::Layer(_) | Target::Head => [planned.d_output, planned.d_input],
            };
            tensors.take(&names.weight, shape);
        }
        updates = match (updates, a, b, magnitude, bias) {
            (Some(mut updates), Some(a), Some(b), Some(magnitude), Some(bias)) => {
                let [a, b] = [a, b].map(transposed);
                let update = LowRank::new(planned.target, a, b, planned.scale, device);
                let update = update.with_magnitude(magnitude);
                updates.push(update.with_bias(bias, device));
                Some(updates)
            }
            _ => None,
        };
    }
    Some(Lora::new(config.clone(), updates?))
}

/// PEFT's names of what belongs to one weight.
struct Names {
    a: String,
    b: String,
    magnitude: String,
    weight: String,
    bias: String,
}

impl Names {
    fn new(target: Target, path: &str) -> Self {
        let path = format!("base_model.model.{path}");
        let [a, b] = ["A", "B"].map(|factor| match target {
            Target::Words => format!("{path}.lora_embedding_{factor}"),
            Target::Layer(_) | Target::Head => format!("{path}.lora_{factor}.weight"),
        });
        Self {
            a,
            b,
            magnitude: format!("{path}.lora_magnitude_vector"),
            weight: format!("{path}.base_layer.weight"),
            bias: format!("{path}.base_layer.bias"),
        }
    }
}

/// The fields of PEFT's description.
pub(super) fn to_peft(config: &LoraConfig, spec: &ModelSpec) -> PeftFields {
    // PEFT reads a whole number as such, and warns of nothing else.
    let whole = config.alpha.fract() == 0.0 && config.alpha.abs() < 1e9;
    let alpha: Value = match whole {
        true => (config.alpha as i64).into(),
        false => config.alpha.into(),
    };
    let init: Value = match config.init {
        LoraInit::Gaussian => "gaussian".into(),
        LoraInit::Orthogonal => "orthogonal".into(),
        // What is saved of those that take a part off the weight is a plain LoRA.
        LoraInit::Kaiming | LoraInit::Pissa | LoraInit::Olora => true.into(),
    };
    let bias = match config.bias {
        LoraBias::None => NO_BIAS,
        LoraBias::LoraOnly => LORA_ONLY,
    };
    let chosen = config.chosen(spec);
    let mut stored = chosen.iter().map(|target| target.fan_in_fan_out(spec));
    // Layers and exclusions are resolved into the targets.
    PeftFields::default()
        .with("r", config.rank)
        .with("lora_alpha", alpha)
        .with("lora_dropout", config.dropout)
        .with("target_modules", target::names_of(&chosen, spec))
        .with("rank_pattern", json!(config.rank_pattern))
        .with("alpha_pattern", json!(config.alpha_pattern))
        .with("bias", bias)
        .with(
            "fan_in_fan_out",
            stored.any(|fan_in_fan_out| fan_in_fan_out),
        )
        .with("use_rslora", config.rslora)
        .with("use_dora", config.dora)
        .with("init_lora_weights", init)
}

/// The keys that stand for the fields of PEFT's description.
pub(super) fn from_peft(fields: &mut PeftFields) -> Option<LoraConfig> {
    for name in UNSUPPORTED {
        fields.refuse(name, &[]);
    }
    let init = read_init(fields);
    let targets: Option<Targets> = fields.read("target_modules", "a list of names or a text");
    if fields.get("target_modules").is_none() {
        fields.expected("target_modules", "a list of names or a text");
    }
    let layers = match fields.get("layers_to_transform") {
        Some(Value::Number(_)) => fields
            .read("layers_to_transform", "a layer or a list of layers")
            .map(|layer| vec![layer]),
        _ => fields.read("layers_to_transform", "a layer or a list of layers"),
    };
    let expected = "an object of names and numbers";
    let rank = fields.count("r");
    let is_complete = rank.is_some() && targets.is_some();
    // All fields are read before the first missing one counts, so that one report names all of them.
    let config = LoraConfig {
        rank: rank.unwrap_or_default(),
        alpha: fields.number("lora_alpha", 8.0),
        dropout: fields.number("lora_dropout", 0.0),
        targets,
        exclude: fields.read("exclude_modules", "a list of names or a text"),
        layers,
        rank_pattern: fields.read("rank_pattern", expected).unwrap_or_default(),
        alpha_pattern: fields.read("alpha_pattern", expected).unwrap_or_default(),
        rslora: fields.flag("use_rslora"),
        dora: fields.flag("use_dora"),
        init,
        bias: read_bias(fields),
        plus_ratio: None,
    };
    is_complete.then_some(config)
}

/// Which biases were trained.
fn read_bias(fields: &mut PeftFields) -> LoraBias {
    match fields.get("bias").and_then(Value::as_str) {
        Some(LORA_ONLY) => LoraBias::LoraOnly,
        _ => {
            // All biases are parameters of the base, and none of the tuner's.
            fields.refuse("bias", &[NO_BIAS.into(), ALL_BIASES.into()]);
            LoraBias::None
        }
    }
}

/// How the factors started. Those that changed the base's weights, which are not in the adapter's file, are refused.
fn read_init(fields: &mut PeftFields) -> LoraInit {
    const NAME: &str = "init_lora_weights";
    let text = fields.get(NAME).and_then(Value::as_str);
    match text {
        Some("gaussian") => LoraInit::Gaussian,
        Some("orthogonal") => LoraInit::Orthogonal,
        Some(text) if text == "olora" || text.starts_with("pissa") => {
            let message = format!(
                "is \"{text}\": the adapter belongs to a base that was changed when it began\n\
                 hint: in PEFT, `save_pretrained(DIR, path_initial_model_for_weight_conversion=START)` converts it \
                 to one for the unchanged base, where START holds the adapter as it began"
            );
            fields.problem(NAME, message);
            LoraInit::default()
        }
        _ => {
            // One that chooses A by the data, and both kinds of random numbers, leave the base as it is.
            fields.refuse(NAME, &[true.into(), "eva".into()]);
            LoraInit::default()
        }
    }
}

/// Fields of PEFT's that change the result and are not implemented here.
const UNSUPPORTED: [&str; 11] = [
    "use_qalora",
    "use_bdlora",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
    "layer_replication",
    "target_parameters",
    "trainable_token_indices",
    "lora_bias",
    "ensure_weight_tying",
];
