//! A method of your own, with one hook: a learned vector behind each branch of a frozen model.
use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Tensor};
use pilotlight_core::{Identity, Sublayer, Tuner};

#[derive(Module, Debug)]
struct Steering {
    vectors: Param<Tensor<2>>, // [n_layers, d_model]
}

impl Tuner for Steering {
    fn sublayer_output(
        &self,
        layer: usize,
        _sublayer: Sublayer,
        _input: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        let vector = self.vectors.val().slice_dim(0, layer..layer + 1);
        output + vector.unsqueeze::<3>()
    }
}

/// Any model that calls the hook where a branch ends; Pilotlight's own models call all hooks.
#[derive(Module, Debug)]
struct Branches {
    layers: Vec<Linear>,
}

impl Branches {
    fn forward(&self, input: Tensor<3>, tuner: &dyn Tuner) -> Tensor<3> {
        let layers = self.layers.iter().enumerate();
        layers.fold(input, |x, (layer, linear)| {
            let output = linear.forward(x.clone()).tanh();
            x.clone() + tuner.sublayer_output(layer, Sublayer::FeedForward, &x, output)
        })
    }
}

pub(crate) fn main() {
    let device = Device::flex().autodiff();
    let layer = |_| LinearConfig::new(8, 8).init(&device);
    let layers = (0..3).map(layer).collect();
    let base = Branches { layers }.no_grad();
    let vectors = Param::from_tensor(Tensor::zeros([3, 8], &device));
    let mut steering = Steering { vectors };
    let input = Tensor::<3>::random([2, 5, 8], Distribution::Default, &device);
    let wanted = base.forward(input.clone(), &Identity) + 1.0;
    let (mut optimizer, mut losses) = (AdamWConfig::new().init(), vec![]);
    for _ in 0..30 {
        let found = base.forward(input.clone(), &steering);
        let loss = (found - wanted.clone()).square().mean();
        losses.push(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), &steering);
        steering = optimizer.step(0.05, steering, gradients);
    }
    assert!(losses[29] < 0.1 * losses[0], "it learns: {losses:?}");
}
