//! Several tuners at once, such as a soft prompt beside LoRA.
//!
//! Every hook passes through the parts in their order:
//!
//! | hook | of parts `t_1 .. t_k` |
//! |---|---|
//! | `words`, `embed`, `layer_input`, `project_input`, `project_output`, `sublayer_output`, `project_head` | `t_k(.. t_1(x))` |
//! | `prefix` | keys and values of `t_1`, behind them those of `t_2`, and so on |
//! | `untouched` | the smallest of any part |
//! | `merged_output`, `merged_words`, `merged_head` | folded in order; parts that do not act there are passed over |
//! | `merged_input` | folded from the last to the first |
//!
//! A part beside a projection or a branch reads what the parts in front of it made of the input, and changes what
//! they made of the output. Well-known compositions:
//!
//! | | parts |
//! |---|---|
//! | MAM (He et al. 2022, "Towards a Unified View of Parameter-Efficient Transfer Learning") | a prefix, and parallel adapters beside the feed-forward |
//! | prompt and LoRA | a soft prompt, and low-rank updates |
//!
//! A composition of one part is that part: it draws the same first values and computes the same. PEFT cannot express
//! compositions, so that the folder of one is ours alone.

pub mod config;
#[cfg(test)]
mod tests;

use burn::{
    module::Module,
    nn::Linear,
    tensor::{Int, Tensor},
};
use pilotlight_core::{BatchPrefix, Embedded, EmbeddedRow, Site, Sublayer, Tuner};

pub use self::config::ComposeConfig;
use crate::registry::AnyTuner;

/// Several tuners, each of which changes what those in front of it made.
#[derive(Module, Debug)]
pub struct Compose {
    /// The parts in their order.
    pub parts: Vec<AnyTuner>,
    #[module(skip)]
    pub(crate) config: ComposeConfig,
}

impl Compose {
    /// The tuners one after the other.
    pub fn new(parts: Vec<AnyTuner>) -> Self {
        let config = ComposeConfig {
            parts: parts.iter().map(AnyTuner::config).collect(),
        };
        Self { parts, config }
    }

    fn fold<T>(&self, start: T, apply: impl Fn(&AnyTuner, T) -> T) -> T {
        self.parts
            .iter()
            .fold(start, |made, part| apply(part, made))
    }
}

/// What is left when each part replaces `base` in turn; `None` if none does.
fn replaced<'a, T>(
    parts: impl Iterator<Item = &'a AnyTuner>,
    base: &T,
    replace: impl Fn(&AnyTuner, &T) -> Option<T>,
) -> Option<T> {
    parts.fold(None, |made, part| {
        let next = replace(part, made.as_ref().unwrap_or(base));
        next.or(made)
    })
}

impl Tuner for Compose {
    fn words(&self, weight: &Tensor<2>, ids: &Tensor<2, Int>, embeddings: Tensor<3>) -> Tensor<3> {
        self.fold(embeddings, |part, made| part.words(weight, ids, made))
    }

    fn embed(&self, embedded: Embedded) -> Embedded {
        self.fold(embedded, |part, made| part.embed(made))
    }

    fn prefix(&self, layer: usize, n_batch: usize) -> Option<BatchPrefix> {
        let prefixes = self.parts.iter();
        prefixes
            .filter_map(|part| part.prefix(layer, n_batch))
            .reduce(BatchPrefix::append)
    }

    fn layer_input(&self, layer: usize, rows: &[EmbeddedRow], input: Tensor<3>) -> Tensor<3> {
        self.fold(input, |part, made| part.layer_input(layer, rows, made))
    }

    fn project_input(&self, site: Site, input: Tensor<3>) -> Tensor<3> {
        self.fold(input, |part, made| part.project_input(site, made))
    }

    fn project_output(
        &self,
        site: Site,
        base: &Linear,
        input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        self.fold(output, |part, made| {
            part.project_output(site, base, input, made)
        })
    }

    fn sublayer_output(
        &self,
        layer: usize,
        sublayer: Sublayer,
        input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        self.fold(output, |part, made| {
            part.sublayer_output(layer, sublayer, input, made)
        })
    }

    fn project_head(
        &self,
        weight: &Tensor<2>,
        rows: &[usize],
        states: &Tensor<2>,
        scores: Tensor<2>,
    ) -> Tensor<2> {
        self.fold(scores, |part, made| {
            part.project_head(weight, rows, states, made)
        })
    }

    fn merged_output(&self, site: Site, base: &Linear) -> Option<Linear> {
        replaced(self.parts.iter(), base, |part, made| {
            part.merged_output(site, made)
        })
    }

    fn merged_input(&self, site: Site, base: &Linear) -> Option<Linear> {
        replaced(self.parts.iter().rev(), base, |part, made| {
            part.merged_input(site, made)
        })
    }

    fn merged_words(&self, weight: &Tensor<2>) -> Option<Tensor<2>> {
        replaced(self.parts.iter(), weight, AnyTuner::merged_words)
    }

    fn merged_head(&self, weight: &Tensor<2>) -> Option<Tensor<2>> {
        replaced(self.parts.iter(), weight, AnyTuner::merged_head)
    }

    fn untouched(&self, index: usize, row: &EmbeddedRow) -> usize {
        let parts = self.parts.iter();
        let untouched = parts.map(|part| part.untouched(index, row));
        untouched.min().unwrap_or(row.len)
    }
}
