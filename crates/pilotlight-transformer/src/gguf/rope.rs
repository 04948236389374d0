//! Scaling of rotary positions for long texts: from a GGUF file's metadata to `rope_scaling` of `config.json`.

use serde_json::{Value as Json, json};

use super::{container::Container, error::GgufError, value::Metadata};

/// The tensor with one divisor for each rotary frequency, `[d_head / 2]`: how the files carry Llama 3's scaling.
pub(super) const FACTORS: &str = "rope_freqs.weight";

/// `rope_scaling` of a model whose heads are `d_head` wide; `null` stands for none.
pub(super) fn scaling(
    container: &Container,
    metadata: &mut Metadata<'_>,
    theta: f64,
    d_head: usize,
) -> Result<Json, GgufError> {
    if let Some(info) = container.tensors.get(FACTORS) {
        if info.shape != [d_head / 2] || info.stored.is_err() {
            metadata.problem(format!(
                "the tensor `{FACTORS}` does not hold {} numbers",
                d_head / 2
            ));
            return Ok(Json::Null);
        }
        let divisors = container.values(FACTORS, info)?;
        if divisors.iter().all(|&divisor| divisor == 1.0) {
            return Ok(Json::Null);
        }
        return Ok(llama3(&divisors, theta).unwrap_or_else(|| {
            metadata.problem(format!(
                "the scaling of rotary positions in the tensor `{FACTORS}` is not that of Llama 3"
            ));
            Json::Null
        }));
    }
    Ok(
        match metadata.text("llama.rope.scaling.type").unwrap_or("none") {
            "none" => Json::Null,
            "linear" => {
                let factor = metadata.required_number("llama.rope.scaling.factor");
                json!({ "rope_type": "linear", "factor": factor })
            }
            other => {
                metadata.problem(format!("its rotary positions are scaled by `{other}`"));
                Json::Null
            }
        },
    )
}

/// Llama 3's scaling from its divisors.
///
/// With wave length w = 2 pi theta^(2i / d_head), its divisor is 1 where w < 8192 / 4, `factor` where w > 8192,
/// and 1 / ((1 - s) / factor + s) with s = (8192 / w - 1) / 3 between them. The files hold the divisors but not the four
/// numbers behind them; every Llama 3 model shares three, and the fourth is the largest divisor. `None` where the
/// divisors are not of this form.
fn llama3(divisors: &[f32], theta: f64) -> Option<Json> {
    const LOW: f64 = 1.0;
    const HIGH: f64 = 4.0;
    const ORIGINAL: f64 = 8192.0;
    let factor = divisors.iter().copied().fold(1.0f32, f32::max);
    let expected = |index: usize| {
        let exponent = index as f64 / divisors.len() as f64;
        let wave_length = 2.0 * std::f64::consts::PI * theta.powf(exponent);
        let smooth = ((ORIGINAL / wave_length - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
        1.0 / ((1.0 - smooth) / f64::from(factor) + smooth)
    };
    let fits = divisors
        .iter()
        .enumerate()
        .all(|(index, &divisor)| (f64::from(divisor) / expected(index) - 1.0).abs() < 1e-3);
    fits.then(|| {
        json!({
            "rope_type": "llama3",
            "factor": f64::from(factor),
            "low_freq_factor": LOW,
            "high_freq_factor": HIGH,
            "original_max_position_embeddings": ORIGINAL as usize,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The divisors as the converter to GGUF computes them, for Llama 3.2 1B (theta 500000, heads of 64, factor 32).
    fn divisors(factor: f64) -> Vec<f32> {
        (0..32)
            .map(|index| {
                let frequency = 500_000f64.powf(-f64::from(index) / 32.0);
                let wave_length = 2.0 * std::f64::consts::PI / frequency;
                if wave_length < 8192.0 / 4.0 {
                    1.0
                } else if wave_length > 8192.0 {
                    factor as f32
                } else {
                    let smooth = (8192.0 / wave_length - 1.0) / (4.0 - 1.0);
                    (1.0 / ((1.0 - smooth) / factor + smooth)) as f32
                }
            })
            .collect()
    }

    #[test]
    fn the_scaling_of_llama_3_is_found_again() {
        let scaling = llama3(&divisors(32.0), 500_000.0).expect("of this form");
        assert_eq!(scaling["factor"], 32.0);
        assert_eq!(scaling["rope_type"], "llama3");
    }

    #[test]
    fn other_divisors_are_not_taken_for_it() {
        assert!(llama3(&divisors(32.0), 10_000.0).is_none());
        let mut bent = divisors(8.0);
        bent[20] *= 1.1;
        assert!(llama3(&bent, 500_000.0).is_none());
    }
}
