//! From the sources to the records of each split, and from those to examples.

use pilotlight_core::TokenRow;

use crate::{
    config::{DataConfig, TaskConfig, TaskKind},
    error::{DataError, Problem, Problems},
    example::{Example, Split, Target},
    filter::{self, Filter},
    labels::Labels,
    preparer::Preparer,
    records::{Record, read_records_into},
    select,
    source::{DataSource, DataSources},
};

/// Share of the training file that is split off for validation where nothing else is said.
const VALIDATION_SHARE: f64 = 0.1;

/// Records of one source.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) source: String,
    pub(crate) records: Vec<Labelled>,
}

/// A record and, in classification, its class.
#[derive(Debug)]
pub(crate) struct Labelled {
    record: Record,
    class: Option<usize>,
}

/// The records of all splits.
#[derive(Debug)]
pub(crate) struct Splits {
    pub(crate) train: Records,
    pub(crate) validation: Records,
    pub(crate) test: Records,
}

impl Splits {
    /// Reads all sources and draws what is used of them. The names of the classes come along, if the task has any.
    pub(crate) fn read(
        sources: &DataSources,
        data: &DataConfig,
        task: &TaskConfig,
        seed: u64,
    ) -> Result<(Self, Vec<String>), DataError> {
        let mut problems = check(sources, data, task);
        let mut read = |source: &DataSource| read_records_into(source, &mut problems);
        let train = read(&sources.train)?;
        let validation = sources.validation.as_ref().map(&mut read).transpose()?;
        let test = sources.test.as_ref().map(&mut read).transpose()?;

        // Labels are looked for before the training file is divided: one that is rare must not be unknown to it.
        let labels = (task.kind == TaskKind::Classification)
            .then(|| Labels::of_task(task, &sources.train.name(), &train, &mut problems));
        let mut label = |source: &DataSource, records: Vec<Record>| {
            Records::label(source, records, labels.as_ref(), &task.label, &mut problems)
        };
        let train = label(&sources.train, train);
        let validation = sources.validation.as_ref().zip(validation);
        let validation = validation.map(|(source, records)| label(source, records));
        let test = sources.test.as_ref().zip(test);
        let test = test.map(|(source, records)| label(source, records));
        problems.into_result()?;

        let of_all = |records: Records| records.filter("where", &data.where_all);
        let train = of_all(train)?;
        let validation = validation.map(of_all).transpose()?;
        let test = test.map(of_all).transpose()?;
        let splits = Self::divide(train, validation, test, data, seed)?;
        let splits = Self {
            train: splits.train.filter("where_train", &data.where_train)?,
            validation: splits.validation.filter("where_train", &data.where_train)?,
            test: splits.test.filter("where_test", &data.where_test)?,
        };
        let splits = splits.limit(data, seed);
        Ok((splits, labels.map_or_else(Vec::new, Labels::into_names)))
    }

    fn divide(
        train: Records,
        validation: Option<Records>,
        test: Option<Records>,
        data: &DataConfig,
        seed: u64,
    ) -> Result<Self, DataError> {
        let n_records = train.records.len();
        let size = |is_given: bool, share: f64| match is_given || share == 0.0 {
            true => 0,
            // A share that was asked for is never nothing.
            false => ((n_records as f64 * share).round() as usize).max(1),
        };
        let sizes = [
            size(
                validation.is_some(),
                data.split.validation.unwrap_or(VALIDATION_SHARE),
            ),
            size(test.is_some(), data.split.test.unwrap_or(0.0)),
        ];
        if sizes.iter().sum::<usize>() >= n_records {
            return Err(Problem::with_key(
                "data.split",
                "records left to train on",
                format!("{sizes:?} of {n_records} records split off"),
                "split off less, or give files for validation and test",
            )
            .into());
        }
        let Records { source, records } = train;
        let ([for_validation, for_test], records) = select::split_off(records, sizes, seed);
        let part = |records| Records {
            source: source.clone(),
            records,
        };
        Ok(Self {
            validation: validation.unwrap_or_else(|| part(for_validation)),
            test: test.unwrap_or_else(|| part(for_test)),
            train: part(records),
        })
    }

    fn limit(mut self, data: &DataConfig, seed: u64) -> Self {
        for (split, limit) in [
            (&mut self.train, data.limit),
            (&mut self.validation, data.limit_validation),
            (&mut self.test, data.limit_test),
        ] {
            let records = std::mem::take(&mut split.records);
            split.records = select::limit(records, limit, seed);
        }
        if let Some(limit) = data.limit_per_class {
            let class = |labelled: &Labelled| labelled.class.unwrap_or(0);
            self.train.records = select::limit_per_class(self.train.records, class, limit, seed);
        }
        self
    }
}

impl Records {
    fn label(
        source: &DataSource,
        records: Vec<Record>,
        labels: Option<&Labels>,
        field: &str,
        problems: &mut Problems,
    ) -> Self {
        let source = source.name().into_owned();
        let mut labelled = Vec::with_capacity(records.len());
        for record in records {
            let class = labels.map(|labels| labels.class(&record, field, &source));
            match class.transpose() {
                Ok(class) => labelled.push(Labelled { record, class }),
                Err(problem) => problems.push(problem),
            }
        }
        Self {
            source,
            records: labelled,
        }
    }

    /// The records that have what the filter of this key asks for.
    fn filter(mut self, key: &str, filter: &Filter) -> Result<Self, DataError> {
        if filter.is_empty() || self.records.is_empty() {
            return Ok(self);
        }
        let mut problems = Problems::default();
        let source = &self.source;
        self.records.retain(
            |labelled| match filter::allows(filter, &labelled.record, source) {
                Ok(is_allowed) => is_allowed,
                Err(problem) => {
                    problems.push(problem);
                    true
                }
            },
        );
        problems.into_result()?;
        if self.records.is_empty() {
            return Err(Problem::with_key(
                format!("data.{key}"),
                format!("records of {} that are so", self.source),
                "none",
                "values are compared as they are written in the data",
            )
            .into());
        }
        Ok(self)
    }

    /// Records of each class with their classes, to be shown in front of others.
    pub(crate) fn shots(&self, n_shots: usize, seed: u64) -> Vec<(&Record, usize)> {
        let class = |labelled: &Labelled| labelled.class.unwrap_or(0);
        let chosen = select::shots(&self.records, class, n_shots, seed).into_iter();
        chosen
            .map(|labelled| (&labelled.record, class(labelled)))
            .collect()
    }

    /// One example of each record.
    pub(crate) fn examples(
        &self,
        preparer: &Preparer<'_>,
        problems: &mut Problems,
    ) -> Result<Split, DataError> {
        let mut split = Split::default();
        for Labelled { record, class } in &self.records {
            match preparer.example(record, &self.source, *class) {
                Ok(prepared) => {
                    split.truncation.add(prepared.tokens_cut);
                    split.examples.push(prepared.value);
                }
                Err(error) => problems.absorb(error)?,
            }
        }
        Ok(split)
    }

    /// The documents, each closed by `eos`, joined and cut into blocks. The last block is shorter; a single token
    /// that is left over teaches nothing and is dropped.
    pub(crate) fn blocks(
        &self,
        preparer: &Preparer<'_>,
        eos: u32,
        block_size: usize,
        problems: &mut Problems,
    ) -> Result<Split, DataError> {
        let mut split = Split::default();
        let mut block = Vec::with_capacity(block_size);
        let mut origin = 0;
        for Labelled { record, .. } in &self.records {
            let document = match preparer.document(record, &self.source) {
                Ok(document) if document.is_empty() => continue,
                Ok(document) => document,
                Err(error) => {
                    problems.absorb(error)?;
                    continue;
                }
            };
            for id in document.into_iter().chain([eos]) {
                if block.is_empty() {
                    origin = record.line;
                }
                block.push(id);
                if block.len() == block_size {
                    split.examples.push(text_block(&mut block, origin));
                }
            }
        }
        if block.len() > 1 {
            split.examples.push(text_block(&mut block, origin));
        }
        Ok(split)
    }
}

fn text_block(ids: &mut Vec<u32>, origin: usize) -> Example {
    Example {
        input: TokenRow::new(std::mem::take(ids)),
        target: Target::Text,
        origin,
    }
}

/// Keys of the data that do not fit together.
fn check(sources: &DataSources, data: &DataConfig, task: &TaskConfig) -> Problems {
    let mut problems = Problems::default();
    for (key, share, is_given) in [
        (
            "validation",
            data.split.validation,
            sources.validation.is_some(),
        ),
        ("test", data.split.test, sources.test.is_some()),
    ] {
        let Some(share) = share else { continue };
        if !(0.0..1.0).contains(&share) {
            problems.push(Problem::with_key(
                format!("data.split.{key}"),
                "a share of the training file: at least 0, less than 1",
                share.to_string(),
                "0.1 splits off every tenth record",
            ));
        } else if is_given && share > 0.0 {
            problems.push(Problem::with_key(
                format!("data.split.{key}"),
                format!("either `data.{key}` or a share to split off"),
                "both",
                "remove one of them",
            ));
        }
    }
    for (key, limit) in [
        ("limit", data.limit),
        ("limit_per_class", data.limit_per_class),
    ] {
        if limit == Some(0) {
            problems.push(Problem::with_key(
                format!("data.{key}"),
                "at least 1",
                "0",
                "without examples there is no training",
            ));
        }
    }
    if data.limit_per_class.is_some() && task.kind != TaskKind::Classification {
        problems.push(Problem::with_key(
            "data.limit_per_class",
            "kind = \"classification\"",
            "another kind of task",
            "use `limit`",
        ));
    }
    problems
}
