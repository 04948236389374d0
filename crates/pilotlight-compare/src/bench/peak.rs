//! The fastest matrix product of a device.

use std::time::{Duration, Instant};

use burn::tensor::{DType, Device, Distribution, Tensor};
use pilotlight_train::TrainError;

use crate::error::CompareError;

/// Widths of square matrices, ascending.
const WIDTHS: [usize; 6] = [256, 512, 1024, 2048, 4096, 8192];
/// Products that follow each other before anybody waits, so that the way to the device does not count.
const CHAIN: usize = 4;
/// Where wider products are left untried for the best there is: seconds on a processor of a few cores.
pub const THOROUGH: Duration = Duration::from_millis(100);
/// The same where it must be found out in well under a second.
pub const QUICK: Duration = Duration::from_millis(20);
/// Chains of a width, the fastest of which counts.
const REPEATS: usize = 3;

/// The most operations per second that `device` reaches in products of square matrices, a multiplication and an
/// addition being two. Wider ones are not tried once a few of a width take `long`: [`THOROUGH`] or [`QUICK`].
///
/// # Errors
///
/// If the device fails.
pub fn matmul_rate(device: &Device, dtype: DType, long: Duration) -> Result<f64, CompareError> {
    let mut best: f64 = 0.0;
    for width in WIDTHS {
        // Products of such matrices neither grow nor vanish.
        let scale = (width as f64).sqrt().recip();
        let distribution = Distribution::Normal(0.0, scale);
        let matrix = || Tensor::<2>::random([width, width], distribution, (device, dtype));
        let (first, second) = (matrix(), matrix());
        let chain = || {
            let start = Instant::now();
            let mut product = first.clone();
            for _ in 0..CHAIN {
                product = product.matmul(second.clone());
            }
            let corner = product.slice([0..1, 0..1]).try_into_vec_as::<f32>();
            let corner = corner.map_err(|error| TrainError::Device(error.to_string()));
            corner.map(|_| start.elapsed())
        };
        // The first makes and chooses kernels.
        chain()?;
        let mut fastest = chain()?;
        for _ in 1..REPEATS {
            fastest = fastest.min(chain()?);
        }
        let operations = 2.0 * (width as f64).powi(3) * CHAIN as f64;
        best = best.max(operations / fastest.as_secs_f64());
        if fastest > long {
            break;
        }
    }
    Ok(best)
}
