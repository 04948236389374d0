//! Arithmetic with learned prompts: sums of them, and the words that their vectors are close to.
//!
//! | | |
//! |---|---|
//! | [`average`] | `1/k (P_1 + .. + P_k)` |
//! | [`interpolate`] | `(1 - w) P_1 + w P_2`; beyond 0 and 1 it extrapolates |
//! | [`weighted_sum`] | `w_1 P_1 + .. + w_k P_k` |
//! | [`nearest_words`] | for each vector the words whose embeddings are closest to it |
//!
//! Prompts trained from the same first values lie in one basin more often than others, and average better. Vectors seldom
//! stand for the words next to them (Lester et al. 2021, section 7): these show clusters of meaning, not a text.
//!
//! ```
//! # use burn::tensor::{Device, Tensor};
//! # use pilotlight_tuners::{SoftPrompt, SoftPromptConfig};
//! use pilotlight_tuners::soft_prompt::arithmetic::{Metric, average, nearest_words};
//!
//! # let device = Device::default();
//! # let config = SoftPromptConfig { prompt_length: Some(1), ..SoftPromptConfig::default() };
//! let [first, second] = [[[1.0, 0.0]], [[0.0, 1.0]]]
//!     .map(|vectors: [[f32; 2]; 1]| SoftPrompt::new(config.clone(), vectors, &device));
//! let mean = average(&[&first, &second])?;
//! let words = Tensor::from_data([[3.0, 0.0], [2.0, 2.0]], &device);
//! let nearest = nearest_words(&mean, &words, Metric::Cosine, 1, &|_| true)?;
//! assert_eq!(nearest[0][0].id, 1);
//! # Ok::<(), pilotlight_tuners::TunerError>(())
//! ```

use burn::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};

use super::SoftPrompt;
use crate::{
    error::{Problems, TunerError},
    method::Method,
};

/// How close two vectors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The cosine of the angle between them: the larger, the closer. That with a zero vector is 0.
    #[default]
    Cosine,
    /// The Euclidean distance: the smaller, the closer.
    Euclidean,
}

/// A word close to a vector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its token id.
    pub id: u32,
    /// Its similarity or distance, whichever was asked for.
    pub value: f32,
}

/// The mean of several prompts.
///
/// # Errors
///
/// As [`weighted_sum`].
pub fn average(prompts: &[&SoftPrompt]) -> Result<SoftPrompt, TunerError> {
    let weight = 1.0 / prompts.len() as f64;
    let weighted: Vec<_> = prompts.iter().map(|prompt| (*prompt, weight)).collect();
    weighted_sum(&weighted)
}

/// `1 - weight` of the first prompt and `weight` of the second.
///
/// # Errors
///
/// As [`weighted_sum`].
pub fn interpolate(
    first: &SoftPrompt,
    second: &SoftPrompt,
    weight: f64,
) -> Result<SoftPrompt, TunerError> {
    weighted_sum(&[(first, 1.0 - weight), (second, weight)])
}

/// The sum of several prompts, each times its weight, where the first has its place. Of a prompt that is trained through
/// an encoder the encoder's output counts; the sum has no encoder.
///
/// # Errors
///
/// If there are no prompts, a weight is not finite, or two prompts differ in length, width or place.
pub fn weighted_sum(prompts: &[(&SoftPrompt, f64)]) -> Result<SoftPrompt, TunerError> {
    let Some(((first, _), _)) = prompts.split_first() else {
        return Err(TunerError::key("prompts", "are none"));
    };
    let mut problems = Problems::default();
    for (index, (prompt, weight)) in prompts.iter().enumerate() {
        let key = format!("prompts[{index}]");
        if !weight.is_finite() {
            problems.push(&key, format!("has the weight {weight}"));
        }
        difference(first, prompt, &mut |message| problems.push(&key, message));
    }
    problems.into_result()?;
    let device = first.vectors.val().device();
    let sum = prompts
        .iter()
        .map(|(prompt, weight)| {
            let vectors = prompt.prompt().detach();
            vectors.to_device(&device).mul_scalar(*weight)
        })
        .reduce(|sum, next| sum + next);
    let sum = sum.expect("there is a first prompt").into_data();
    Ok(SoftPrompt::new(first.config.saved(), sum, &device))
}

/// Tells in what a prompt differs from the first one, so that their vectors do not stand for the same.
fn difference(first: &SoftPrompt, prompt: &SoftPrompt, tell: &mut dyn FnMut(String)) {
    let [n_first, first_width] = first.prompt().dims();
    let [n_vectors, width] = prompt.prompt().dims();
    if n_vectors != n_first {
        tell(format!(
            "has {n_vectors} vectors, but the first prompt has {n_first}"
        ));
    }
    if width != first_width {
        tell(format!(
            "has vectors of width {width}, but those of the first prompt have {first_width}\n\
             hint: were they learned with different models?"
        ));
    }
    if prompt.config.placement != first.config.placement {
        tell("stands at another place than the first prompt".into());
    }
    if prompt.config.deep != first.config.deep {
        tell("is deep and the first prompt is not, or the other way round".into());
    }
}

/// For each vector of a prompt the `n` closest of the words whose ids `keep` lets through, the closest first. Of a deep
/// prompt these are the vectors among the input embeddings.
///
/// # Shapes
///
/// - words: `[n_vocab, d_model]`
/// - result: `[prompt_length, min(n, n_words)]`
///
/// # Errors
///
/// If the embeddings are not as wide as the vectors.
pub fn nearest_words(
    prompt: &SoftPrompt,
    words: &Tensor<2>,
    metric: Metric,
    n: usize,
    keep: &dyn Fn(u32) -> bool,
) -> Result<Vec<Vec<Neighbour>>, TunerError> {
    let vectors = prompt.prompt().detach();
    let prompt_length = prompt.config.prompt_length();
    let vectors = vectors.slice_dim(0, 0..prompt_length);
    let [_, width] = vectors.dims();
    let [_, d_model] = words.dims();
    if width != d_model {
        return Err(TunerError::key(
            "prompt",
            format!(
                "has vectors of width {width}, but the model's word embeddings have {d_model}\n\
                 hint: was it learned with another model?"
            ),
        ));
    }
    let words = words.clone().detach().cast(DType::F32);
    let vectors = vectors.to_device(&words.device());
    let nearest = (0..prompt_length).map(|index| {
        let vector = vectors.clone().slice_dim(0, index..index + 1);
        let values = match metric {
            Metric::Cosine => cosines(&words, vector),
            Metric::Euclidean => distances(&words, vector),
        };
        let values: Vec<f32> = values.into_data().try_into_vec().expect("computed in f32");
        closest(values, metric, n, keep)
    });
    Ok(nearest.collect())
}

/// Of each row of `words` `[n_vocab, d_model]` with `vector` `[1, d_model]`: `[n_vocab, 1]`.
fn cosines(words: &Tensor<2>, vector: Tensor<2>) -> Tensor<2> {
    let norms = norms(words.clone()) * norms(vector.clone());
    // Anything above 0 turns the product of a zero vector, which is 0, into a cosine of 0.
    words.clone().matmul(vector.transpose()) / norms.clamp_min(f32::MIN_POSITIVE)
}

/// Likewise. The differences are squared themselves: the sum of squares less twice the product loses the digits of what
/// is close.
fn distances(words: &Tensor<2>, vector: Tensor<2>) -> Tensor<2> {
    norms(words.clone() - vector)
}

/// Of each row of `[n, d_model]`: `[n, 1]`.
fn norms(rows: Tensor<2>) -> Tensor<2> {
    rows.powi_scalar(2).sum_dim(1).sqrt()
}

fn closest(
    values: Vec<f32>,
    metric: Metric,
    n: usize,
    keep: &dyn Fn(u32) -> bool,
) -> Vec<Neighbour> {
    let mut neighbours: Vec<Neighbour> = (0..)
        .zip(values)
        .map(|(id, value)| Neighbour { id, value })
        .filter(|neighbour| keep(neighbour.id))
        .collect();
    let by_closeness = |a: &Neighbour, b: &Neighbour| {
        let nearer_first = match metric {
            Metric::Cosine => b.value.total_cmp(&a.value),
            Metric::Euclidean => a.value.total_cmp(&b.value),
        };
        nearer_first.then(a.id.cmp(&b.id))
    };
    neighbours.sort_unstable_by(by_closeness);
    neighbours.truncate(n);
    neighbours
}
