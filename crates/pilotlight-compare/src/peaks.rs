//! The fastest matrix product of a device, measured once and kept beside the runs of a comparison.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::{
    bench::{QUICK, matmul_rate},
    error::CompareError,
    experiment::Precision,
    files::write_whole,
    machine::{Machine, host},
};

/// The peaks of the devices that did runs, in the folder of a comparison.
pub const PEAKS_FILE: &str = "peaks.json";

/// The most that a device does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Peak {
    #[serde(flatten)]
    place: Place,
    /// Operations in a second of a product of square matrices.
    operations_per_second: f64,
}

/// What tells devices apart. Hosts of a cluster may differ in what their devices' names do not tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    host: Option<String>,
    machine: Machine,
    dtype: Precision,
}

/// The file for the run in this folder, which is one of a comparison.
pub fn file_beside(run: &Path) -> Option<PathBuf> {
    // DIR/runs/RUN
    Some(run.parent()?.parent()?.join(PEAKS_FILE))
}

/// Operations per second of the fastest matrix product of `device`: as `file` says it, else measured and noted there.
///
/// # Errors
///
/// If the device fails.
pub(crate) fn peak(
    device: &Device,
    dtype: Precision,
    file: Option<&Path>,
) -> Result<f64, CompareError> {
    let place = Place {
        host: host(),
        machine: Machine::with(device),
        dtype,
    };
    // What cannot be read, or was damaged, is measured anew.
    let known = file.and_then(|file| std::fs::read(file).ok());
    let known = known.and_then(|known| serde_json::from_slice(&known).ok());
    let mut known: Vec<Peak> = known.unwrap_or_default();
    if let Some(peak) = known.iter().find(|peak| peak.place == place) {
        return Ok(peak.operations_per_second);
    }
    let operations_per_second = matmul_rate(device, dtype.dtype(), QUICK)?;
    known.push(Peak {
        place,
        operations_per_second,
    });
    if let (Some(file), Ok(json)) = (file, serde_json::to_vec_pretty(&known)) {
        // The next run measures again what is not kept, also where another worker has just written.
        let _ = write_whole(file, &json);
    }
    Ok(operations_per_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_measured_once_for_each_type() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(PEAKS_FILE);
        let of = |dtype| peak(&Device::default(), dtype, Some(&file)).expect("measured");
        std::fs::write(&file, "damaged").expect("written");
        let first = of(Precision::F32);
        assert!(first > 0.0);
        let mut known: Vec<Peak> =
            serde_json::from_slice(&std::fs::read(&file).expect("kept")).expect("JSON");
        assert_eq!(known[0].operations_per_second, first);
        // A number that no device reaches can come from the file alone.
        known[0].operations_per_second = 1e30;
        std::fs::write(&file, serde_json::to_vec(&known).expect("JSON")).expect("written");
        assert_eq!(of(Precision::F32), 1e30);
        assert!(of(Precision::F16) < 1e30);
        assert_eq!(of(Precision::F32), 1e30);
    }
}
