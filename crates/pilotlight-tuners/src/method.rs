//! What a method tells the registry about itself, and what it is told when a tuner is made.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use burn::{
    module::{Module, ParamId},
    tensor::{DType, Device, TensorData},
};
use pilotlight_core::{Base, ModelSpec, Tuner};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{Problems, TunerError},
    peft::PeftFields,
    registry::TunerConfig,
};

/// The keys of a method, and everything that the registry needs to know of it.
pub trait Method: Serialize + DeserializeOwned + Clone + std::fmt::Debug {
    /// The tuner that is made from the keys; it keeps them.
    type Tuner: Tuner + Module;

    /// Its name in `method = "..."`.
    const NAME: &'static str;

    /// Vectors that it inserts into every row.
    fn inserted(&self) -> usize {
        0
    }

    /// Whether it fails to tell its own inserted vectors from those of another method, and so must be the only one
    /// that inserts any.
    fn inserts_alone(&self) -> bool {
        false
    }

    /// Positions of every row that it takes for itself: those of inserted vectors, or of a prefix.
    fn reserve(&self) -> usize {
        self.inserted()
    }

    /// Multiplications of its own matrices at each position of a forward pass, over all layers.
    fn multiplications(&self, _spec: &ModelSpec) -> usize {
        0
    }

    /// Names of the template's parts that the keys mention.
    fn parts(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The same, each with the key that mentions it.
    fn mentions(&self) -> Vec<(String, &str)> {
        let parts = self.parts().into_iter();
        parts.map(|part| ("placement".to_owned(), part)).collect()
    }

    /// The paths among the keys.
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }

    /// Whether its hooks read the weights of the base themselves, so that folded in behind another method it would be
    /// something else.
    fn reads_weights(&self) -> bool {
        false
    }

    /// The tuners that this one consists of.
    fn composed(&self) -> &[TunerConfig] {
        &[]
    }

    /// Whether a tuner of these keys can be folded into the weights of the base: its hooks for merging say all that
    /// its other hooks do.
    fn merges(&self) -> bool {
        false
    }

    /// Adds everything that is wrong with the keys for a model of this shape.
    fn problems(&self, spec: &ModelSpec, problems: &mut Problems);

    /// A new tuner.
    ///
    /// # Errors
    ///
    /// If the context lacks what the keys ask for.
    fn init(&self, context: &InitContext<'_>) -> Result<Self::Tuner, TunerError>;

    /// The keys under which a tuner of these keys is saved: without what only helps to train it.
    fn saved(&self) -> Self {
        self.clone()
    }

    /// The keys of a tuner.
    fn of(tuner: &Self::Tuner) -> &Self;

    /// The parameters of a tuner by their names in files, PEFT's where PEFT has the method.
    fn tensors(tuner: &Self::Tuner, spec: &ModelSpec) -> Vec<(String, TensorData)>;

    /// The tuner whose parameters are `tensors`; `None` if one is missing or misshapen, which `tensors` records.
    fn restore(
        &self,
        tensors: &mut Tensors,
        spec: &ModelSpec,
        device: &Device,
    ) -> Option<Self::Tuner>;

    /// What PEFT puts in front of the name of a classification head's tensors.
    const HEAD_PREFIX: &'static str = "base_model.model.";

    /// The names of the method in PEFT, if PEFT has it; it is written under the first.
    const PEFT_TYPES: &'static [&'static str] = &[];

    /// The fields of PEFT's `adapter_config.json`, without those that all methods have; `None` if PEFT cannot
    /// express these keys.
    fn to_peft(&self, _spec: &ModelSpec) -> Option<PeftFields> {
        None
    }

    /// The keys that stand for the fields of an `adapter_config.json` of this method; problems are recorded in the
    /// fields.
    fn from_peft(_fields: &mut PeftFields) -> Option<Self> {
        None
    }

    /// Parameters that learn at a multiple of the learning rate, and the multiple.
    fn rate_factors(_tuner: &Self::Tuner) -> Vec<(ParamId, f64)> {
        Vec::new()
    }
}

/// What a new tuner may take its first values from.
#[derive(Debug)]
pub struct InitContext<'a> {
    /// The frozen model.
    pub base: &'a dyn Base,
    /// Its words.
    pub vocabulary: &'a dyn Vocabulary,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Where the parameters shall be.
    pub device: &'a Device,
}

impl InitContext<'_> {
    /// The shape of the model.
    pub fn spec(&self) -> &ModelSpec {
        self.base.spec()
    }

    /// The context of one of several tuners beside each other: the first draws what it would draw alone, the others
    /// draw other numbers.
    pub(crate) fn of_part(&self, index: usize) -> InitContext<'_> {
        // The golden ratio's multiples, so that the seeds of neighbouring runs do not meet.
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        InitContext {
            seed: self.seed.wrapping_add(STEP.wrapping_mul(index as u64)),
            ..*self
        }
    }

    /// A generator of the same numbers on every backend. Methods pass their name, so that two of them beside each
    /// other draw different numbers.
    pub(crate) fn random(&self, method: &str) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let stream = method
            .bytes()
            .fold(0, |hash: u64, byte| hash.wrapping_mul(31) + u64::from(byte));
        random.set_stream(stream);
        random
    }

    /// The token ids of the text of a key, of which there is at least one.
    pub(crate) fn tokens(&self, key: &str, text: &str) -> Result<Vec<u32>, TunerError> {
        let ids = self.vocabulary.encode(text);
        let ids = ids.map_err(|error| TunerError::key(key, format!("has no tokens: {error}")))?;
        if ids.is_empty() {
            return Err(TunerError::key(key, "has no tokens"));
        }
        self.check_ids(key, &ids)?;
        Ok(ids)
    }

    /// Refuses token ids that the model does not have.
    pub(crate) fn check_ids(&self, key: &str, ids: &[u32]) -> Result<(), TunerError> {
        let n_vocab = self.spec().n_vocab;
        let Some(id) = ids.iter().find(|id| **id as usize >= n_vocab) else {
            return Ok(());
        };
        let message = format!(
            "needs token {id}, but the model has {n_vocab}\nhint: does the tokenizer belong to this model?"
        );
        Err(TunerError::key(key, message))
    }
}

/// The words of a model and of a task, as far as a new tuner may ask for them.
pub trait Vocabulary: std::fmt::Debug {
    /// The token ids of a text, without special tokens.
    ///
    /// # Errors
    ///
    /// Why the text has none.
    fn encode(&self, text: &str) -> Result<Vec<u32>, String>;
    /// Whether a token is a special one: padding, beginning of sequence and the like.
    fn is_special(&self, id: u32) -> bool;
    /// How often each token occurs in the training inputs, most frequent first.
    fn frequencies(&self) -> Vec<(u32, usize)>;
    /// The token ids of each label word, class by class.
    fn label_words(&self) -> Vec<Vec<u32>>;
}

/// A vocabulary without a tokenizer and without a task: every token is an ordinary one.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoVocabulary;

impl Vocabulary for NoVocabulary {
    fn encode(&self, _text: &str) -> Result<Vec<u32>, String> {
        Err("there is no tokenizer here".into())
    }

    fn is_special(&self, _id: u32) -> bool {
        false
    }

    fn frequencies(&self) -> Vec<(u32, usize)> {
        Vec::new()
    }

    fn label_words(&self) -> Vec<Vec<u32>> {
        Vec::new()
    }
}

/// The tensors of an adapter's file, out of which a method takes its own.
#[derive(Debug, Default)]
pub struct Tensors {
    entries: BTreeMap<String, TensorData>,
    problems: Problems,
}

impl Tensors {
    pub(crate) fn new(entries: BTreeMap<String, TensorData>) -> Self {
        Self {
            entries,
            problems: Problems::default(),
        }
    }

    /// Takes the tensor of this name as f32; one that is missing or has another shape is recorded.
    pub fn take<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Option<TensorData> {
        let Some(data) = self.entries.remove(name) else {
            self.problems
                .push(name, format!("is missing; its shape should be {shape:?}"));
            return None;
        };
        let found = data.shape().to_vec();
        if found != shape {
            self.problems.push(
                name,
                format!(
                    "has shape {found:?}, expected {shape:?}\n  hint: was the adapter made for another model?"
                ),
            );
            return None;
        }
        Some(data.convert_dtype(DType::F32))
    }

    /// Takes from the tensors whose names start with `prefix`, by the rest of their names.
    pub(crate) fn within<T>(&mut self, prefix: &str, take: impl FnOnce(&mut Self) -> T) -> T {
        let mut inner = Self::default();
        self.entries
            .retain(|name, data| match name.strip_prefix(prefix) {
                Some(rest) => {
                    // Moved, not copied: the bytes of a tensor may be many.
                    let data = std::mem::replace(data, TensorData::zeros::<f32, _>([0]));
                    inner.entries.insert(rest.to_owned(), data);
                    false
                }
                None => true,
            });
        let taken = take(&mut inner);
        let rest = inner.entries.into_iter();
        self.entries
            .extend(rest.map(|(name, data)| (format!("{prefix}{name}"), data)));
        self.problems.extend_from(prefix, inner.problems);
        taken
    }

    /// The shape of the tensor of this name.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.entries.get(name)?.shape().to_vec())
    }

    /// What nobody took, and what was wrong with what was taken.
    pub(crate) fn into_rest(self) -> (BTreeMap<String, TensorData>, Problems) {
        (self.entries, self.problems)
    }
}

/// PyTorch's layout `[d_output, d_input]` of a matrix in f32 to Burn's, or back.
pub(crate) fn transposed(data: TensorData) -> TensorData {
    let [n_rows, n_columns] = data.shape().dims();
    let values: Vec<f32> = data.try_into_vec().expect("tensors are taken as f32");
    let values: Vec<f32> = (0..n_columns)
        .flat_map(|column| values.iter().skip(column).step_by(n_columns))
        .copied()
        .collect();
    TensorData::new(values, [n_columns, n_rows])
}

/// `path` as seen from `folder`.
pub(crate) fn anchored(path: &Path, folder: &Path) -> PathBuf {
    folder.join(path)
}
