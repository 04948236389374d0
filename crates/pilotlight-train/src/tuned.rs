//! A base model with its tuner and, for linear classification, a head.

use burn::{
    module::Module,
    tensor::{DType, Device, Int, Tensor, TensorData},
};
use pilotlight_core::TokenRow;
use pilotlight_data::{Pooling, TaskData, TaskKind};
use pilotlight_transformer::{ClassificationHead, Hidden, Model};
use pilotlight_tuners::AnyTuner;

use crate::error::TrainError;

/// A base model with its tuner and, for linear classification, a head.
#[derive(Module, Debug)]
pub struct Tuned {
    /// The base; frozen but for the parameters that [`Model::set_trained`] chose.
    pub base: Model,
    /// The method.
    pub tuner: AnyTuner,
    /// The linear head, where no label words are read.
    pub head: Option<ClassificationHead>,
    #[module(skip)]
    pooling: Pooling,
}

impl Tuned {
    /// Puts the parts together; without `pooling` the head reads
    ///
    /// - of a decoder the last position,
    /// - of an encoder the pretrained pooler if there is one, else the mean over the tokens.
    pub fn new(
        base: Model,
        tuner: AnyTuner,
        head: Option<ClassificationHead>,
        pooling: Option<Pooling>,
    ) -> Self {
        let default = if base.is_decoder() {
            Pooling::Last
        } else if has_pooler(&base) {
            Pooling::Pooler
        } else {
            Pooling::Mean
        };
        Self {
            base,
            tuner,
            head,
            pooling: pooling.unwrap_or(default),
        }
    }

    /// Which state the head reads.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// Where the model is.
    pub fn device(&self) -> Device {
        self.base.word_embeddings().device()
    }

    /// Says what of a task the model cannot do.
    ///
    /// # Errors
    ///
    /// [`TrainError::Unfit`] if words are asked of a model without a language-model head, or classes without a
    /// linear head of as many classes, or the pooler of a model that has none.
    pub fn check(&self, data: &TaskData) -> Result<(), TrainError> {
        if data.kind != TaskKind::Classification || data.verbalizer.is_some() {
            return self.check_words();
        }
        let n_classes = self.check_head()?.n_labels();
        if n_classes != data.labels.len() {
            return Err(TrainError::Unfit(format!(
                "the head has {n_classes} classes, the task {}\nhint: the labels are {}",
                data.labels.len(),
                data.labels.join(", ")
            )));
        }
        Ok(())
    }

    /// The head, if it can be used.
    pub(crate) fn check_head(&self) -> Result<&ClassificationHead, TrainError> {
        let unfit = |problem: &str| TrainError::Unfit(problem.into());
        if self.pooling == Pooling::Pooler && !has_pooler(&self.base) {
            return Err(unfit(
                "it has no pooler\nhint: set `task.pooling = \"mean\"`",
            ));
        }
        self.head.as_ref().ok_or_else(|| {
            unfit(
                "there is no linear head to read classes\n\
                 hint: give the task label words, or train a head",
            )
        })
    }

    /// Says if the model predicts no words.
    pub(crate) fn check_words(&self) -> Result<(), TrainError> {
        if self.base.has_language_head() {
            return Ok(());
        }
        Err(TrainError::Unfit(
            "it has no language-model head, so that it predicts no words\n\
             hint: set `task.head = \"linear\"`, or use a decoder"
                .into(),
        ))
    }

    /// Runs rows through the base with the tuner's hooks.
    pub(crate) fn forward(&self, rows: &[TokenRow]) -> Hidden {
        self.base.forward(rows, &self.tuner)
    }

    /// The scores of all words in f32; `rows` names the row of each state.
    ///
    /// # Shapes
    ///
    /// - states: `[n, d_model]`
    /// - result: `[n, n_vocab]`
    pub(crate) fn word_logits(&self, states: Tensor<2>, rows: &[usize]) -> Tensor<2> {
        self.base.logits(states, rows, &self.tuner).cast(DType::F32)
    }

    /// The scores of all classes by the linear head.
    ///
    /// # Shapes
    ///
    /// - result: `[n_batch, n_classes]`
    ///
    /// # Panics
    ///
    /// Panics if [`check`](Self::check) found something.
    pub(crate) fn class_logits(&self, hidden: &Hidden) -> Tensor<2> {
        let head = self.head.as_ref().expect("checked: there is a head");
        let pooled = match self.pooling {
            Pooling::Pooler => {
                let first = select(hidden, |row| row.token_positions[0]);
                self.base.pooled(first).expect("checked: there is a pooler")
            }
            Pooling::Cls => select(hidden, |row| row.token_positions[0]),
            Pooling::First => {
                let first = select(hidden, |_| 0);
                self.base.pooled(first.clone()).unwrap_or(first)
            }
            Pooling::Last => select(hidden, |row| row.len - 1),
            Pooling::Mean => token_mean(hidden),
        };
        head.forward(pooled)
    }
}

/// Whether the checkpoint has a pooler.
pub(crate) fn has_pooler(base: &Model) -> bool {
    let words = base.word_embeddings();
    let [_, d_model] = words.dims();
    base.pooled(Tensor::zeros(
        [1, d_model],
        (&words.device(), words.dtype()),
    ))
    .is_some()
}

/// One state of each row, `[n_batch, d_model]`.
fn select(hidden: &Hidden, position: impl Fn(&pilotlight_core::EmbeddedRow) -> usize) -> Tensor<2> {
    let rows = hidden.rows.iter().enumerate();
    let positions: Vec<_> = rows.map(|(index, row)| (index, position(row))).collect();
    hidden.select(&positions)
}

/// The mean state over the tokens of each row, inserted vectors left out, `[n_batch, d_model]`.
fn token_mean(hidden: &Hidden) -> Tensor<2> {
    let states = hidden.states();
    let [n_batch, n_seq, d_model] = states.dims();
    let mut weights = vec![0_f32; n_batch * n_seq];
    for (index, row) in hidden.rows.iter().enumerate() {
        for position in &row.token_positions {
            weights[index * n_seq + position] = 1.0 / row.n_tokens() as f32;
        }
    }
    let data = TensorData::new(weights, [n_batch, 1, n_seq]);
    let weights: Tensor<3> = Tensor::from_data(data, (&states.device(), states.dtype()));
    weights.matmul(states).reshape([n_batch, d_model])
}

/// Token ids as a column on a device, `[n, 1]` or `[n, width]`.
pub(crate) fn id_table(ids: Vec<i32>, width: usize, device: &Device) -> Tensor<2, Int> {
    let n_rows = ids.len() / width;
    Tensor::from_data(TensorData::new(ids, [n_rows, width]), device)
}
