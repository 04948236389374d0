//! The low-rank update of one weight.

use burn::{
    module::{Module, Param},
    nn::Dropout,
    tensor::{
        DType, Device, Int, Tensor, TensorData,
        module::{embedding, linear},
    },
};

use super::{
    magnitude::{Magnitude, Squares},
    target::Target,
};

/// The low-rank update `s * x A B` of one weight, and with DoRA the length of each of its columns.
#[derive(Module, Debug)]
pub struct LowRank {
    /// The narrowing factor A `[d_input, rank]`.
    pub a: Param<Tensor<2>>,
    /// The widening factor B `[rank, d_output]`.
    pub b: Param<Tensor<2>>,
    /// The first factors, where they are a part of the weight that is taken off it.
    pub start: Option<Start>,
    /// DoRA's magnitudes.
    pub magnitude: Option<Magnitude>,
    /// The bias `[d_output]` that takes the place of the projection's.
    pub bias: Option<Param<Tensor<1>>>,
    /// The weight.
    #[module(skip)]
    pub target: Target,
    /// The factor s.
    #[module(skip)]
    pub scale: f64,
}

/// Factors `A0` and `B0` that an update starts from and that are taken off the weight; they are never trained.
#[derive(Module, Debug)]
pub struct Start {
    /// `A0` `[d_input, rank]`.
    pub a: Param<Tensor<2>>,
    /// `B0` `[rank, d_output]`.
    pub b: Param<Tensor<2>>,
}

/// A weight of the base, as a hook is given it.
pub(super) struct Weight<'a> {
    /// `[d_input, d_output]`.
    pub(super) values: &'a Tensor<2>,
    /// `[d_output]`.
    pub(super) bias: Option<Tensor<1>>,
    /// What is known of the squares of `values`.
    pub(super) squares: Squares<'a>,
}

impl<'a> Weight<'a> {
    /// A weight without a bias, of which nothing is remembered.
    pub(super) fn of(values: &'a Tensor<2>) -> Self {
        Self {
            values,
            bias: None,
            squares: Squares::Compute,
        }
    }
}

impl LowRank {
    /// The update of the given factors.
    pub fn new(
        target: impl Into<Target>,
        a: TensorData,
        b: TensorData,
        scale: f64,
        device: &Device,
    ) -> Self {
        Self {
            a: Param::from_data(a, device),
            b: Param::from_data(b, device),
            start: None,
            magnitude: None,
            bias: None,
            target: target.into(),
            scale,
        }
    }

    /// The same where its factors are a part of the weight and are taken off it: a new update that changes nothing.
    #[must_use]
    pub(super) fn taken_off(mut self) -> Self {
        let [a, b] = [&self.a, &self.b]
            .map(|factor| Param::from_tensor(factor.val().detach()).set_require_grad(false));
        self.start = Some(Start { a, b });
        self
    }

    /// The same with DoRA's magnitudes.
    #[must_use]
    pub(super) fn with_magnitude(mut self, magnitude: Option<Magnitude>) -> Self {
        self.magnitude = magnitude;
        self
    }

    /// The same with a bias of its own.
    #[must_use]
    pub(super) fn with_bias(mut self, bias: Option<TensorData>, device: &Device) -> Self {
        self.bias = bias.map(|bias| Param::from_data(bias, device));
        self
    }

    /// The update of an input, magnitudes left aside.
    ///
    /// # Shapes
    ///
    /// - input: `[.., d_input]`
    /// - output: `[.., d_output]`
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let [a, b] = self.factors();
        self.widen(linear(input, a, None), b)
    }

    /// The factors of the update: A and B, or those of a rank twice as high whose product is `A B - A0 B0`.
    ///
    /// They are `[A - A0, A0]` and `[B; B - B0]`, which a new update makes exactly nothing of, and one that has
    /// learned little loses no digits to.
    pub(super) fn factors(&self) -> [Tensor<2>; 2] {
        let (a, b) = (self.a.val(), self.b.val());
        let Some(start) = &self.start else {
            return [a, b];
        };
        [
            Tensor::cat(vec![a - start.a.val(), start.a.val()], 1),
            Tensor::cat(vec![b.clone(), b - start.b.val()], 0),
        ]
    }

    fn widen<const D: usize>(&self, narrow: Tensor<D>, b: Tensor<2>) -> Tensor<D> {
        // The scale goes to the narrow side, where it costs next to nothing.
        linear(narrow.mul_scalar(self.scale), b, None)
    }

    /// What a weight and its update make of an input, of which the weight alone makes `output`.
    ///
    /// # Shapes
    ///
    /// - input: `[.., d_input]`
    /// - output, result: `[.., d_output]`
    pub(super) fn project<const D: usize>(
        &self,
        weight: &Weight<'_>,
        input: &Tensor<D>,
        output: Tensor<D>,
        dropout: &Dropout,
    ) -> Tensor<D> {
        let dtype = output.dtype();
        let plain = input.clone().cast(DType::F32);
        let dropped = dropout.forward(plain.clone());
        let is_dropping =
            dropout.prob > 0.0 && dropout.training.is_enabled() && input.is_autodiff();
        let update = self.forward(dropped.clone());
        let output = match &self.start {
            // What is taken off the weight sees the whole input, as the rest of the weight does.
            Some(start) if is_dropping => {
                let narrow = linear(dropped.clone() - plain, start.a.val(), None);
                output + self.widen(narrow, start.b.val()).cast(dtype)
            }
            _ => output,
        };
        let Some(magnitude) = &self.magnitude else {
            return self.rebias(output + update.cast(dtype), weight);
        };
        // The magnitudes act on what the weight makes of the same input as the update's, and not on the bias.
        let rescaled = if is_dropping {
            let dropped = dropped.cast(weight.values.dtype());
            linear(dropped, weight.values.clone(), None).cast(DType::F32)
        } else {
            let output = output.clone().cast(DType::F32);
            match &weight.bias {
                Some(bias) => output - bias.clone().cast(DType::F32).unsqueeze(),
                None => output,
            }
        };
        let ratio = magnitude.ratio(self.norm(weight));
        self.rebias(rescale(output, rescaled, update, ratio), weight)
    }

    /// The output with the update's own bias in place of the weight's.
    fn rebias<const D: usize>(&self, output: Tensor<D>, weight: &Weight<'_>) -> Tensor<D> {
        let Some(bias) = &self.bias else {
            return output;
        };
        let dtype = output.dtype();
        let more = match &weight.bias {
            Some(old) => bias.val() - old.clone().cast(DType::F32),
            None => bias.val(),
        };
        output + more.cast(dtype).unsqueeze()
    }

    /// What the words' weight and its update make of token ids `[n_batch, n_seq]`, of which the weight alone makes
    /// `output`.
    ///
    /// # Shapes
    ///
    /// - output, result: `[n_batch, n_seq, d_output]`
    pub(super) fn look_up(
        &self,
        weight: &Weight<'_>,
        ids: &Tensor<2, Int>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        let [a, b] = self.factors();
        let update = self.widen(embedding(a, ids.clone()), b);
        let Some(magnitude) = &self.magnitude else {
            let dtype = output.dtype();
            return output + update.cast(dtype);
        };
        let ratio = magnitude.ratio(self.norm(weight));
        let rescaled = output.clone().cast(DType::F32);
        rescale(output, rescaled, update, ratio)
    }

    /// The weight with the update folded in.
    pub(super) fn merged(&self, weight: &Tensor<2>) -> Tensor<2> {
        let dtype = weight.dtype();
        let [a, b] = self.factors();
        let update = a.matmul(b).mul_scalar(self.scale);
        let mut merged = weight.clone().cast(DType::F32) + update;
        if let Some(magnitude) = &self.magnitude {
            let ratio = magnitude.ratio(self.norm(&Weight::of(weight)));
            merged = merged * ratio.unsqueeze();
        }
        merged.cast(dtype).detach()
    }

    /// The length `|W + s A B|` of each column `[1, d_output]`, without a gradient.
    ///
    /// The update is never formed: `|W|^2 + 2 s <W, A B> + s^2 |A B|^2` needs `A^T W` and `A^T A` alone, both `rank`
    /// rows high.
    pub(super) fn norm(&self, weight: &Weight<'_>) -> Tensor<2> {
        let [a, b] = self.factors().map(Tensor::inner);
        let values = || weight.values.clone().inner().cast(DType::F32);
        let turned = a.clone().transpose();
        let cross = turned.clone().matmul(values()).mul_scalar(2.0 * self.scale);
        let own = turned.matmul(a).matmul(b.clone());
        let more = ((cross + own.mul_scalar(self.scale * self.scale)) * b).sum_dim(0);
        let squares = weight.squares.get(|| values().square().sum_dim(0));
        // A column of zeros has the length 0 and stays one whatever it is divided by.
        (squares + more).clamp_min(1e-30).sqrt()
    }
}

/// `output + (ratio - 1) * rescaled + ratio * update`: where the ratio is 1 this is exactly `output + update`.
fn rescale<const D: usize>(
    output: Tensor<D>,
    rescaled: Tensor<D>,
    update: Tensor<D>,
    ratio: Tensor<1>,
) -> Tensor<D> {
    let dtype = output.dtype();
    let ratio: Tensor<D> = ratio.unsqueeze();
    let more = rescaled * ratio.clone().sub_scalar(1.0) + update * ratio;
    (output.cast(DType::F32) + more).cast(dtype)
}
