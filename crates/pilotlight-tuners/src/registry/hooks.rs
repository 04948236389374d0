//! A tuner of any method acts as the method does.

use burn::{
    nn::Linear,
    tensor::{Int, Tensor},
};
use pilotlight_core::{BatchPrefix, Embedded, EmbeddedRow, Site, Sublayer, Tuner};

use super::AnyTuner;

impl Tuner for AnyTuner {
    fn embed(&self, embedded: Embedded) -> Embedded {
        self.hooks().embed(embedded)
    }

    fn words(&self, weight: &Tensor<2>, ids: &Tensor<2, Int>, embeddings: Tensor<3>) -> Tensor<3> {
        self.hooks().words(weight, ids, embeddings)
    }

    fn prefix(&self, layer: usize, n_batch: usize) -> Option<BatchPrefix> {
        self.hooks().prefix(layer, n_batch)
    }

    fn layer_input(&self, layer: usize, rows: &[EmbeddedRow], input: Tensor<3>) -> Tensor<3> {
        self.hooks().layer_input(layer, rows, input)
    }

    fn project_input(&self, site: Site, input: Tensor<3>) -> Tensor<3> {
        self.hooks().project_input(site, input)
    }

    fn project_output(
        &self,
        site: Site,
        base: &Linear,
        input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        self.hooks().project_output(site, base, input, output)
    }

    fn sublayer_output(
        &self,
        layer: usize,
        sublayer: Sublayer,
        input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        self.hooks().sublayer_output(layer, sublayer, input, output)
    }

    fn project_head(
        &self,
        weight: &Tensor<2>,
        rows: &[usize],
        states: &Tensor<2>,
        scores: Tensor<2>,
    ) -> Tensor<2> {
        self.hooks().project_head(weight, rows, states, scores)
    }

    fn merged_output(&self, site: Site, base: &Linear) -> Option<Linear> {
        self.hooks().merged_output(site, base)
    }

    fn merged_input(&self, site: Site, base: &Linear) -> Option<Linear> {
        self.hooks().merged_input(site, base)
    }

    fn merged_words(&self, weight: &Tensor<2>) -> Option<Tensor<2>> {
        self.hooks().merged_words(weight)
    }

    fn merged_head(&self, weight: &Tensor<2>) -> Option<Tensor<2>> {
        self.hooks().merged_head(weight)
    }

    fn untouched(&self, index: usize, row: &EmbeddedRow) -> usize {
        self.hooks().untouched(index, row)
    }
}
