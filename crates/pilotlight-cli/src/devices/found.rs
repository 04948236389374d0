//! A device that was found, and what it can do.

use burn::tensor::Device;
use pilotlight_compare::Precision;

use super::{
    Backend, DeviceChoice,
    probe::{quietly, works},
};
use crate::failure::Failure;

/// A device that was found and works.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The device as it is chosen.
    pub(crate) choice: DeviceChoice,
    /// The device itself.
    pub(crate) device: Device,
    /// Its name, as the hardware gives it.
    pub(crate) name: String,
    /// Bytes of its memory, where the backend or the system says.
    pub(crate) memory_bytes: Option<u64>,
    /// The types that it computes in.
    pub(crate) dtypes: Vec<Precision>,
    /// Whether it is a card of its own; software that stands in for one is no reason to leave the CPU's own backend.
    pub(super) is_hardware: bool,
}

/// Opens a device that a backend lists; it panics where that fails.
pub(super) type Open = Box<dyn FnOnce() -> Opened>;

/// A device that answers.
pub(super) struct Opened {
    pub(super) device: Device,
    pub(super) name: String,
    pub(super) memory_bytes: Option<u64>,
    pub(super) is_hardware: bool,
}

impl Found {
    /// Device `index` of a backend, if it works.
    pub(super) fn open(backend: Backend, index: usize, open: Open) -> Option<Self> {
        quietly(|| {
            let Opened {
                device,
                name,
                memory_bytes,
                is_hardware,
            } = open();
            let dtypes = Precision::ALL.into_iter();
            let dtypes = dtypes.filter(|precision| device.supports_dtype(precision.dtype()));
            let dtypes = dtypes.collect();
            works(&device).then(|| Self {
                choice: DeviceChoice::Given { backend, index },
                dtypes,
                device,
                name,
                memory_bytes,
                is_hardware,
            })
        })
        .flatten()
    }

    /// Refuses a type that it does not compute in; `key` is the setting that asks for the type.
    pub(crate) fn check(&self, precision: Precision, key: &str) -> Result<(), Failure> {
        if self.dtypes.contains(&precision) {
            return Ok(());
        }
        let known: Vec<String> = self.dtypes.iter().map(Precision::to_string).collect();
        Err(Failure::input(format!(
            "`{key}`: device {} ({}) does not compute in {precision}",
            self.choice, self.name
        ))
        .hint(format!(
            "it computes in {}: choose one of these, or another device: `pilot devices` lists what each computes in",
            known.join(" and ")
        )))
    }

    /// The type of fewest bits in which a model keeps the range of its numbers: for a model of which nothing is
    /// computed.
    pub(crate) fn smallest(&self) -> Precision {
        match self.dtypes.contains(&Precision::Bf16) {
            true => Precision::Bf16,
            false => Precision::F32,
        }
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_a_device_lacks_is_refused_with_those_it_has() {
        let found = |dtypes: &[Precision]| Found {
            choice: "wgpu:1".parse().expect("a device"),
            device: Device::flex(),
            name: "Some GPU".into(),
            memory_bytes: None,
            dtypes: dtypes.to_vec(),
            is_hardware: true,
        };
        let without = found(&[Precision::F32, Precision::F16]);
        assert!(without.check(Precision::F16, "base.dtype").is_ok());
        assert_eq!(without.smallest(), Precision::F32);
        let refusal = without.check(Precision::Bf16, "base.dtype");
        let (message, hint) = refusal.expect_err("a refusal").into_parts();
        assert_eq!(
            message,
            "`base.dtype`: device wgpu:1 (Some GPU) does not compute in bf16"
        );
        assert!(hint.starts_with("it computes in f32 and f16: "), "{hint}");
        let all = found(&Precision::ALL);
        assert!(all.check(Precision::Bf16, "base.dtype").is_ok());
        assert_eq!(all.smallest(), Precision::Bf16);
    }

    #[test]
    fn the_cpu_tells_its_types_and_its_memory() {
        let mut found = Backend::Cpu.devices();
        let cpu = found.next().expect("a CPU");
        assert!(found.next().is_none(), "there is one CPU");
        assert_eq!(cpu.dtypes, Precision::ALL);
        if cfg!(target_os = "linux") {
            assert!(cpu.memory_bytes.expect("Linux tells") > 1 << 20);
        }
    }
}
