//! Label words: how a language model says a label.

/// The labels of a task and the words that stand for them (Schick and Schütze 2021, arXiv:2001.07676).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verbalizer {
    /// The labels in the order of the classes.
    pub labels: Vec<Label>,
}

/// One label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its name, as in the data.
    pub name: String,
    /// Token ids of each of its words; no word is empty, none stands under two labels.
    pub words: Vec<Vec<u32>>,
}
