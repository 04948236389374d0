//! Ready-made comparisons inside the program.

use crate::error::CompareError;

/// A ready-made comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it compares on what, in a line.
    pub summary: &'static str,
    /// What it needs to be fetched by `cargo xtask fetch` or `pilot fetch`.
    pub needs: &'static [&'static str],
    /// Its experiment file.
    pub text: &'static str,
}

/// All presets.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "default",
        summary: "a small decoder inside the program reads the sentiment of sentences",
        needs: &[],
        text: include_str!("../presets/default.toml"),
    },
    Preset {
        name: "methods",
        summary: "the same by every method of this program",
        needs: &[],
        text: include_str!("../presets/methods.toml"),
    },
    Preset {
        name: "length",
        summary: "how many vectors a prompt and a prefix have",
        needs: &[],
        text: include_str!("../presets/length.toml"),
    },
    Preset {
        name: "placement",
        summary: "where the vectors of a prompt stand: before, amid or behind the text, or parted",
        needs: &[],
        text: include_str!("../presets/placement.toml"),
    },
    Preset {
        name: "init",
        summary: "what the vectors of a prompt are at first",
        needs: &[],
        text: include_str!("../presets/init.toml"),
    },
    Preset {
        name: "data-size",
        summary: "how many examples of each class there are to train on",
        needs: &[],
        text: include_str!("../presets/data-size.toml"),
    },
    Preset {
        name: "learning-rate",
        summary: "how much methods depend on their learning rate",
        needs: &[],
        text: include_str!("../presets/learning-rate.toml"),
    },
    Preset {
        name: "domain-shift",
        summary: "trained on reviews of one domain, tested on each of three",
        needs: &[],
        text: include_str!("../presets/domain-shift.toml"),
    },
    Preset {
        name: "ensembles",
        summary: "the prompts of three and of five seeds that vote, against one",
        needs: &[],
        text: include_str!("../presets/ensembles.toml"),
    },
    Preset {
        name: "model-size",
        summary: "the same methods on the small model inside the program and on SmolLM2-135M",
        needs: &["smollm2-135m-instruct"],
        text: include_str!("../presets/model-size.toml"),
    },
    Preset {
        name: "smollm2-sentences",
        summary: "SmolLM2-135M-Instruct reads the sentiment of sentences from three domains",
        needs: &["smollm2-135m-instruct", "sentences"],
        text: include_str!("../presets/smollm2-sentences.toml"),
    },
    Preset {
        name: "smollm2-sarcasm",
        summary: "SmolLM2-135M-Instruct tells sarcastic headlines from serious ones",
        needs: &["smollm2-135m-instruct", "sarcasm"],
        text: include_str!("../presets/smollm2-sarcasm.toml"),
    },
    Preset {
        name: "minilm-rotten-tomatoes",
        summary: "MiniLM-L6, an encoder with a head, judges film reviews",
        needs: &["minilm-l6", "rotten-tomatoes"],
        text: include_str!("../presets/minilm-rotten-tomatoes.toml"),
    },
    Preset {
        name: "e5-chinese-reviews",
        summary: "multilingual-e5-small, an encoder with a head, judges Chinese reviews",
        needs: &["multilingual-e5-small", "chinese-reviews"],
        text: include_str!("../presets/e5-chinese-reviews.toml"),
    },
];

/// Models and tasks that presets and files stand on by `preset = "NAME"`: they compare nothing by themselves.
const TASKS: &[(&str, &str)] = &[("sentences", include_str!("../presets/sentences.toml"))];

/// The experiment file of the preset of this name, or of the task that presets stand on.
///
/// # Errors
///
/// As [`find`].
pub(crate) fn text(name: &str) -> Result<&'static str, CompareError> {
    match TASKS.iter().find(|(task, _)| *task == name) {
        Some((_, text)) => Ok(text),
        None => find(name).map(|preset| preset.text),
    }
}

/// The preset of this name.
///
/// # Errors
///
/// [`CompareError::Preset`] if there is none.
pub fn find(name: &str) -> Result<&'static Preset, CompareError> {
    let preset = PRESETS.iter().find(|preset| preset.name == name);
    preset.ok_or_else(|| CompareError::Preset {
        name: name.to_owned(),
        hint: {
            let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
            format!("there are {}", names.join(", "))
        },
    })
}
