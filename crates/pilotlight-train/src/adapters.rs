//! Several adapters on one base, each row of a batch with its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use burn::module::Module;
use pilotlight_core::{TokenRow, Tuner};
use pilotlight_data::Verbalizer;
use pilotlight_transformer::Hidden;
use pilotlight_tuners::Mixed;

use crate::{
    error::TrainError,
    saved::{load_tuned, trains_base},
    score::{head_logprobs, token_logprobs},
    tuned::Tuned,
    words::WordPlan,
};

/// One frozen base with several adapters.
///
/// Rows for different adapters share a batch: the base runs once for all of them, and each row has the results that
/// it has when its adapter is alone. Rows of an adapter that changes the base itself have batches of their own.
#[derive(Debug)]
pub struct Adapters {
    bare: Tuned,
    adapters: Vec<Adapter>,
}

#[derive(Debug)]
struct Adapter {
    tuned: Tuned,
    /// Whether the base is that of all others.
    shares_base: bool,
}

/// What is asked of one of the adapters.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Which one; `None` for the base alone.
    pub adapter: Option<usize>,
    /// The text.
    pub input: &'a TokenRow,
    /// What might stand behind it.
    pub answers: Answers<'a>,
}

/// What might stand behind a text.
#[derive(Debug, Clone, Copy)]
pub enum Answers<'a> {
    /// The words of labels.
    Labels(&'a Verbalizer),
    /// The classes of the linear head.
    Classes,
    /// Any tokens.
    Choices(&'a [Vec<u32>]),
}

/// A row that has to be run, and what is read off it.
struct Row {
    question: usize,
    adapter: Option<usize>,
    row: TokenRow,
    /// Tokens by their places; without them, the classes are read.
    tokens: Option<Vec<(usize, u32)>>,
}

impl Adapters {
    /// No adapters yet on the base of `bare`, whose head is that of adapters without one.
    pub fn new(bare: Tuned) -> Self {
        Self {
            bare: bare.valid(),
            adapters: Vec::new(),
        }
    }

    /// Adds the adapter in a folder and says which one it is.
    ///
    /// # Errors
    ///
    /// As [`load_tuned`].
    pub fn load(&mut self, folder: &Path) -> Result<usize, TrainError> {
        let tuned = load_tuned(folder, self.bare.base.clone())?;
        Ok(self.add(tuned, !trains_base(folder)))
    }

    /// Adds an adapter and says which one it is; `shares_base` says whether it leaves the base as it is.
    pub fn add(&mut self, mut tuned: Tuned, shares_base: bool) -> usize {
        if tuned.head.is_none() {
            tuned.head = self.bare.head.clone();
        }
        self.adapters.push(Adapter {
            tuned: tuned.valid(),
            shares_base,
        });
        self.adapters.len() - 1
    }

    /// Number of adapters.
    pub fn len(&self) -> usize {
        self.adapters.len()
    }

    /// Whether there is only the base.
    pub fn is_empty(&self) -> bool {
        self.adapters.is_empty()
    }

    /// One of the adapters on the base; `None` asks for the base alone.
    ///
    /// # Panics
    ///
    /// Panics if there is none of this index.
    pub fn get(&self, adapter: Option<usize>) -> &Tuned {
        match adapter {
            Some(index) => &self.adapters[index].tuned,
            None => &self.bare,
        }
    }

    /// For each question and each label, class or choice of it the log-probabilities of its words: that of a label is
    /// the [sum of their probabilities](crate::label_logprobs); a class or a choice is one word.
    ///
    /// Rows of like length share a batch of at most `batch_size`; `progress` is told how many are done.
    ///
    /// # Errors
    ///
    /// If a model cannot do what is asked of it, a text or a choice has no tokens where it needs some, or the device
    /// fails.
    pub fn ask(
        &self,
        questions: &[Question<'_>],
        batch_size: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Vec<f64>>>, TrainError> {
        let plans: Vec<Option<WordPlan>> = questions
            .iter()
            .map(|question| self.plan(question))
            .collect::<Result<_, _>>()?;
        let mut rows = Vec::new();
        for (index, (question, plan)) in questions.iter().zip(&plans).enumerate() {
            rows.extend(rows_of(index, question, plan.as_ref()));
        }
        let mut values: Vec<Vec<Vec<f64>>> = vec![Vec::new(); questions.len()];
        let results = self.run_all(&rows, batch_size, progress)?;
        // The rows of a question come in their order.
        for (row, result) in rows.iter().zip(results) {
            values[row.question].push(result);
        }
        let answers = values.into_iter().zip(&plans).map(|(values, plan)| {
            let Some(plan) = plan else {
                let classes = values.into_iter().flatten();
                return classes.map(|class| vec![class]).collect();
            };
            plan.word_logprobs(&values)
        });
        Ok(answers.collect())
    }

    /// How the answers to a question are read; `None` for classes.
    fn plan(&self, question: &Question<'_>) -> Result<Option<WordPlan>, TrainError> {
        let tuned = self.get(question.adapter);
        match question.answers {
            Answers::Labels(verbalizer) => {
                tuned.check_words()?;
                Ok(Some(WordPlan::new(verbalizer)))
            }
            Answers::Choices(choices) => {
                tuned.check_words()?;
                if choices.iter().any(Vec::is_empty) {
                    let problem = "a choice has no tokens\nhint: every choice needs a text";
                    return Err(TrainError::Unfit(problem.into()));
                }
                Ok(Some(WordPlan::of_choices(choices)))
            }
            Answers::Classes => {
                tuned.check_head()?;
                if question.input.ids.is_empty() {
                    let problem = "a text has no tokens\nhint: give it at least one";
                    return Err(TrainError::Unfit(problem.into()));
                }
                Ok(None)
            }
        }
    }

    /// The results of all rows, in their order.
    fn run_all(
        &self,
        rows: &[Row],
        batch_size: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<f64>>, TrainError> {
        let mut groups: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            groups.entry(self.base_of(row)).or_default().push(index);
        }
        let mut results: Vec<Vec<f64>> = vec![Vec::new(); rows.len()];
        let mut n_done = 0;
        for mut group in groups.into_values() {
            group.sort_by_key(|&row| std::cmp::Reverse(rows[row].row.ids.len()));
            for batch in group.chunks_mut(batch_size.max(1)) {
                // Side by side, the rows of an adapter need not be gathered.
                batch.sort_by_key(|&row| rows[row].adapter);
                let of_batch: Vec<&Row> = batch.iter().map(|&row| &rows[row]).collect();
                for (&row, result) in batch.iter().zip(self.run(&of_batch)?) {
                    results[row] = result;
                }
                n_done += batch.len();
                progress(n_done);
            }
        }
        Ok(results)
    }

    /// The adapter whose own base a row needs; `None` for that of all others.
    fn base_of(&self, row: &Row) -> Option<usize> {
        row.adapter
            .filter(|&index| !self.adapters[index].shares_base)
    }

    /// The results of the rows of a batch, which need the same base.
    fn run(&self, rows: &[&Row]) -> Result<Vec<Vec<f64>>, TrainError> {
        let base = &self.get(rows[0].adapter).base;
        let adapters = self.adapters.iter();
        let tuners: Vec<&dyn Tuner> = adapters.map(|it| &it.tuned.tuner as &dyn Tuner).collect();
        let mixed = Mixed::new(&tuners, rows.iter().map(|row| row.adapter).collect());
        let batch: Vec<TokenRow> = rows.iter().map(|row| row.row.clone()).collect();
        let hidden = base.forward(&batch, &mixed);
        let tokens = rows.iter().map(|row| row.tokens.as_deref().unwrap_or(&[]));
        let tokens: Vec<&[(usize, u32)]> = tokens.collect();
        let mut results = token_logprobs(base, &mixed, &hidden, &tokens)?;
        self.read_classes(rows, &hidden, &mut results)?;
        Ok(results)
    }

    /// Puts the log-probabilities of classes in place of the results of the rows that ask for them.
    fn read_classes(
        &self,
        rows: &[&Row],
        hidden: &Hidden,
        results: &mut [Vec<f64>],
    ) -> Result<(), TrainError> {
        let asked = rows.iter().filter(|row| row.tokens.is_none());
        let adapters: BTreeSet<Option<usize>> = asked.map(|row| row.adapter).collect();
        for adapter in adapters {
            // A head is small: it runs for all rows.
            let of_rows = head_logprobs(self.get(adapter), hidden)?;
            for ((row, result), classes) in rows.iter().zip(&mut *results).zip(of_rows) {
                if row.adapter == adapter && row.tokens.is_none() {
                    *result = classes;
                }
            }
        }
        Ok(())
    }
}

/// The rows of a question.
fn rows_of(index: usize, question: &Question<'_>, plan: Option<&WordPlan>) -> Vec<Row> {
    let rows = match plan {
        Some(plan) => plan.rows(question.input),
        None => {
            return vec![Row {
                question: index,
                adapter: question.adapter,
                row: question.input.clone(),
                tokens: None,
            }];
        }
    };
    let rows = rows.into_iter().map(|(row, tokens)| Row {
        question: index,
        adapter: question.adapter,
        row,
        tokens: Some(tokens),
    });
    rows.collect()
}
