//! Asking backends what is there without being ended or shouted at by their answers.

use std::panic;

use burn::tensor::{Device, Tensor};

/// The value of `probe`, or nothing if it panics. Backends panic, some in threads of their own, where a driver is
/// missing or broken; while this asks, nothing of it reaches the terminal.
pub(super) fn quietly<T>(probe: impl FnOnce() -> T) -> Option<T> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let value = panic::catch_unwind(panic::AssertUnwindSafe(probe));
    panic::set_hook(hook);
    value.ok()
}

/// Whether a computation comes out right.
pub(super) fn works(device: &Device) -> bool {
    let sum = Tensor::<1>::from_floats([1.0, 2.0, 3.0], device).sum();
    sum.try_into_vec_as::<f32>().is_ok_and(|sum| sum == [6.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_probe_is_an_absence() {
        assert_eq!(quietly(|| -> u8 { panic!("no driver") }), None);
        assert_eq!(quietly(|| 1), Some(1));
    }
}
