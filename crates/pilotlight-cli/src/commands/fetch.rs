//! `pilot fetch`: a model or a data set from the Hugging Face Hub.

use clap::Args;
use serde_json::json;

use crate::{
    console::{Console, Output},
    failure::Failure,
    hub::{Hub, Kind, Repository, RepositoryName},
    progress::Download,
};

/// Fetch a model or a data set from the Hugging Face Hub into its cache
#[derive(Debug, Args)]
#[command(after_help = "\
The folder is printed. Only the needed files are fetched; a download that was cut off goes on.
Environment: HF_ENDPOINT (a mirror), HF_HOME or HF_HUB_CACHE (the cache), HF_TOKEN, HF_HUB_OFFLINE.

Examples:
  pilot fetch HuggingFaceTB/SmolLM2-135M-Instruct
  pilot fetch sentence-transformers/all-MiniLM-L6-v2 --revision main
  pilot fetch owner/reviews --data")]
pub(crate) struct RawFetch {
    /// Its name on the hub: owner/name
    name: RepositoryName,
    /// It is a data set
    #[arg(long)]
    data: bool,
    /// Branch, tag or commit
    #[arg(long, default_value = Repository::DEFAULT_REVISION)]
    revision: String,
    /// Print folder, commit and files as JSON
    #[arg(long)]
    json: bool,
}

/// What is to be fetched.
pub(crate) struct Fetch {
    repository: Repository,
    hub: Hub,
    json: bool,
}

impl Fetch {
    pub(crate) fn new(raw: RawFetch) -> Result<Self, Failure> {
        let repository = Repository::new(
            raw.name,
            if raw.data { Kind::DataSet } else { Kind::Model },
            raw.revision,
        )?;
        Ok(Self {
            repository,
            hub: Hub::from_environment()?,
            json: raw.json,
        })
    }

    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        let fetched = self
            .hub
            .fetch(&self.repository, || Download::new(console))?;
        let mut output = Output::open();
        match self.json {
            true => output.json(&json!({
                "folder": fetched.folder,
                "commit": fetched.commit,
                "files": fetched.files,
            }))?,
            false => output.line(&fetched.folder.to_string_lossy())?,
        }
        output.flush()
    }
}
