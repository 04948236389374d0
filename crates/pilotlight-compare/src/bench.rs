//! What a training step costs: by method, device, size of model and batch.
//!
//! | module | concept |
//! |---|---|
//! | `methods`, `model` | what is measured: methods and models, some of them by name |
//! | `settings` | everything that the time of a step depends on |
//! | `step` | a step made ready on a device and measured |
//! | `peak` | the fastest matrix product of a device |
//! | `document` | the results as JSON, to be kept and to be written by other programs too |
//! | `summary` | percentiles, tokens per second, share of the peak |
//! | `table`, `plot` | the results to be read and to be seen |
//! | `ratios` | two documents compared |
//!
//! `docs/bench.md` describes the format of the document and the definitions of all numbers.

mod document;
mod methods;
mod model;
mod peak;
mod plot;
mod ratios;
mod settings;
mod step;
mod summary;
mod table;

pub use document::{BenchDocument, BenchRow, Measured, Outcome};
pub use methods::{BENCH_METHODS, BenchMethod};
pub use model::{BenchModel, NAMED_SHAPES, NamedShape};
pub use peak::{QUICK, THOROUGH, matmul_rate};
pub use ratios::{Compared, Ratios};
pub use settings::{Settings, Shape};
pub use step::{Step, completions, tuned};
pub use summary::Summary;
