//! From one record to one example.

use crate::{
    config::{Head, TaskConfig, TaskKind},
    demonstrations::{Demonstrations, Demonstrator},
    error::{DataError, Place, Problem, Problems, quote},
    example::{Example, Target},
    input::{self, Fitted, SpecialTokens, Unfit},
    records::Record,
    splits::Records,
    task_data::PrepareOptions,
    template::InputTemplate,
    tokenizer::Tokenizer,
    verbalizer::Verbalizer,
};

/// Makes the inputs of a task from records: those of a data set, or new ones at prediction.
#[derive(Debug)]
pub struct Preparer<'a> {
    task: &'a TaskConfig,
    tokenizer: &'a Tokenizer,
    template: InputTemplate,
    verbalizer: Option<Verbalizer>,
    special_tokens: SpecialTokens,
    /// Most tokens of an input and its answer.
    max_tokens: usize,
    /// Positions of the model that nothing else takes.
    n_free: usize,
    /// The examples in front of every input, once they are drawn.
    demonstrations: Option<Demonstrations>,
    /// The token that closes a completion or a document.
    closing: Option<u32>,
}

/// An input or an example, and how many tokens were cut to make it fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared<T> {
    /// What was made.
    pub value: T,
    /// Number of tokens left out.
    pub tokens_cut: usize,
}

impl<'a> Preparer<'a> {
    /// Compiles the template of a task and tokenises its label words.
    ///
    /// # Errors
    ///
    /// If keys of the task do not fit together, a template does not compile, or label words are not fit to tell
    /// labels apart.
    pub fn new(
        task: &'a TaskConfig,
        tokenizer: &'a Tokenizer,
        options: &PrepareOptions,
    ) -> Result<Self, DataError> {
        check(task, tokenizer, options).into_result()?;
        let head = task.head.unwrap_or(options.head);
        let reads_words = task.kind == TaskKind::Classification && head == Head::Verbalizer;
        let reads_linear = task.kind == TaskKind::Classification && head == Head::Linear;
        Ok(Self {
            task,
            tokenizer,
            template: InputTemplate::compile(task)?,
            verbalizer: reads_words
                .then(|| Verbalizer::of_task(task, tokenizer))
                .transpose()?,
            special_tokens: match (task.add_special_tokens, reads_linear) {
                (false, _) => SpecialTokens::None,
                (true, false) => SpecialTokens::Leading,
                (true, true) => SpecialTokens::All,
            },
            max_tokens: available(task, options),
            n_free: options.n_positions.saturating_sub(options.reserve),
            demonstrations: None,
            closing: tokenizer.eos().filter(|_| task.append_eos),
        })
    }

    /// The label words, where they read the class off the model.
    pub fn verbalizer(&self) -> Option<&Verbalizer> {
        self.verbalizer.as_ref()
    }

    /// Puts `task.shots` of the records of each class in front of all inputs.
    pub(crate) fn show(&mut self, records: &Records, seed: u64) -> Result<(), DataError> {
        let Some(verbalizer) = self.verbalizer.as_ref().filter(|_| self.task.shots > 0) else {
            return Ok(());
        };
        let demonstrator = Demonstrator {
            task: self.task,
            template: &self.template,
            tokenizer: self.tokenizer,
            verbalizer,
            n_free: self.n_free,
        };
        let shots = records.shots(self.task.shots, seed);
        let shown = demonstrator.demonstrate(shots.into_iter(), &records.source)?;
        // The examples come on top of what the task allows an input.
        self.max_tokens = self
            .max_tokens
            .min(self.n_free.saturating_sub(shown.ids.len()));
        self.demonstrations = Some(shown);
        Ok(())
    }

    /// The input of a record of `source`, shortened to leave room for `room` tokens behind it.
    ///
    /// # Errors
    ///
    /// If the record lacks a field of the template, or its input is empty or cannot be made short enough.
    pub fn input(
        &self,
        record: &Record,
        source: &str,
        room: usize,
    ) -> Result<Prepared<pilotlight_core::TokenRow>, DataError> {
        let rendered = self.template.render(record, source)?;
        let max_tokens = self.max_tokens.saturating_sub(room);
        let problem = |expected: String, found: String, hint: &str| {
            DataError::from(Problem {
                place: Place::Line {
                    source: source.into(),
                    line: record.line,
                    field: None,
                },
                expected,
                found,
                hint: hint.into(),
            })
        };
        if self.task.shots > 0 && self.demonstrations.is_none() {
            return Err(Problem::with_key(
                "task.shots",
                "training examples to show",
                "none",
                "write examples into the template to predict with them",
            )
            .into());
        }
        match input::fit(&rendered, self.tokenizer, self.special_tokens, max_tokens) {
            Ok(mut fitted) => {
                if let Some(shown) = &self.demonstrations {
                    shown.in_front_of(&mut fitted);
                }
                Ok(Prepared {
                    value: fitted.row,
                    tokens_cut: fitted.tokens_cut,
                })
            }
            Err(Unfit::Tokenizer(error)) => Err(error),
            Err(Unfit::Empty) => Err(problem(
                "an input with tokens".into(),
                quote(
                    &rendered
                        .sequences
                        .iter()
                        .map(|sequence| &*sequence.text)
                        .collect::<String>(),
                ),
                "fill the fields of the template or drop the record",
            )),
            Err(Unfit::TooLong(n_tokens)) => Err(problem(
                format!("an input of at most {max_tokens} tokens beside {room} of the answer"),
                format!("{n_tokens} that must not be cut"),
                "raise `max_tokens`, shorten the template, or allow `truncate` for more parts",
            )),
        }
    }

    /// The example of a record of `source`; `class` is that of its label in a classification task.
    ///
    /// # Errors
    ///
    /// As [`input`](Self::input), or if the record has no target text.
    pub(crate) fn example(
        &self,
        record: &Record,
        source: &str,
        class: Option<usize>,
    ) -> Result<Prepared<Example>, DataError> {
        let (target, room) = match (self.task.kind, class) {
            (TaskKind::Completion, _) => {
                let answer = self.completion(record, source)?;
                let room = answer.len();
                (Target::Completion(answer), room)
            }
            (TaskKind::Classification, Some(class)) => {
                let longest = self.verbalizer().map_or(0, Verbalizer::longest_word);
                (Target::Class(class), longest)
            }
            _ => (Target::Text, usize::from(self.closing.is_some())),
        };
        let Prepared {
            value: mut input,
            tokens_cut,
        } = self.input(record, source, room)?;
        if target == Target::Text {
            input.ids.extend(self.closing);
        }
        Ok(Prepared {
            value: Example {
                input,
                target,
                origin: record.line,
            },
            tokens_cut,
        })
    }

    fn completion(&self, record: &Record, source: &str) -> Result<Vec<u32>, DataError> {
        let field = &self.task.target;
        let text = record.text(field, source)?;
        let mut answer = self.tokenizer.encode(&text, false)?;
        answer.extend(self.closing);
        if answer.is_empty() {
            return Err(Problem {
                place: Place::Line {
                    source: source.into(),
                    line: record.line,
                    field: Some(field.clone()),
                },
                expected: "a text with tokens".into(),
                found: quote(&text),
                hint: "fill the field or drop the record".into(),
            }
            .into());
        }
        Ok(answer)
    }

    /// All tokens of a document, however many.
    pub(crate) fn document(&self, record: &Record, source: &str) -> Result<Vec<u32>, DataError> {
        let rendered = self.template.render(record, source)?;
        match input::fit(&rendered, self.tokenizer, self.special_tokens, usize::MAX) {
            Ok(Fitted { row, .. }) => Ok(row.ids),
            Err(Unfit::Tokenizer(error)) => Err(error),
            // Blank lines between documents are no harm.
            Err(Unfit::Empty | Unfit::TooLong(_)) => Ok(Vec::new()),
        }
    }

    /// Tokens of a block and the token that closes each document, where documents are joined.
    pub(crate) fn block(&self) -> Option<(usize, u32)> {
        self.task.block_size.zip(self.tokenizer.eos())
    }
}

/// Tokens that the task's own bound and the model's positions leave.
fn available(task: &TaskConfig, options: &PrepareOptions) -> usize {
    let free = options.n_positions.saturating_sub(options.reserve);
    task.max_tokens.min(free)
}

/// Keys of a task that do not fit together.
fn check(task: &TaskConfig, tokenizer: &Tokenizer, options: &PrepareOptions) -> Problems {
    let mut problems = Problems::default();
    let mut add = |key: &str, expected: &str, found: String, hint: &str| {
        problems.push(Problem::with_key(key, expected, found, hint));
    };
    if available(task, options) == 0 {
        add(
            "task.max_tokens",
            "room for tokens",
            format!(
                "max_tokens = {}, and {} positions of which a soft prompt takes {}",
                task.max_tokens, options.n_positions, options.reserve
            ),
            "shorten the soft prompt or raise `max_tokens`",
        );
    }
    if task.template.is_some() && !task.parts.is_empty() {
        add(
            "task.parts",
            "either `template` or `parts`",
            "both".into(),
            "move the template into a part",
        );
    }
    for (index, part) in task.parts.iter().enumerate() {
        let key = format!("task.parts[{index}]");
        if part.name.is_empty()
            || task.parts[..index]
                .iter()
                .any(|other| other.name == part.name)
        {
            let found = quote(&part.name);
            let hint = "soft prompts are placed by the names of parts";
            add(&format!("{key}.name"), "a name of its own", found, hint);
        }
        let earlier = task.parts[..index].iter().any(|part| part.second_sequence);
        if part.second_sequence && (index == 0 || earlier) {
            add(
                &format!("{key}.second_sequence"),
                "one second sequence, behind a first one",
                if index == 0 {
                    "the first part"
                } else {
                    "a third sequence"
                }
                .into(),
                "a pair has two sequences",
            );
        }
    }
    let needs_eos = task.append_eos || task.block_size.is_some();
    if needs_eos && tokenizer.eos().is_none() {
        add(
            if task.append_eos {
                "task.append_eos"
            } else {
                "task.block_size"
            },
            "a tokenizer with an end-of-sequence token",
            "none".into(),
            "name it as `eos_token` in tokenizer_config.json",
        );
    }
    if let Some(block_size) = task.block_size {
        if task.kind != TaskKind::LanguageModelling {
            let hint = "only language modelling joins its texts";
            add(
                "task.block_size",
                "kind = \"language-modelling\"",
                "another kind".into(),
                hint,
            );
        }
        let free = options.n_positions.saturating_sub(options.reserve);
        if block_size < 2 || block_size > free {
            add(
                "task.block_size",
                &format!("2 to {free} tokens"),
                block_size.to_string(),
                "a block and the soft prompt have to fit into the model's positions",
            );
        }
    }
    let head = task.head.unwrap_or(options.head);
    if task.shots > 0 && (task.kind != TaskKind::Classification || head != Head::Verbalizer) {
        add(
            "task.shots",
            "a classification that label words answer",
            "another task".into(),
            "examples are shown to a language model that says the label; remove `shots`",
        );
    }
    if task.kind != TaskKind::Classification
        && !(task.labels.is_empty() && task.label_names.is_empty())
    {
        let hint = "only classification has labels";
        add(
            "task.labels",
            "kind = \"classification\"",
            "another kind".into(),
            hint,
        );
    }
    problems
}
