//! `pilot prompt nearest`: the words next to the vectors of a prompt.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pilotlight_data::Tokenizer;
use pilotlight_tuners::soft_prompt::arithmetic::{Metric, Neighbour, nearest_words};
use serde_json::{Value, json};

use super::SavedPrompt;
use crate::{
    console::{Console, Output},
    devices::DeviceChoice,
    failure::Failure,
    grid::grid,
    loaded::{RawBase, adapter_folder},
    results::visible,
};

/// Print the words whose embeddings are closest to each vector of a prompt
#[derive(Debug, Args)]
#[command(after_help = "\
Vectors seldom stand for the words next to them; clusters of meaning are what can be seen. Special tokens are left \
out. Of a deep prompt the vectors among the input embeddings are shown.

Examples:
  pilot prompt nearest --model MODEL --adapter runs/first
  pilot prompt nearest --model MODEL --adapter runs/first --top 10 --metric euclid --json")]
pub(crate) struct RawNearest {
    #[command(flatten)]
    base: RawBase,
    /// Folder of an adapter, ours or PEFT's, or of a run
    #[arg(long, value_name = "DIR")]
    adapter: PathBuf,
    /// Words for each vector
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// What is close
    #[arg(long, value_enum, default_value_t = MetricChoice::Cosine)]
    metric: MetricChoice,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MetricChoice {
    /// Cosine of the angle: 1 is the same direction
    Cosine,
    /// Euclidean distance: 0 is the same vector
    Euclid,
}

/// The vectors of a prompt and the words next to them.
pub(crate) struct Nearest {
    neighbours: Vec<Vec<Neighbour>>,
    tokenizer: Tokenizer,
    metric: Metric,
    json: bool,
}

impl Nearest {
    pub(crate) fn new(
        raw: &RawNearest,
        device: DeviceChoice,
        console: &Console,
    ) -> Result<Self, Failure> {
        let folder = adapter_folder(&raw.adapter)?;
        let base = raw.base.load(device, console)?;
        let SavedPrompt { prompt, .. } = SavedPrompt::load(&folder, &base)?;
        let metric = match raw.metric {
            MetricChoice::Cosine => Metric::Cosine,
            MetricChoice::Euclid => Metric::Euclidean,
        };
        // A model may have more embeddings than its tokenizer has words.
        let n_words = base.tokenizer.n_vocab();
        let is_word = |id: u32| (id as usize) < n_words && !base.tokenizer.is_special(id);
        let words = base.model.word_embeddings();
        let neighbours = nearest_words(&prompt, &words, metric, raw.top.into(), &is_word)?;
        Ok(Self {
            neighbours,
            tokenizer: base.tokenizer,
            metric,
            json: raw.json,
        })
    }

    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        let mut output = Output::open();
        if self.json {
            let vectors: Vec<Value> = self.neighbours.iter().map(|of| self.listed(of)).collect();
            output.json(&json!({ "metric": self.metric, "vectors": vectors }))?;
            return output.flush();
        }
        let n_columns = self.neighbours.iter().map(Vec::len).max().unwrap_or(0);
        let titles = (1..=n_columns).map(|place| place.to_string());
        let titles = std::iter::once("vector".to_owned()).chain(titles);
        let titles: Vec<(String, bool)> = titles.map(|title| (title, false)).collect();
        let rows = self.neighbours.iter().enumerate();
        let cells = rows.map(|(index, neighbours)| {
            let words = neighbours.iter().map(|Neighbour { id, value }| {
                format!("{} {value:.3}", visible(&self.tokenizer.token_text(*id)))
            });
            let vector = (index + 1).to_string();
            std::iter::once(vector).chain(words).collect()
        });
        output.line(&grid(&titles, cells.collect(), console.output_style()))?;
        output.flush()
    }

    fn listed(&self, neighbours: &[Neighbour]) -> Value {
        let neighbours = neighbours.iter().map(|Neighbour { id, value }| {
            json!({ "id": id, "text": self.tokenizer.token_text(*id), "value": value })
        });
        neighbours.collect()
    }
}
