//! The labels of a classification task and their classes.

use std::collections::BTreeSet;

use indexmap::IndexSet;

use crate::{
    config::TaskConfig,
    error::{Place, Problem, Problems, list_names, quote, suggest},
    records::Record,
};

/// Most labels that are taken from the data without being named: beyond it the field is hardly a label.
const MAX_FOUND_LABELS: usize = 1000;

/// The labels in the order of their classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labels {
    names: IndexSet<String>,
    /// Names of the labels 0, 1, 2 and so on.
    numbered: Vec<String>,
}

impl Labels {
    /// The labels of a task: those of its verbalizer, else its `label_names`, else what the training records hold
    /// (in numerical order if all are integers, else in that of Unicode).
    pub(crate) fn of_task(
        task: &TaskConfig,
        source: &str,
        train: &[Record],
        problems: &mut Problems,
    ) -> Self {
        let mut names: IndexSet<String> = if !task.labels.is_empty() {
            task.labels.keys().cloned().collect()
        } else {
            task.label_names.iter().cloned().collect()
        };
        if names.is_empty() {
            names = found_labels(&task.label, train);
            if names.len() > MAX_FOUND_LABELS {
                problems.push(Problem {
                    place: Place::Source(source.into()),
                    expected: format!("labels in field `{}`", task.label),
                    found: format!("more than {MAX_FOUND_LABELS} different values"),
                    hint: "set `label` in [task] to the field of the labels, or name them in \
                           `label_names`"
                        .into(),
                });
            }
        }
        let labels = Self {
            names,
            numbered: task.label_names.clone(),
        };
        labels.check(task, problems);
        labels
    }

    fn check(&self, task: &TaskConfig, problems: &mut Problems) {
        for (index, name) in self.numbered.iter().enumerate() {
            if self.numbered[..index].contains(name) {
                problems.push(Problem::with_key(
                    "task.label_names",
                    "different names",
                    format!("{} twice", quote(name)),
                    "each label needs a name of its own",
                ));
            } else if !self.names.contains(name) {
                problems.push(Problem::with_key(
                    "task.labels",
                    format!("label words for `{name}` of `label_names`"),
                    list_names(task.labels.keys().map(String::as_str)),
                    format!("add `{name} = \" ...\"`"),
                ));
            }
        }
        if self.numbered.is_empty() {
            return;
        }
        for name in task.labels.keys() {
            if !self.numbered.contains(name) {
                problems.push(Problem::with_key(
                    "task.labels",
                    "only labels of `label_names`",
                    format!("`{name}`"),
                    suggest(name, self.numbered.iter().map(String::as_str)),
                ));
            }
        }
    }

    /// The class of a record of `source`.
    pub(crate) fn class(
        &self,
        record: &Record,
        field: &str,
        source: &str,
    ) -> Result<usize, Problem> {
        let text = record.text(field, source).map_err(|problem| Problem {
            expected: "a label".into(),
            ..problem
        })?;
        let by_number = || {
            let name = self.numbered.get(text.parse::<usize>().ok()?)?;
            self.names.get_index_of(name)
        };
        self.names
            .get_index_of(&text)
            .or_else(by_number)
            .ok_or_else(|| Problem {
                place: Place::Line {
                    source: source.into(),
                    line: record.line,
                    field: Some(field.into()),
                },
                expected: "a known label".into(),
                found: quote(&text),
                hint: suggest(&text, self.names.iter().map(String::as_str)),
            })
    }

    pub(crate) fn into_names(self) -> Vec<String> {
        self.names.into_iter().collect()
    }
}

fn found_labels(field: &str, train: &[Record]) -> IndexSet<String> {
    let mut found = BTreeSet::new();
    for record in train {
        // A record without a label is a problem of its own, reported where its class is asked for.
        found.extend(record.text(field, "").ok());
        if found.len() > MAX_FOUND_LABELS {
            break;
        }
    }
    let numbers: Option<BTreeSet<i64>> = found.iter().map(|name| name.parse().ok()).collect();
    match numbers {
        // Equal numbers in different spelling (1 and 01) are different labels.
        Some(numbers) if numbers.len() == found.len() => {
            let mut found: Vec<String> = found.into_iter().collect();
            found.sort_by_key(|name| name.parse::<i64>().ok());
            found.into_iter().collect()
        }
        _ => found.into_iter().collect(),
    }
}
