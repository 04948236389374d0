//! How the factors of an update start.

use burn::tensor::{DType, TensorData};
use nalgebra::DMatrix;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{
    decompose::{data, matrix, orthogonal_triangular, principal},
    plan::Planned,
    target::Target,
};
use crate::{
    error::{Problems, TunerError},
    method::InitContext,
    random::{fan_in_uniform, normal},
};

/// How the factors of an update start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoraInit {
    /// `A` uniform in `±1 / sqrt(d_input)`, `B` zero.
    #[default]
    Kaiming,
    /// `A` normal with deviation `1 / rank`, `B` zero.
    Gaussian,
    /// `A` and `B` random and orthogonal to each other, so that `A B` is zero; ranks must be even.
    Orthogonal,
    /// The principal part of the weight.
    Pissa,
    /// The first columns and rows of the weight's QR decomposition.
    Olora,
}

impl LoraInit {
    /// Whether the first factors are a part of the weight, which has to be taken off it.
    pub(super) fn takes_off(self) -> bool {
        matches!(self, Self::Pissa | Self::Olora)
    }

    /// Adds what is wrong with it for these updates.
    pub(super) fn check(self, planned: &[Planned], problems: &mut Problems) {
        for one in planned {
            let Planned { path, rank, .. } = one;
            let largest = one.d_input.min(one.d_output);
            let message = match (self, one.target) {
                (Self::Orthogonal, Target::Layer(_) | Target::Head) if rank % 2 == 1 => {
                    format!("needs even ranks, but that of `{path}` is {rank}")
                }
                (Self::Pissa | Self::Olora, Target::Layer(_) | Target::Head) if *rank > largest => {
                    format!("has {largest} parts of `{path}` at most, but its rank is {rank}")
                }
                _ => continue,
            };
            problems.push("init", message);
            // The other layers' are alike.
            break;
        }
    }

    /// The first factors A `[d_input, rank]` and B `[rank, d_output]` of each update.
    pub(super) fn factors(
        self,
        planned: &[Planned],
        random: &mut ChaCha8Rng,
        context: &InitContext<'_>,
    ) -> Result<Vec<[TensorData; 2]>, TunerError> {
        if !self.takes_off() {
            return Ok(planned.iter().map(|one| self.drawn(one, random)).collect());
        }
        let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut factors = Vec::with_capacity(planned.len());
        // A few weights at a time, since they are copied to double precision.
        for few in planned.chunks(n_threads) {
            let parts = few.iter().map(|one| match one.target {
                Target::Words => Ok(Part::Drawn(self.drawn(one, random))),
                Target::Layer(_) | Target::Head => {
                    let weight = one.weight("init", context)?;
                    Ok(Part::Of(weight.into_data_dtype(DType::F32)))
                }
            });
            let parts: Vec<Part> = parts.collect::<Result<_, TunerError>>()?;
            let of_few = std::thread::scope(|scope| {
                let started: Vec<_> = few
                    .iter()
                    .zip(parts)
                    .map(|(one, part)| scope.spawn(move || self.taken(one, part)))
                    .collect();
                let joined = started.into_iter().map(|thread| match thread.join() {
                    Ok(factors) => factors,
                    Err(panic) => std::panic::resume_unwind(panic),
                });
                joined.collect::<Result<Vec<_>, TunerError>>()
            });
            factors.extend(of_few?);
        }
        Ok(factors)
    }

    /// Factors that do not depend on the weight.
    fn drawn(self, planned: &Planned, random: &mut ChaCha8Rng) -> [TensorData; 2] {
        let Planned {
            d_input,
            d_output,
            rank,
            ..
        } = *planned;
        let zeros = TensorData::zeros::<f32, _>;
        match (planned.target, self) {
            (Target::Words, _) => [
                zeros([d_input, rank]),
                data(&normal_matrix(random, rank, d_output)),
            ],
            (_, Self::Orthogonal) => {
                let half = rank / 2;
                let turn = normal_matrix(random, rank, rank).qr().q() / 10.0;
                // Every second row for A, the others for B.
                let a = normal_matrix(random, d_input, half) * turn.rows_with_step(0, half, 1);
                let b = turn.rows_with_step(1, half, 1).transpose()
                    * normal_matrix(random, half, d_output);
                [data(&a), data(&b)]
            }
            (_, Self::Gaussian) => {
                let a = normal_matrix(random, d_input, rank) / rank as f64;
                [data(&a), zeros([rank, d_output])]
            }
            (_, Self::Kaiming | Self::Pissa | Self::Olora) => [
                fan_in_uniform(random, d_input, rank),
                zeros([rank, d_output]),
            ],
        }
    }

    /// Factors that are a part of the weight, in the scale of the update.
    fn taken(self, planned: &Planned, part: Part) -> Result<[TensorData; 2], TunerError> {
        let Planned { rank, scale, .. } = *planned;
        let weight = match part {
            Part::Drawn(factors) => return Ok(factors),
            Part::Of(weight) => matrix(weight),
        };
        if self == Self::Olora {
            // PyTorch keeps the weight transposed: Q has the outputs.
            let [q, r] = orthogonal_triangular(&weight.transpose(), rank);
            return Ok([data(&r.transpose()), data(&q.transpose())]);
        }
        let Some([a, b]) = principal(&weight, rank) else {
            let message = format!("needs finite weights, but `{}` has others", planned.path);
            return Err(TunerError::key("init", message));
        };
        let unscale = scale.sqrt().recip();
        Ok([a, b].map(|factor| data(&(factor * unscale))))
    }
}

/// What the factors of an update come from.
enum Part {
    /// Nothing but chance.
    Drawn([TensorData; 2]),
    /// The weight.
    Of(TensorData),
}

fn normal_matrix(random: &mut ChaCha8Rng, n_rows: usize, n_columns: usize) -> DMatrix<f64> {
    DMatrix::from_vec(n_rows, n_columns, normal(random, n_rows * n_columns))
}
