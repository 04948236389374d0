//! A model with the adapters of a command: none, one, several of which each record names one, or an ensemble.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pilotlight_data::{Problem, Record, Tokenizer};
use pilotlight_train::{Adapters, Combination, Tuned};
use serde_json::Value;

use crate::{
    console::Console,
    devices::DeviceChoice,
    failure::Failure,
    loaded::{RawBase, adapter_folder, bare, check_length, check_words},
    records::{self, Input},
};

/// Which model, and what is put on it.
#[derive(Debug, Args)]
pub(crate) struct RawTeam {
    #[command(flatten)]
    base: RawBase,
    /// Folder of an adapter, ours or PEFT's, or of a run; with names it may be given several times
    #[arg(long, value_name = "[NAME=]DIR")]
    adapter: Vec<String>,
}

/// How an ensemble comes to one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EnsembleChoice {
    /// The probabilities of the adapters are averaged
    Average,
    /// Most votes win; of as many, the most probable on average
    Vote,
}

/// A model that is ready to be asked with any of its adapters.
pub(crate) struct Team {
    /// The model as it is called.
    pub(crate) name: String,
    pub(crate) adapters: Adapters,
    pub(crate) tokenizer: Tokenizer,
    /// Names of the classes of the checkpoint's own head.
    pub(crate) labels: Vec<String>,
    /// The adapters in their order.
    pub(crate) members: Vec<Member>,
    pub(crate) choice: Choice,
}

/// An adapter that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Empty where it has none.
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
}

/// Which adapters answer a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The one that there is, or the model alone.
    Only,
    /// The one that the record's `task` names.
    ByTask,
    /// All together.
    Ensemble(Combination),
}

impl From<EnsembleChoice> for Combination {
    fn from(choice: EnsembleChoice) -> Self {
        match choice {
            EnsembleChoice::Average => Self::Average,
            EnsembleChoice::Vote => Self::Vote,
        }
    }
}

impl RawTeam {
    /// Finds and loads everything.
    pub(crate) fn load(
        &self,
        ensemble: Option<EnsembleChoice>,
        device: DeviceChoice,
        console: &Console,
    ) -> Result<Team, Failure> {
        let (members, choice) = members(&self.adapter, ensemble)?;
        let base = self.base.load(device, console)?;
        let mut adapters = Adapters::new(bare(&base));
        for member in &members {
            adapters.load(&member.folder)?;
        }
        Ok(Team {
            name: self.base.model.clone(),
            adapters,
            tokenizer: base.tokenizer,
            labels: base.labels,
            members,
            choice,
        })
    }
}

/// The adapters, and which of them answer a record.
pub(crate) fn members(
    given: &[String],
    ensemble: Option<EnsembleChoice>,
) -> Result<(Vec<Member>, Choice), Failure> {
    let mut members: Vec<Member> = Vec::new();
    for given in given {
        // A folder may have the sign in its name.
        let (name, folder) = match given.split_once('=') {
            Some((name, folder)) if !PathBuf::from(given).is_dir() => (name, folder),
            _ => ("", given.as_str()),
        };
        if folder.len() < given.len() && name.is_empty() {
            return Err(
                Failure::input(format!("`--adapter {given}`: the name is empty"))
                    .hint("write NAME=DIR, or DIR alone"),
            );
        }
        if !name.is_empty() && members.iter().any(|member| member.name == name) {
            return Err(Failure::input(format!("two adapters are called {name}"))
                .hint("give each another name by `--adapter NAME=DIR`"));
        }
        members.push(Member {
            name: name.to_owned(),
            folder: adapter_folder(folder.as_ref())?,
        });
    }
    let n_named = members.iter().filter(|it| !it.name.is_empty()).count();
    let choice = match (ensemble, members.len(), n_named) {
        (Some(_), 0 | 1, _) => {
            return Err(Failure::input("an ensemble has two adapters or more")
                .hint("give each of them by `--adapter DIR`"));
        }
        (Some(ensemble), _, 0) => Choice::Ensemble(ensemble.into()),
        (Some(_), _, _) => {
            return Err(Failure::input(
                "all adapters of an ensemble answer each record: their names have no effect",
            )
            .hint("write `--adapter DIR`"));
        }
        (None, 0, _) | (None, 1, 0) => Choice::Only,
        (None, n_members, n_named) if n_members == n_named => Choice::ByTask,
        (None, _, _) => {
            return Err(
                Failure::input("several adapters are given, not all of them with a name").hint(
                    "name them by `--adapter NAME=DIR`: the field `task` of a record chooses one",
                ),
            );
        }
    };
    Ok((members, choice))
}

impl Team {
    /// One of the adapters on the model, or the model alone.
    pub(crate) fn tuned(&self, adapter: Option<usize>) -> &Tuned {
        self.adapters.get(adapter)
    }

    /// The adapters that answer each record; `None` is the model alone.
    pub(crate) fn of_records(&self, input: &Input) -> Result<Vec<Vec<Option<usize>>>, Failure> {
        let mut problems = Vec::new();
        let mut of_records = Vec::with_capacity(input.records.len());
        for record in &input.records {
            match self.of_record(input, record) {
                Ok(adapters) => of_records.push(adapters),
                Err(problem) => problems.push(problem),
            }
        }
        match problems.is_empty() {
            true => Ok(of_records),
            false => Err(records::failure(&problems)),
        }
    }

    fn of_record(&self, input: &Input, record: &Record) -> Result<Vec<Option<usize>>, Problem> {
        match self.choice {
            Choice::Only => Ok(vec![(!self.adapters.is_empty()).then_some(0)]),
            Choice::Ensemble(_) => Ok((0..self.adapters.len()).map(Some).collect()),
            Choice::ByTask => self.named(input, record).map(|adapter| vec![adapter]),
        }
    }

    fn named(&self, input: &Input, record: &Record) -> Result<Option<usize>, Problem> {
        let names: Vec<&str> = self.members.iter().map(|it| it.name.as_str()).collect();
        let names = names.join(", ");
        let expected = format!("the name of an adapter ({names}), or none for the model alone");
        let hint = "a record without `task` is answered by the model alone";
        match record.fields.get("task") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(name)) if name.is_empty() => Ok(None),
            Some(Value::String(name)) => {
                let known = self.members.iter().position(|member| member.name == *name);
                let problem =
                    || input.problem(record, "task", &expected, &format!("`{name}`"), hint);
                known.map(Some).ok_or_else(problem)
            }
            Some(other) => Err(input.problem(record, "task", &expected, &other.to_string(), hint)),
        }
    }

    /// Says if the model predicts no words.
    pub(crate) fn check_words(&self) -> Result<(), Failure> {
        check_words(&self.name, self.tuned(None))
    }

    /// Says if `n_tokens` and an adapter's vectors do not fit into the model's positions.
    pub(crate) fn check_length(
        &self,
        adapter: Option<usize>,
        n_tokens: usize,
    ) -> Result<(), String> {
        check_length(self.tuned(adapter), n_tokens)
    }
}
