//! `pilot predict`: the label of each record.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use pilotlight_core::TokenRow;
use pilotlight_data::{
    DataError, PrepareOptions, Preparer, Problem, TaskConfig, TaskKind, Verbalizer,
};
use pilotlight_train::{Answers, EnsemblePrediction, Prediction, Question, label_logprobs};
use serde_json::{Map, Value, json};

use crate::{
    console::{Console, Output},
    devices::DeviceChoice,
    failure::Failure,
    progress::Count,
    records::{self, Input, RawInput},
    tasks,
    team::{Choice, EnsembleChoice, RawTeam, Team},
};

/// Records between two writes of results.
const CHUNK: usize = 256;

/// Print the label of each record and the log-probability of every label
#[derive(Debug, Args)]
#[command(after_help = "\
For each record a line {\"label\": .., \"scores\": {label: log-probability}} is printed. Template, label words and the \
like are those that the adapter was trained with, or those of the file that --task names.

Several adapters on one model: named ones answer the records whose field `task` names them, in the same batches and \
each with a template and labels of its own; a record without `task` is answered by the model alone, with the file that \
--task names. The adapters of an --ensemble answer each record together; their votes are printed too.

Examples:
  pilot predict --model MODEL --adapter runs/first/adapter --input reviews.jsonl
  pilot predict --model MODEL --task experiment.toml --input - < reviews.jsonl
  pilot predict --model MODEL --adapter mood=runs/mood --adapter topic=runs/topic --input mixed.jsonl
  pilot predict --model MODEL --adapter runs/1 --adapter runs/2 --ensemble vote --input reviews.jsonl")]
pub(crate) struct RawPredict {
    #[command(flatten)]
    team: RawTeam,
    #[command(flatten)]
    input: RawInput,
    /// Experiment file whose task section says how a record becomes an input [default: that of the adapter]
    #[arg(long, value_name = "FILE")]
    task: Option<PathBuf>,
    /// Let all adapters answer each record together
    #[arg(long, value_name = "HOW", value_enum)]
    ensemble: Option<EnsembleChoice>,
    /// Rows that are run at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    batch_size: u16,
}

/// What is to be predicted, by what.
pub(crate) struct Predict {
    team: Team,
    ways: BTreeMap<Option<usize>, Way>,
    records: Vec<Asked>,
    batch_size: usize,
}

/// How an adapter, or the model alone, answers.
struct Way {
    verbalizer: Option<Verbalizer>,
    labels: Vec<String>,
}

/// The inputs of a record, one for each adapter that answers it.
type Asked = Vec<(Option<usize>, TokenRow)>;

impl Predict {
    pub(crate) fn new(
        raw: &RawPredict,
        device: DeviceChoice,
        console: &Console,
    ) -> Result<Self, Failure> {
        let input = raw.input.read()?;
        let task = raw.task.as_deref().map(tasks::read).transpose()?;
        let team = raw.team.load(raw.ensemble, device, console)?;
        let of_records = team.of_records(&input)?;
        let tasks = find_tasks(&team, &input, &of_records, task.as_ref())?;
        let mut preparers = BTreeMap::new();
        let mut ways = BTreeMap::new();
        for (&adapter, task) in &tasks {
            let tuned = team.tuned(adapter);
            let options = PrepareOptions {
                folder: PathBuf::new(),
                seed: 0,
                reserve: tuned.tuner.config().reserve(),
                n_positions: tuned.base.spec().n_positions,
                head: tasks::default_head(&tuned.base),
            };
            let preparer = Preparer::new(task, &team.tokenizer, &options)?;
            let verbalizer = preparer.verbalizer().cloned();
            if verbalizer.is_some() {
                team.check_words()?;
            }
            let labels = tasks::labels(tuned, &team.labels, task, verbalizer.as_ref())?;
            preparers.insert(adapter, preparer);
            ways.insert(adapter, Way { verbalizer, labels });
        }
        if let Choice::Ensemble(_) = team.choice {
            check_labels(&team, &ways)?;
        }

        let mut records = Vec::with_capacity(input.records.len());
        let (mut n_cut, mut problems) = (0, Vec::<Problem>::new());
        for (record, adapters) in input.records.iter().zip(&of_records) {
            let mut asked = Vec::with_capacity(adapters.len());
            let mut is_cut = false;
            for adapter in adapters {
                let room = ways[adapter].verbalizer.as_ref();
                let room = room.map_or(0, Verbalizer::longest_word);
                match preparers[adapter].input(record, &input.source, room) {
                    Ok(prepared) => {
                        is_cut |= prepared.tokens_cut > 0;
                        asked.push((*adapter, prepared.value));
                    }
                    Err(DataError::Problems(found)) => {
                        // Those of an ensemble find the same problem.
                        for problem in found.listed() {
                            if !problems.contains(problem) {
                                problems.push(problem.clone());
                            }
                        }
                    }
                    Err(other) => return Err(other.into()),
                }
            }
            n_cut += usize::from(is_cut);
            records.push(asked);
        }
        if !problems.is_empty() {
            return Err(records::failure(&problems));
        }
        if n_cut > 0 {
            console.warn(&format!(
                "{n_cut} of {} inputs were shortened to fit",
                records.len()
            ));
        }
        Ok(Self {
            team,
            ways,
            records,
            batch_size: raw.batch_size.into(),
        })
    }

    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        let mut output = Output::open();
        let mut count = Count::new("predicted", self.records.len(), console);
        for chunk in self.records.chunks(CHUNK) {
            let questions = chunk.iter().flatten().map(|(adapter, input)| Question {
                adapter: *adapter,
                input,
                answers: match &self.ways[adapter].verbalizer {
                    Some(verbalizer) => Answers::Labels(verbalizer),
                    None => Answers::Classes,
                },
            });
            let questions: Vec<Question<'_>> = questions.collect();
            let adapters = &self.team.adapters;
            let mut found = adapters
                .ask(&questions, self.batch_size, &mut |_| ())?
                .into_iter();
            for asked in chunk {
                let of_record: Vec<_> = found.by_ref().take(asked.len()).collect();
                output.json(&self.line(asked, &of_record))?;
            }
            output.flush()?;
            count.add(chunk.len());
        }
        count.finish();
        Ok(())
    }

    /// The line of a record, out of what its adapters say of each word of each label.
    fn line(&self, asked: &Asked, found: &[Vec<Vec<f64>>]) -> Value {
        let adapter = asked[0].0;
        let labels = &self.ways[&adapter].labels;
        let EnsemblePrediction { prediction, votes } = match self.team.choice {
            Choice::Ensemble(combination) => EnsemblePrediction::new(found, combination),
            Choice::Only | Choice::ByTask => EnsemblePrediction {
                prediction: Prediction::new(label_logprobs(&found[0])),
                votes: Vec::new(),
            },
        };
        let by_label = |values: Vec<Value>| -> Map<String, Value> {
            labels.iter().cloned().zip(values).collect()
        };
        let scores = prediction.log_probabilities.iter();
        let mut line = Map::new();
        if let (Choice::ByTask, Some(index)) = (self.team.choice, adapter) {
            line.insert("task".to_owned(), json!(self.team.members[index].name));
        }
        line.insert("label".to_owned(), json!(labels[prediction.class]));
        let scores = by_label(scores.map(|score| json!(score)).collect());
        line.insert("scores".to_owned(), scores.into());
        if !votes.is_empty() {
            let votes = by_label(votes.iter().map(|votes| json!(votes)).collect());
            line.insert("votes".to_owned(), votes.into());
        }
        line.into()
    }
}

/// The task of every adapter that a record needs.
fn find_tasks(
    team: &Team,
    input: &Input,
    of_records: &[Vec<Option<usize>>],
    given: Option<&TaskConfig>,
) -> Result<BTreeMap<Option<usize>, TaskConfig>, Failure> {
    let mut tasks = BTreeMap::new();
    for (record, adapters) in input.records.iter().zip(of_records) {
        for &adapter in adapters {
            if tasks.contains_key(&adapter) {
                continue;
            }
            let place = format!("{}:{}", input.source, record.line);
            let task = find_task(team, adapter, given)?;
            tasks.insert(adapter, task.ok_or_else(|| no_task(team, adapter, &place))?);
        }
    }
    Ok(tasks)
}

/// The task by which an adapter, or the model alone, reads records; `given` is that of `--task`.
fn find_task(
    team: &Team,
    adapter: Option<usize>,
    given: Option<&TaskConfig>,
) -> Result<Option<TaskConfig>, Failure> {
    match (adapter, team.choice, given) {
        // Those that records choose have their own.
        (Some(index), Choice::ByTask, _) | (Some(index), _, None) => {
            tasks::of_adapter(&team.members[index].folder)
        }
        (_, _, Some(task)) => Ok(Some(task.clone())),
        (None, _, None) => {
            let classifier = TaskConfig::new(TaskKind::Classification);
            Ok(team.tuned(None).head.is_some().then_some(classifier))
        }
    }
}

/// Nothing says how the record at `place` becomes an input.
fn no_task(team: &Team, adapter: Option<usize>, place: &str) -> Failure {
    const MISSING: &str = "nothing says how a record becomes an input, and what the labels are";
    match (adapter, team.choice) {
        (None, Choice::ByTask) => Failure::input(format!(
            "{place}: the record names no adapter by `task`, and {MISSING}"
        ))
        .hint("name one, or give an experiment file with a section [task] by `--task FILE`"),
        (Some(index), Choice::ByTask) => {
            let folder = team.members[index].folder.display();
            Failure::input(format!("{folder}: {MISSING}"))
                .hint("put a file task.toml with a section [task] there")
        }
        _ => Failure::input(MISSING)
            .hint("give the experiment file with its section [task] by `--task FILE`"),
    }
}

/// Says if the adapters of an ensemble do not tell the same labels apart.
fn check_labels(team: &Team, ways: &BTreeMap<Option<usize>, Way>) -> Result<(), Failure> {
    let mut ways = ways.iter();
    let Some((_, first)) = ways.next() else {
        return Ok(());
    };
    let Some((other, way)) = ways.find(|(_, way)| way.labels != first.labels) else {
        return Ok(());
    };
    let folder = |adapter: usize| team.members[adapter].folder.display();
    Err(Failure::input(format!(
        "the adapters of an ensemble must tell the same labels apart: {} has {}, {} has {}",
        folder(0),
        first.labels.join(", "),
        folder(other.unwrap_or(0)),
        way.labels.join(", ")
    ))
    .hint("leave one out, or let records choose by `--adapter NAME=DIR`"))
}
