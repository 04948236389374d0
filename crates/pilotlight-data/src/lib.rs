//! Labelled data, templates, verbalizers and batches for prompt tuning.
//!
//! | module | concept |
//! |---|---|
//! | [`config`] | the sections `[data]` and `[task]` of an experiment file |
//! | [`source`] | where records come from: files, or bytes inside the program |
//! | [`records`] | the lines of a data file as named fields |
//! | [`tokenizer`] | texts to token ids and back |
//! | [`verbalizer`] | label words |
//! | [`preparer`] | from one record to one example |
//! | [`example`] | prepared examples and their splits |
//! | [`task_data`] | a task with all of its data |
//!
//! ```
//! use pilotlight_data::{DataConfig, Head, PrepareOptions, Target, TaskConfig, TaskData, Tokenizer};
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path().to_owned();
//! # std::fs::create_dir_all(&folder)?;
//! # let tokenizer = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/byte_level");
//! let records = "{\"text\": \"a fine film\", \"label\": \"good\"}\n{\"text\": \"a film\", \"label\": \"bad\"}\n";
//! std::fs::write(folder.join("train.jsonl"), records)?;
//! let data: DataConfig = toml::from_str("train = 'train.jsonl'")?;
//! let task: TaskConfig = toml::from_str("kind = 'classification'\ntemplate = '{{ text }}!'")?;
//! let options = PrepareOptions { folder, seed: 1, reserve: 20, n_positions: 64, head: Head::Linear };
//! let prepared = TaskData::prepare(&data, &task, &Tokenizer::from_folder(tokenizer)?, &options)?;
//! assert_eq!(prepared.labels, ["bad", "good"]);
//! assert_eq!(prepared.train.examples[0].target, Target::Class(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod config;
mod demonstrations;
pub mod error;
pub mod example;
pub mod filter;
mod input;
mod labels;
pub mod preparer;
pub mod records;
mod select;
pub mod source;
mod splits;
pub mod task_data;
mod template;
pub mod tokenizer;
pub mod verbalizer;

pub use config::{
    DataConfig, DataFormat, Head, LabelWords, PartConfig, Pooling, SplitConfig, TaskConfig,
    TaskKind,
};
pub use error::{DataError, Place, Problem, Problems};
pub use example::{Example, Split, Target, TruncationReport, token_frequencies};
pub use filter::{FieldValue, FieldValues, Filter};
pub use preparer::{Prepared, Preparer};
pub use records::{Record, read_records};
pub use source::{DataSource, DataSources};
pub use task_data::{PrepareOptions, TaskData};
pub use tokenizer::Tokenizer;
pub use verbalizer::{Label, Verbalizer};
