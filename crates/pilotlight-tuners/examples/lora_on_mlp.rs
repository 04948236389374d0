//! Low-rank updates beside the linear layers of a frozen Burn model of your own.
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Tensor, TensorData, activation::relu};
use pilotlight_core::{Projection, Site};
use pilotlight_tuners::LowRank;

#[derive(Module, Debug)]
struct Mlp {
    up: Linear,
    down: Linear,
}

#[derive(Module, Debug)]
struct LoraMlp {
    base: Mlp, // frozen
    up: LowRank,
    down: LowRank,
}

impl LoraMlp {
    /// From `[n_batch, 16]` to `[n_batch, 4]`.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let inner = relu(self.base.up.forward(x.clone()) + self.up.forward(x));
        self.base.down.forward(inner.clone()) + self.down.forward(inner)
    }
}

/// An update of rank 2: B is zero, so that nothing changes at first.
fn update(linear: &Linear, projection: Projection, device: &Device) -> LowRank {
    let [d_input, d_output] = linear.weight.dims();
    let a = Tensor::<2>::random([d_input, 2], Distribution::Normal(0.0, 0.2), device);
    let b = TensorData::zeros::<f32, _>([2, d_output]);
    let layer = 0;
    LowRank::new(Site { layer, projection }, a.into_data(), b, 2.0, device)
}

pub(crate) fn main() {
    let device = Device::flex().autodiff();
    let up = LinearConfig::new(16, 32).init(&device);
    let down = LinearConfig::new(32, 4).init(&device);
    let mut tuned = LoraMlp {
        up: update(&up, Projection::Up, &device), // 2 * (16 + 32) numbers
        down: update(&down, Projection::Down, &device),
        base: Mlp { up, down }.freeze(),
    };
    let x = Tensor::<2>::random([8, 16], Distribution::Default, &device);
    let (mut optimizer, mut losses) = (AdamWConfig::new().init(), vec![]);
    for _ in 0..50 {
        let loss = (tuned.forward(x.clone()) - 1.5).square().mean(); // your task's loss
        losses.push(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), &tuned);
        tuned = optimizer.step(0.02, tuned, gradients);
    }
    assert!(losses[49] < 0.5 * losses[0], "it learns: {losses:?}");
}
