//! The first values of a soft prompt. Everything is drawn on the CPU, so that every backend starts alike.

use std::collections::HashSet;

use burn::tensor::{DType, Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Init, SoftPromptConfig};
use crate::{
    adapter_files, error::TunerError, method::InitContext, random::normal, registry::AnyTuner,
};

/// The vectors, in f32. Those of each layer of a deep prompt start by the same rule, and with draws of their own.
pub(super) fn vectors(
    config: &SoftPromptConfig,
    context: &InitContext<'_>,
    random: &mut ChaCha8Rng,
) -> Result<TensorData, TunerError> {
    let n_vectors = config.n_vectors(context.spec());
    let d_model = context.spec().d_model;
    let values = match config.first_values() {
        Init::Random => {
            let mut values = normal(random, n_vectors * d_model);
            let norm = mean_norm(&context.base.word_embeddings());
            for vector in values.chunks_exact_mut(d_model) {
                let own: f64 = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
                vector.iter_mut().for_each(|x| *x *= norm / own);
            }
            values.into_iter().map(|x| x as f32).collect()
        }
        Init::RandomNormal => normal(random, n_vectors * d_model)
            .into_iter()
            .map(|x| (x * config.std()) as f32)
            .collect(),
        Init::Vocab => each_layer(config, n_vectors, || {
            let words = words(config, context, config.prompt_length(), random)?;
            Ok(embeddings(context, &words))
        })?,
        Init::Text => {
            let text = config.text.as_deref().unwrap_or_default();
            let ids = context.tokens("text", text)?;
            let ids = ids.into_iter().cycle().take(config.prompt_length());
            let values = embeddings(context, &ids.collect::<Vec<_>>());
            each_layer(config, n_vectors, || Ok(values.clone()))?
        }
        Init::Labels => each_layer(config, n_vectors, || labels(config, context, random))?,
        Init::From => return saved(config, context),
    };
    Ok(TensorData::new(values, [n_vectors, d_model]))
}

/// The vectors of one layer behind the other.
fn each_layer(
    config: &SoftPromptConfig,
    n_vectors: usize,
    mut layer: impl FnMut() -> Result<Vec<f32>, TunerError>,
) -> Result<Vec<f32>, TunerError> {
    let mut values = Vec::new();
    for _ in 0..n_vectors / config.prompt_length() {
        values.extend(layer()?);
    }
    Ok(values)
}

/// The mean length of the word embeddings; summed on the CPU in chunks, to hold no second copy of them.
fn mean_norm(word_embeddings: &Tensor<2>) -> f64 {
    const CHUNK: usize = 4096;
    let [n_vocab, d_model] = word_embeddings.dims();
    let mut sum = 0.0;
    for start in (0..n_vocab).step_by(CHUNK) {
        let chunk = word_embeddings
            .clone()
            .slice_dim(0, start..(start + CHUNK).min(n_vocab));
        for vector in values(chunk).chunks_exact(d_model) {
            sum += vector
                .iter()
                .map(|x| f64::from(*x).powi(2))
                .sum::<f64>()
                .sqrt();
        }
    }
    sum / n_vocab as f64
}

/// So many different tokens, drawn as [`Init::Vocab`] says.
fn words(
    config: &SoftPromptConfig,
    context: &InitContext<'_>,
    n_words: usize,
    random: &mut ChaCha8Rng,
) -> Result<Vec<u32>, TunerError> {
    let n_vocab = context.spec().n_vocab;
    let ordinary = |id: u32| (id as usize) < n_vocab && !context.vocabulary.is_special(id);
    let mut frequencies = context.vocabulary.frequencies();
    // Equal counts would leave the order, and so the draw, to chance.
    frequencies.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut words: Vec<u32> = frequencies
        .into_iter()
        .map(|(id, _)| id)
        .filter(|&id| ordinary(id))
        .take(config.vocab_top_k())
        .collect();
    words.shuffle(random);
    if words.len() < n_words {
        let known: HashSet<u32> = words.iter().copied().collect();
        let mut others: Vec<u32> = (0..n_vocab as u32)
            .filter(|id| ordinary(*id) && !known.contains(id))
            .collect();
        others.shuffle(random);
        words.extend(others);
    }
    if words.len() < n_words {
        return Err(TunerError::key(
            "prompt_length",
            format!(
                "asks for {n_words} different words, but the vocabulary has {}\nhint: use `init = \"random\"`",
                words.len()
            ),
        ));
    }
    words.truncate(n_words);
    Ok(words)
}

/// Label words, then other words.
fn labels(
    config: &SoftPromptConfig,
    context: &InitContext<'_>,
    random: &mut ChaCha8Rng,
) -> Result<Vec<f32>, TunerError> {
    let label_words = context.vocabulary.label_words();
    if label_words.iter().all(Vec::is_empty) {
        return Err(TunerError::key(
            "init",
            "is `labels`, but the task has no label words\nhint: use `vocab`, or give the task a verbalizer",
        ));
    }
    let n_vectors = config.prompt_length();
    let mut all = Vec::with_capacity(n_vectors * context.spec().d_model);
    let known = label_words.iter().filter(|ids| !ids.is_empty());
    for ids in known.take(n_vectors) {
        context.check_ids("init", ids)?;
        let tokens = embeddings(context, ids);
        let mean = (0..context.spec().d_model).map(|column| {
            let column = tokens.iter().skip(column).step_by(context.spec().d_model);
            column.sum::<f32>() / ids.len() as f32
        });
        all.extend(mean);
    }
    let n_missing = n_vectors - all.len() / context.spec().d_model;
    let words = words(config, context, n_missing, random)?;
    all.extend(embeddings(context, &words));
    Ok(all)
}

/// The vectors of a saved prompt.
fn saved(config: &SoftPromptConfig, context: &InitContext<'_>) -> Result<TensorData, TunerError> {
    let folder = config.from_prompt.as_deref().unwrap_or("".as_ref());
    let saved = adapter_files::load_adapter(folder, context.spec(), context.device)?;
    let AnyTuner::SoftPrompt(prompt) = saved.tuner else {
        return Err(TunerError::key(
            "from_prompt",
            format!(
                "names an adapter of method `{}`, which holds no soft prompt",
                saved.config.method()
            ),
        ));
    };
    if prompt.config.deep != config.deep {
        let message = match config.deep {
            true => {
                "is set, but the saved prompt has vectors for the input alone\nhint: leave it out"
            }
            false => {
                "is not set, but the saved prompt has vectors for every layer\nhint: set `deep = true`"
            }
        };
        return Err(TunerError::key("deep", message));
    }
    let (found, expected) = (prompt.config.prompt_length(), config.prompt_length());
    if found != expected {
        return Err(TunerError::key(
            "prompt_length",
            format!(
                "is {expected}, but the saved prompt has {found} vectors\nhint: set `prompt_length = {found}`"
            ),
        ));
    }
    Ok(prompt.vectors.val().into_data())
}

/// The word embeddings of `ids`, one behind the other.
fn embeddings(context: &InitContext<'_>, ids: &[u32]) -> Vec<f32> {
    if ids.is_empty() {
        return Vec::new();
    }
    let ids: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
    let device = context.base.word_embeddings().device();
    let n_ids = ids.len();
    let ids: Tensor<1, Int> = Tensor::from_data(TensorData::new(ids, [n_ids]), &device);
    values(context.base.word_embeddings().select(0, ids))
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    let data = tensor.into_data_dtype(DType::F32);
    data.try_into_vec().expect("the data were cast to f32")
}
