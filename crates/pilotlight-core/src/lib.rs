//! The seam between a frozen transformer and the method that adapts it.
//!
//! A transformer calls a [`Tuner`] at a few named places and knows no method; a method implements the hooks it
//! needs and knows no model beyond its [`ModelSpec`]. Every hook is the identity by default, so that
//! [`Identity`] is the untouched model.
//!
//! | module | concept |
//! |---|---|
//! | [`tuner`] | the trait [`Tuner`] |
//! | [`key_value`] | keys and values in front of those of a sequence |
//! | [`site`] | the names of the places inside a layer |
//! | [`spec`] | what a method may know of a model |
//! | [`tokens`] | rows of token ids without padding |
//! | [`activation`] | GELU with the same gradient on every backend |
//! | [`base`] | what a new tuner may take its first values from |
//! | [`embedded`] | the embedded batch into which soft prompts are inserted |
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use pilotlight_core::{Embedded, Insertion, TokenRow};
//!
//! let device = Device::default();
//! let rows = [TokenRow::new(vec![5, 6, 7]), TokenRow::new(vec![8])];
//! let embedded = Embedded::new(Tensor::zeros([2, 3, 4], &device), &rows);
//! // Two vectors in front of the last token of each row.
//! let embedded = embedded.insert(Tensor::ones([2, 4], &device), |row| {
//!     vec![Insertion { before_token: row.n_tokens() - 1, vectors: 0..2 }]
//! });
//! assert_eq!(embedded.embeddings.dims(), [2, 5, 4]);
//! assert_eq!(embedded.rows[0].token_positions, [0, 1, 4]);
//! assert_eq!(embedded.rows[1].token_positions, [2]);
//! ```

pub mod activation;
pub mod base;
pub mod embedded;
pub mod key_value;
pub mod site;
pub mod spec;
pub mod tokens;
pub mod tuner;

pub use base::{Base, Shape};
pub use embedded::{Embedded, EmbeddedRow, Insertion};
pub use key_value::{BatchPrefix, KeyValue};
pub use site::{Projection, Site, Sublayer};
pub use spec::{ModelSpec, ProjectionSpec};
pub use tokens::{Anchors, TokenRow};
pub use tuner::{Identity, Tuner};
