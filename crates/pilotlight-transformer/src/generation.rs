//! Writing on: one token after the other, with the keys and values of earlier tokens kept.

use burn::tensor::{DType, Tensor};
use pilotlight_core::{TokenRow, Tuner};
use rand::Rng;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::model::Model;

/// How tokens are chosen and when to stop.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// The most tokens to write.
    pub max_tokens: usize,
    /// What the scores are divided by: 0 always takes the most probable token, 1 samples from the model's own
    /// distribution.
    pub temperature: f64,
    /// Sampling is among the fewest most probable tokens that together have this probability (Holtzman et al.
    /// 2020, nucleus sampling).
    pub top_p: f64,
    /// The same seed writes the same text.
    pub seed: u64,
    /// Tokens that end the text; they are not part of it.
    pub eos: Vec<u32>,
}

impl Default for GenerateOptions {
    /// 64 tokens, each the most probable one.
    fn default() -> Self {
        Self {
            max_tokens: 64,
            temperature: 0.0,
            top_p: 1.0,
            seed: 0,
            eos: Vec::new(),
        }
    }
}

/// Continues a row; calls `on_token` with each new token and returns all of them.
///
/// The tuner's soft prompts and prefixes enter once, with the row. A model with learned positions ends the text when
/// it has no more of them.
///
/// # Panics
///
/// Panics if the model is not a decoder or has no language-model head, or if the row and the tuner's soft prompts
/// are both empty.
pub fn generate(
    model: &Model,
    tuner: &dyn Tuner,
    row: &TokenRow,
    options: &GenerateOptions,
    on_token: &mut dyn FnMut(u32),
) -> Vec<u32> {
    let rows = std::slice::from_ref(row);
    let written = continued(model, tuner, rows, options, &mut |_, token| on_token(token));
    written.into_iter().next().expect("one row")
}

/// Continues rows together, each as [`generate`] would continue it alone; drawn tokens are other ones in each row.
///
/// # Panics
///
/// Panics where [`generate`] does for one of the rows, or if there are none.
pub fn generate_all(
    model: &Model,
    tuner: &dyn Tuner,
    rows: &[TokenRow],
    options: &GenerateOptions,
) -> Vec<Vec<u32>> {
    continued(model, tuner, rows, options, &mut |_, _| ())
}

fn continued(
    model: &Model,
    tuner: &dyn Tuner,
    rows: &[TokenRow],
    options: &GenerateOptions,
    on_token: &mut dyn FnMut(usize, u32),
) -> Vec<Vec<u32>> {
    let decoder = model.decoder().expect("only decoders write text");
    let mut texts = vec![Vec::new(); rows.len()];
    let mut random: Vec<ChaCha8Rng> = (0..rows.len())
        .map(|row| {
            let mut random = ChaCha8Rng::seed_from_u64(options.seed);
            random.set_stream(row as u64);
            random
        })
        .collect();
    let (hidden, mut past) = decoder.start(rows, tuner);
    let last = hidden.rows.iter().enumerate().map(|(index, row)| {
        let last = row.len.checked_sub(1);
        (index, last.expect("a row or a soft prompt to continue"))
    });
    let mut states = hidden.select(&last.collect::<Vec<_>>());
    // Rows that have ended stay in the batch, so that a tuner that tells rows apart still can.
    let all: Vec<usize> = (0..rows.len()).collect();
    let mut is_open = vec![options.max_tokens > 0; rows.len()];
    while is_open.contains(&true) {
        let scores = scores(decoder.logits(states, &all, tuner));
        let positions = past.next_positions();
        let of_rows = scores.chunks(scores.len() / rows.len()).enumerate();
        let tokens = of_rows.map(|(row, scores)| {
            if !is_open[row] {
                return None;
            }
            let token = choose(scores, options, &mut random[row]);
            is_open[row] = !options.eos.contains(&token);
            if !is_open[row] {
                return None;
            }
            on_token(row, token);
            texts[row].push(token);
            is_open[row] =
                texts[row].len() < options.max_tokens && decoder.has_position(positions.of(row));
            is_open[row].then_some(token)
        });
        let tokens: Vec<Option<u32>> = tokens.collect();
        if !is_open.contains(&true) {
            break;
        }
        states = decoder.next(&tokens, &mut past, tuner);
    }
    texts
}

fn scores(logits: Tensor<2>) -> Vec<f32> {
    let logits = logits.cast(DType::F32).into_data();
    logits.try_into_vec().expect("f32 was asked for")
}

fn choose(scores: &[f32], options: &GenerateOptions, random: &mut ChaCha8Rng) -> u32 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // A stable order: among equals the first token wins, as in Hugging Face's argmax.
    let best_first = |a: &usize, b: &usize| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b));
    if options.temperature <= 0.0 {
        let best = order.into_iter().min_by(best_first);
        return best.expect("a vocabulary has words") as u32;
    }
    order.sort_by(best_first);
    let best = f64::from(scores[order[0]]);
    let weights: Vec<f64> = order
        .iter()
        .map(|&token| ((f64::from(scores[token]) - best) / options.temperature).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    let mut kept = 0.0;
    let n_kept = weights
        .iter()
        .position(|weight| {
            kept += weight;
            kept >= options.top_p * total
        })
        .map_or(weights.len(), |last| last + 1);
    let kept: f64 = weights[..n_kept].iter().sum();
    let mut rest = (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 * kept;
    let chosen = weights[..n_kept].iter().position(|weight| {
        rest -= weight;
        rest < 0.0
    });
    order[chosen.unwrap_or(n_kept - 1)] as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(scores: &[f32], options: &GenerateOptions) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut counts = vec![0.0; scores.len()];
        for _ in 0..10_000 {
            counts[choose(scores, options, &mut random) as usize] += 1.0 / 10_000.0;
        }
        counts
    }

    #[track_caller]
    fn check(temperature: f64, top_p: f64, expected: [f64; 3]) {
        let scores = [0.5_f32.ln(), 0.3_f32.ln(), 0.2_f32.ln()];
        let options = GenerateOptions {
            temperature,
            top_p,
            ..GenerateOptions::default()
        };
        for (share, expected) in shares(&scores, &options).into_iter().zip(expected) {
            assert!((share - expected).abs() < 0.02, "{share} is not {expected}");
        }
    }

    #[test]
    fn tokens_are_drawn_by_probability() {
        check(1.0, 1.0, [0.5, 0.3, 0.2]);
        check(0.5, 1.0, [25.0 / 38.0, 9.0 / 38.0, 4.0 / 38.0]);
    }

    #[test]
    fn the_nucleus_is_the_fewest_tokens_of_the_asked_probability() {
        check(1.0, 0.7, [0.625, 0.375, 0.0]);
        check(1.0, 0.4, [1.0, 0.0, 0.0]);
        check(1.0, 0.0, [1.0, 0.0, 0.0]);
    }

    #[test]
    fn no_temperature_takes_the_first_of_the_best() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let options = GenerateOptions::default();
        assert_eq!(
            choose(&[0.0, 2.0, 2.0, f32::NEG_INFINITY], &options, &mut random),
            1
        );
    }
}
