//! `pilot data show`: examples as the model sees them.

use burn::tensor::Tensor;
use clap::Args;
use pilotlight_compare::{Base, Experiment, Resolver, run::tuned};
use pilotlight_core::{Embedded, TokenRow, Tuner};
use pilotlight_data::{Example, Split, Target, TaskData};
use pilotlight_train::Tuned;
use serde::Serialize;
use serde_json::{Map, json};

use crate::{
    commands::eval::SplitChoice,
    console::{Console, Output, Style},
    devices::DeviceList,
    experiments::{Machine, RawExperiment},
    failure::Failure,
    results::visible,
};

/// Show examples as the model sees them
#[derive(Debug, Args)]
#[command(after_help = "\
Tokens are parted by blanks and show their own blanks as `·`. <1-20> are learned vectors, [..] is a token that is \
trained on. Numbers of labels and of shortened texts come first.

Examples:
  pilot data show experiment.toml
  pilot data show experiment.toml --split test --limit 10 --set task.max_tokens=64
  pilot data show experiment.toml --json | jq .labels")]
pub(crate) struct RawShow {
    #[command(flatten)]
    experiment: RawExperiment,
    /// Which examples
    #[arg(long, value_enum, default_value_t = SplitChoice::Train)]
    split: SplitChoice,
    /// The most examples to show
    #[arg(long, value_name = "N", default_value_t = 3)]
    limit: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is to be shown.
pub(crate) struct Show {
    experiment: Experiment,
    split: SplitChoice,
    limit: usize,
    json: bool,
}

/// An example as the model sees it.
#[derive(Serialize)]
struct Shown {
    /// Line of the source.
    line: usize,
    /// What stands at each position of the sequence.
    sequence: Vec<Slot>,
    /// The class that a linear head is trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
}

/// What stands at a position.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum Slot {
    /// A learned vector.
    Vector { number: usize },
    /// A token.
    Token {
        id: u32,
        text: String,
        trained: bool,
    },
}

impl Show {
    pub(crate) fn new(raw: &RawShow, device: Option<DeviceList>) -> Result<Self, Failure> {
        Ok(Self {
            experiment: raw.experiment.read(device)?,
            split: raw.split,
            limit: raw.limit,
            json: raw.json,
        })
    }

    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        let Experiment { config, origins } = &self.experiment;
        let machine = Machine::new(console);
        let device = machine.device(&config.device, config.base.dtype)?;
        let base = Base::load(&config.base, config.seed, &machine, &device)?;
        let data = base.prepare(config, origins)?;
        let tuned = tuned(&base, config, &data)?;
        let split = self.split.of(&data);
        let examples = split.examples.iter().take(self.limit);
        let shown: Vec<Shown> = examples
            .map(|example| show(example, &data, &tuned, &base))
            .collect();
        let longest = split
            .examples
            .iter()
            .map(|example| example.input.ids.len())
            .max()
            .unwrap_or(0);

        let mut output = Output::open();
        if self.json {
            let labels = labels(split, &data).into_iter();
            let labels: Map<_, _> = labels
                .map(|(label, count)| (label.to_owned(), json!(count)))
                .collect();
            output.json(&json!({
                "split": self.split.name(),
                "n_examples": split.examples.len(),
                "longest_input": longest,
                "labels": labels,
                "truncated": { "examples": split.truncation.examples, "tokens": split.truncation.tokens_cut },
                "examples": shown,
            }))?;
            return output.flush();
        }
        let style = console.output_style();
        let n_examples = split.examples.len();
        output.line(&style.strong(&format!("{}: {n_examples} examples", self.split.name())))?;
        for (label, count) in labels(split, &data) {
            let share = 100.0 * count as f64 / n_examples.max(1) as f64;
            output.line(&format!("  {label}: {count} ({share:.1} %)"))?;
        }
        output.line(&format!("  longest input: {longest} tokens"))?;
        let cut = split.truncation;
        output.line(&format!(
            "  shortened: {} examples, by {} tokens",
            cut.examples, cut.tokens_cut
        ))?;
        for example in &shown {
            output.line("")?;
            output.line(&style.strong(&format!("line {}", example.line)))?;
            output.line(&example.text(style))?;
        }
        output.flush()
    }
}

/// The labels of the examples of a split, and how many of them bear each.
fn labels<'a>(split: &Split, data: &'a TaskData) -> Vec<(&'a str, usize)> {
    let of_class = |class: usize| {
        let examples = split.examples.iter();
        examples
            .filter(|example| example.target == Target::Class(class))
            .count()
    };
    let labels = data.labels.iter().enumerate();
    labels
        .map(|(class, label)| (label.as_str(), of_class(class)))
        .collect()
}

fn show(example: &Example, data: &TaskData, tuned: &Tuned, base: &Base) -> Shown {
    let mut class = None;
    // Tokens from this one on are trained on.
    let (row, first_trained) = match &example.target {
        Target::Completion(answer) => (example.with_answer(answer), example.input.ids.len()),
        Target::Text => (example.input.clone(), 1),
        Target::Class(index) => match &data.verbalizer {
            Some(verbalizer) => {
                let words = &verbalizer.labels[*index].words;
                (example.with_answer(&words[0]), example.input.ids.len())
            }
            None => {
                class = data.labels.get(*index).cloned();
                (example.input.clone(), example.input.ids.len())
            }
        },
    };
    Shown {
        line: example.origin,
        sequence: sequence(&row, first_trained, tuned, base),
        class,
    }
}

fn sequence(row: &TokenRow, first_trained: usize, tuned: &Tuned, base: &Base) -> Vec<Slot> {
    // Where the tuner inserts its vectors shows by what it does to a row, whatever its method.
    let spec = base.model.spec();
    let zeros = Tensor::zeros([1, row.ids.len(), spec.d_model], &tuned.device());
    let embedded = tuned
        .tuner
        .embed(Embedded::new(zeros, std::slice::from_ref(row)));
    let embedded = &embedded.rows[0];
    let (mut slots, mut token, mut n_vectors) = (Vec::with_capacity(embedded.len), 0, 0);
    for position in 0..embedded.len {
        if embedded.token_positions.get(token) == Some(&position) {
            let id = row.ids[token];
            slots.push(Slot::Token {
                id,
                text: base.tokenizer.token_text(id).into_owned(),
                trained: token >= first_trained,
            });
            token += 1;
        } else {
            n_vectors += 1;
            slots.push(Slot::Vector { number: n_vectors });
        }
    }
    slots
}

impl Shown {
    fn text(&self, style: Style) -> String {
        let mut words: Vec<String> = Vec::new();
        let mut vectors: Option<(usize, usize)> = None;
        let range = |(first, last): (usize, usize)| match first == last {
            true => style.hint(&format!("<{first}>")),
            false => style.hint(&format!("<{first}-{last}>")),
        };
        for slot in &self.sequence {
            match slot {
                Slot::Vector { number } => {
                    vectors = Some((vectors.map_or(*number, |(first, _)| first), *number));
                }
                Slot::Token { text, trained, .. } => {
                    words.extend(vectors.take().map(range));
                    let text = visible(text);
                    words.push(match trained {
                        true => style.strong(&format!("[{text}]")),
                        false => text,
                    });
                }
            }
        }
        words.extend(vectors.take().map(range));
        if let Some(class) = &self.class {
            words.push(format!("-> class {}", style.strong(class)));
        }
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_reads_well_without_color() {
        let token = |text: &str, trained| Slot::Token {
            id: 0,
            text: text.to_owned(),
            trained,
        };
        let mut sequence = vec![token("A", false), token(" film", false)];
        sequence.extend((1..=3).map(|number| Slot::Vector { number }));
        sequence.push(token("\n", false));
        sequence.push(Slot::Vector { number: 4 });
        sequence.push(token(" good", true));
        let shown = Shown {
            line: 1,
            sequence,
            class: None,
        };
        assert_eq!(shown.text(Style::plain()), "A ·film <1-3> \\n <4> [·good]");
    }
}
