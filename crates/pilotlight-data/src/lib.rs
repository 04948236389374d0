//! Labelled data, templates, verbalizers and batches for prompt tuning.
//!
//! | module | concept |
//! |---|---|
//! | [`config`] | the sections `[data]` and `[task]` of an experiment file |
//! | [`example`] | prepared examples and their splits |
//! | [`verbalizer`] | label words |
//! | [`task_data`] | a task with all of its data |

pub mod config;
pub mod example;
pub mod task_data;
pub mod verbalizer;

pub use config::{
    DataConfig, DataFormat, Head, LabelWords, PartConfig, Pooling, SplitConfig, TaskConfig,
    TaskKind,
};
pub use example::{Example, Split, Target, TruncationReport, token_frequencies};
pub use task_data::{PrepareOptions, TaskData};
pub use verbalizer::{Label, Verbalizer};
