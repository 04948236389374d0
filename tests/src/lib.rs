//! End-to-end and parity tests.
