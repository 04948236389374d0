//! `pilot score`: how probable are choices behind a text?

use clap::Args;
use pilotlight_core::TokenRow;
use pilotlight_data::{Problem, Record};
use pilotlight_train::{Answers, Question, label_logprobs};
use serde_json::{Value, json};

use crate::{
    console::{Console, Output},
    devices::DeviceChoice,
    failure::Failure,
    progress::Count,
    records::{self, Input, RawInput},
    team::{RawTeam, Team},
};

/// Records between two writes of results.
const CHUNK: usize = 64;

/// Print the log-probability of each choice behind a text
#[derive(Debug, Args)]
#[command(after_help = "\
Each record has a `text` and a list of `choices`: {\"text\": \"The film was\", \"choices\": [\" good\", \" bad\"]}.
For each one a line {\"logprobs\": [..]} is printed: the sum over the tokens of each choice. Text and choices are \
tokenized apart, without special tokens.
Of several adapters with names each record's field `task` chooses one; without it the model alone is asked.

Examples:
  pilot score --model MODEL --input pairs.jsonl
  pilot score --model MODEL --adapter runs/first/adapter --input pairs.jsonl > scores.jsonl
  pilot score --model MODEL --adapter mood=runs/mood --adapter topic=runs/topic --input mixed.jsonl")]
pub(crate) struct RawScore {
    #[command(flatten)]
    team: RawTeam,
    #[command(flatten)]
    input: RawInput,
    /// Rows that are run at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    batch_size: u16,
}

/// What is to be scored, by what.
pub(crate) struct Score {
    team: Team,
    asked: Vec<Asked>,
    batch_size: usize,
}

/// A text and its choices as tokens, and the adapter that is asked.
struct Asked {
    adapter: Option<usize>,
    text: TokenRow,
    choices: Vec<Vec<u32>>,
}

impl Score {
    pub(crate) fn new(
        raw: &RawScore,
        device: DeviceChoice,
        console: &Console,
    ) -> Result<Self, Failure> {
        let input = raw.input.read()?;
        let texts = texts(&input)?;
        let team = raw.team.load(None, device, console)?;
        team.check_words()?;
        let mut problems = Vec::new();
        let mut asked = Vec::with_capacity(texts.len());
        let of_records = team.of_records(&input)?;
        for ((record, (text, choices)), adapters) in input.records.iter().zip(texts).zip(of_records)
        {
            for adapter in adapters {
                match tokenized(&team, adapter, text, &choices)? {
                    Ok(question) => asked.push(question),
                    Err((field, expected, found)) => {
                        let hint = "change the record or leave it out";
                        problems.push(input.problem(record, field, expected, &found, hint));
                    }
                }
            }
        }
        if !problems.is_empty() {
            return Err(records::failure(&problems));
        }
        Ok(Self {
            team,
            asked,
            batch_size: raw.batch_size.into(),
        })
    }

    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        let mut output = Output::open();
        let mut count = Count::new("scored", self.asked.len(), console);
        for chunk in self.asked.chunks(CHUNK) {
            let questions = chunk.iter().map(|asked| Question {
                adapter: asked.adapter,
                input: &asked.text,
                answers: Answers::Choices(&asked.choices),
            });
            let questions: Vec<Question<'_>> = questions.collect();
            let adapters = &self.team.adapters;
            for choices in adapters.ask(&questions, self.batch_size, &mut |_| ())? {
                output.json(&json!({ "logprobs": label_logprobs(&choices) }))?;
            }
            output.flush()?;
            count.add(chunk.len());
        }
        count.finish();
        Ok(())
    }
}

/// The text and the choices of every record.
fn texts(input: &Input) -> Result<Vec<(&str, Vec<&str>)>, Failure> {
    let mut problems = Vec::new();
    let mut texts = Vec::with_capacity(input.records.len());
    for record in &input.records {
        match (text(input, record), choices(input, record)) {
            (Ok(text), Ok(choices)) => texts.push((text, choices)),
            (text, choices) => problems.extend(text.err().into_iter().chain(choices.err())),
        }
    }
    match problems.is_empty() {
        true => Ok(texts),
        false => Err(records::failure(&problems)),
    }
}

fn text<'a>(input: &Input, record: &'a Record) -> Result<&'a str, Problem> {
    record
        .fields
        .get("text")
        .and_then(Value::as_str)
        .ok_or_else(|| {
            let found = shown(record.fields.get("text"));
            input.problem(
                record,
                "text",
                "a text",
                &found,
                "write it like \"text\": \"The film was\"",
            )
        })
}

fn choices<'a>(input: &Input, record: &'a Record) -> Result<Vec<&'a str>, Problem> {
    let value = record.fields.get("choices");
    let choices: Option<Vec<&str>> = value
        .and_then(Value::as_array)
        .and_then(|choices| choices.iter().map(Value::as_str).collect());
    choices
        .filter(|choices| !choices.is_empty())
        .ok_or_else(|| {
            let hint = "write them like \"choices\": [\" good\", \" bad\"]";
            input.problem(record, "choices", "a list of texts", &shown(value), hint)
        })
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "no such field".to_owned(),
        Some(Value::String(_)) => "a text".to_owned(),
        Some(Value::Array(values)) if values.is_empty() => "an empty list".to_owned(),
        Some(Value::Array(_)) => "a list of something else".to_owned(),
        Some(Value::Object(_)) => "an object".to_owned(),
        Some(other) => other.to_string(),
    }
}

/// The tokens of a record; or the field that is wrong, what was expected and what was found.
type Tokenized = Result<Asked, (&'static str, &'static str, String)>;

fn tokenized(
    team: &Team,
    adapter: Option<usize>,
    text: &str,
    choices: &[&str],
) -> Result<Tokenized, Failure> {
    let encode = |text: &str| team.tokenizer.encode(text, false);
    let text = TokenRow::new(encode(text)?);
    let choices: Vec<Vec<u32>> = choices
        .iter()
        .map(|choice| encode(choice))
        .collect::<Result<_, _>>()?;
    if text.ids.is_empty() && team.tuned(adapter).tuner.config().inserted() == 0 {
        return Ok(Err((
            "text",
            "a text with tokens",
            "one without any".to_owned(),
        )));
    }
    if choices.iter().any(Vec::is_empty) {
        return Ok(Err((
            "choices",
            "texts with tokens",
            "one without any".to_owned(),
        )));
    }
    let longest = choices.iter().map(Vec::len).max().unwrap_or(0);
    if let Err(found) = team.check_length(adapter, text.ids.len() + longest) {
        return Ok(Err(("text", "a text that fits into the model", found)));
    }
    Ok(Ok(Asked {
        adapter,
        text,
        choices,
    }))
}
