//! A record as the text of an input, and where its parts end.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use minijinja::{
    Environment, OutputSpanKind, Template, UndefinedBehavior,
    syntax::SyntaxConfig,
    value::{Serde, Value},
};
use serde_json::Map;

use crate::{
    config::{PartConfig, TaskConfig},
    error::{DataError, Place, Problem, Problems, quote, suggest},
    records::Record,
};

/// Instructions that one rendering may take: ends templates that would loop for ever.
const FUEL: u64 = 1_000_000;

/// The input of a task as a function of a record.
#[derive(Debug)]
pub(crate) struct InputTemplate {
    environment: Environment<'static>,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// The text of one field.
    Field(String),
    /// One template, each `{{ .. }}` of it a part.
    Whole,
    /// Named parts.
    Parts(Vec<Part>),
}

#[derive(Debug)]
struct Part {
    name: Arc<str>,
    template: String,
    truncate: bool,
    second_sequence: bool,
}

/// A rendered input: one sequence, or the two of a pair.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) sequences: Vec<Sequence>,
    /// Name, sequence and ending byte of each part, in order.
    pub(crate) part_ends: Vec<(Arc<str>, usize, usize)>,
}

/// A text and those ranges of it that may be cut: what stands in place of `{{ .. }}`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) text: String,
    pub(crate) cuttable: Vec<Range<usize>>,
}

const WHOLE: &str = "task.template";

impl InputTemplate {
    /// Compiles the templates of a task.
    pub(crate) fn compile(task: &TaskConfig) -> Result<Self, DataError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_fuel(Some(FUEL));
        environment.set_syntax(
            SyntaxConfig::builder()
                .keep_trailing_newline(true)
                .build()
                .expect("the default delimiters differ"),
        );
        let mut problems = Problems::default();
        let mut add = |key: String, source: &str| {
            let added = environment.add_template_owned(key.clone(), source.to_owned());
            if let Err(error) = added {
                problems.push(Problem::with_key(
                    key,
                    "a minijinja template",
                    format!("{} ({error})", quote(source)),
                    "fields stand in double braces, as in \"{{ text }}\"",
                ));
            }
        };
        let form = if let Some(source) = &task.template {
            add(WHOLE.into(), source);
            Form::Whole
        } else if task.parts.is_empty() {
            Form::Field(task.text.clone())
        } else {
            let parts = task.parts.iter().enumerate().map(|(index, part)| {
                let template = format!("task.parts[{index}].template");
                add(template.clone(), &part.template);
                let PartConfig {
                    name,
                    truncate,
                    second_sequence,
                    ..
                } = part;
                Part {
                    name: name.as_str().into(),
                    template,
                    truncate: *truncate,
                    second_sequence: *second_sequence,
                }
            });
            Form::Parts(parts.collect())
        };
        problems.into_result()?;
        Ok(Self { environment, form })
    }

    /// Renders the input of a record of `source`.
    ///
    /// # Errors
    ///
    /// A problem that names the field if the template asks for one that the record lacks.
    pub(crate) fn render(&self, record: &Record, source: &str) -> Result<Rendered, Problem> {
        match &self.form {
            Form::Field(field) => {
                let text = record.text(field, source)?;
                let end = text.len();
                Ok(Rendered {
                    sequences: vec![Sequence {
                        text,
                        cuttable: std::iter::once(0..end).collect(),
                    }],
                    part_ends: vec![(field.as_str().into(), 0, end)],
                })
            }
            Form::Whole => self.render_whole(record, source),
            Form::Parts(parts) => self.render_parts(parts, record, source),
        }
    }

    fn render_parts(
        &self,
        parts: &[Part],
        record: &Record,
        source: &str,
    ) -> Result<Rendered, Problem> {
        let mut rendered = Rendered {
            sequences: vec![Sequence::default()],
            part_ends: Vec::with_capacity(parts.len()),
        };
        for part in parts {
            if part.second_sequence {
                rendered.sequences.push(Sequence::default());
            }
            let n_sequences = rendered.sequences.len();
            let sequence = &mut rendered.sequences[n_sequences - 1];
            let output = self.output(&part.template, record, source)?;
            let offset = sequence.text.len();
            sequence.text += &output.text;
            if part.truncate {
                let ranges = output.expressions.into_iter().map(|(range, _)| range);
                let ranges = ranges.map(|range| range.start + offset..range.end + offset);
                sequence.cuttable.extend(ranges);
            }
            let end = sequence.text.len();
            rendered
                .part_ends
                .push((Arc::clone(&part.name), n_sequences - 1, end));
        }
        Ok(rendered)
    }

    fn render_whole(&self, record: &Record, source: &str) -> Result<Rendered, Problem> {
        let output = self.output(WHOLE, record, source)?;
        // Name, place in the template and end in the text of each expression; what occurs twice counts by its end.
        let mut ends: Vec<(String, usize, usize)> = Vec::new();
        let mut add = |name: &str, place: usize, end: usize| match ends
            .iter_mut()
            .find(|(known, ..)| known == name)
        {
            Some(known) => *known = (name.to_owned(), place, end),
            None => ends.push((name.to_owned(), place, end)),
        };
        let template = self.template(WHOLE);
        for (range, place) in &output.expressions {
            let name = template.source()[place.clone()].trim();
            add(name, place.start, range.end);
        }
        // An empty field leaves no trace in the output, but its place exists all the same: it is found by a second
        // rendering with the empty fields filled.
        if let Some(filled) = fill_blank_fields(record) {
            let probe = self.output(WHOLE, &filled, source)?;
            let known: BTreeSet<usize> = output.pieces.iter().map(|piece| piece.0).collect();
            for (_, place) in probe.expressions {
                if !known.contains(&place.start) {
                    let before = output.pieces.iter().rev();
                    let end = before
                        .clone()
                        .find(|piece| piece.0 < place.start)
                        .map_or(0, |piece| piece.1);
                    add(template.source()[place.clone()].trim(), place.start, end);
                }
            }
        }
        ends.sort_by_key(|&(_, place, end)| (end, place));
        Ok(Rendered {
            sequences: vec![Sequence {
                text: output.text,
                cuttable: output
                    .expressions
                    .into_iter()
                    .map(|(range, _)| range)
                    .collect(),
            }],
            part_ends: ends
                .into_iter()
                .map(|(name, _, end)| (name.into(), 0, end))
                .collect(),
        })
    }

    fn template(&self, name: &str) -> Template<'_, '_> {
        self.environment
            .get_template(name)
            .expect("every template was compiled at the start")
    }

    fn output(&self, name: &str, record: &Record, source: &str) -> Result<Output, Problem> {
        let template = self.template(name);
        // Null is no text: a template meets it as a missing field.
        let fields = record.fields.iter().filter(|(_, value)| !value.is_null());
        let fields: Map<_, _> = fields
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let (text, spans) = template
            .render_with_spans(Value::from(Serde(&fields)))
            .map_err(|error| self.failed(&template, record, source, &error))?;
        let mut output = Output {
            text,
            ..Output::default()
        };
        for span in spans {
            output
                .pieces
                .push((span.source_range().start, span.output_range().end));
            if span.kind() == OutputSpanKind::Expression {
                output
                    .expressions
                    .push((span.output_range(), span.source_range()));
            }
        }
        Ok(output)
    }

    fn failed(
        &self,
        template: &Template<'_, '_>,
        record: &Record,
        source: &str,
        error: &minijinja::Error,
    ) -> Problem {
        let is_known = |name: &str| {
            let field = record.fields.get(name);
            field.is_some_and(|field| !field.is_null())
                || self.environment.globals().any(|(global, _)| global == name)
        };
        let mut missing: Vec<String> = template
            .undeclared_variables(false)
            .into_iter()
            .filter(|name| !is_known(name))
            .collect();
        missing.sort_unstable();
        let field = match error.kind() {
            minijinja::ErrorKind::UndefinedError => missing.into_iter().next(),
            _ => None,
        };
        let (expected, found, hint) = match &field {
            Some(name) => {
                let fields = record.fields.keys().map(String::as_str);
                let found = match record.fields.get(name) {
                    Some(_) => "null",
                    None => "no such field",
                };
                let expected = format!("the field that {} names", template.name());
                (expected, found.into(), suggest(name, fields))
            }
            None => (
                format!("a record that {} can render", template.name()),
                error.to_string(),
                "correct the template or the record".into(),
            ),
        };
        Problem {
            place: Place::Line {
                source: source.into(),
                line: record.line,
                field,
            },
            expected,
            found,
            hint,
        }
    }
}

/// What one template made of a record.
#[derive(Debug, Default)]
struct Output {
    text: String,
    /// For every `{{ .. }}`, its range in the text and in the template.
    expressions: Vec<(Range<usize>, Range<usize>)>,
    /// For every piece, where it begins in the template and ends in the text.
    pieces: Vec<(usize, usize)>,
}

/// The record with a word in every field that is blank; `None` if there is no such field.
fn fill_blank_fields(record: &Record) -> Option<Record> {
    let mut filled = record.clone();
    let mut n_filled = 0;
    for value in filled.fields.values_mut() {
        if value.as_str().is_some_and(|text| text.trim().is_empty()) {
            *value = "x".into();
            n_filled += 1;
        }
    }
    (n_filled > 0).then_some(filled)
}
