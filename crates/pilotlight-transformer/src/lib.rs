//! Frozen pretrained transformers on Burn, loaded from Hugging Face folders.
//!
//! A [`Model`] takes ragged rows of tokens, calls the hooks of a [`Tuner`](pilotlight_core::Tuner) at every layer
//! and returns [`Hidden`] states; the language-model head runs only on the states that are asked for.
//!
//! | module | concept |
//! |---|---|
//! | [`load`] | from a folder, or from memory, to a [`Model`] |
//! | [`model`] | what a model can be asked, whatever its architecture |
//! | [`hidden`] | the states it returns |
//! | [`head`] | scores of classes on top of a state |
//! | [`generation`] | writing on with cached keys and values |
//! | [`merge`] | a tuner folded into the weights, and taken back |
//! | [`save`] | from a model back to a folder |
//! | [`gguf`] | from a GGUF file to a folder |
//! | [`checkpoint`] | tensors by name from safetensors files |
//! | [`error`] | what can go wrong with files |
//!
//! ```
//! use burn::tensor::Device;
//! use pilotlight_core::{Identity, TokenRow};
//! use pilotlight_transformer::{LoadOptions, load_folder};
//!
//! # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/llama_tied");
//! let options = LoadOptions::new(&Device::default());
//! let model = load_folder(folder.as_ref(), &options)?.model; // config.json and model.safetensors
//! let rows = [TokenRow::new(vec![3, 4, 5]), TokenRow::new(vec![6])];
//! let hidden = model.forward(&rows, &Identity); // or any other `Tuner`
//! let next = model.logits_at(&hidden, &[(0, 2), (1, 0)], &Identity);
//! assert_eq!(next.dims(), [2, model.spec().n_vocab]);
//! # Ok::<(), pilotlight_transformer::LoadError>(())
//! ```

pub mod checkpoint;
pub mod error;
pub mod generation;
pub mod gguf;
pub mod head;
pub mod hidden;
pub mod load;
pub mod merge;
pub mod model;
pub mod save;

mod attention;
mod block;
mod counts;
mod decoder;
mod embed;
mod encoder;
mod encoder_block;
mod families;
mod feed_forward;
mod kv_cache;
mod mask;
mod norm;
mod parameters;
mod position;
mod project;
mod random;
mod transpose;

pub use error::LoadError;
pub use generation::{GenerateOptions, generate, generate_all};
pub use head::ClassificationHead;
pub use hidden::Hidden;
pub use load::{LoadOptions, Pretrained, init_random, load_bytes, load_folder, read_spec};
pub use merge::Merged;
pub use model::Model;
pub use save::{save_classifier, save_folder};
