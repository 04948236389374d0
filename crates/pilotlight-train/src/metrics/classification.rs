//! What a classifier gets right, class by class.

use serde::{Deserialize, Serialize};

/// How often each class was taken for each other one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConfusionMatrix {
    /// `counts[gold][predicted]`, square.
    pub counts: Vec<Vec<usize>>,
}

impl ConfusionMatrix {
    /// Counts pairs of the right and the predicted class, of `n_classes` ones.
    ///
    /// # Panics
    ///
    /// Panics if a class is not among them.
    pub fn new(n_classes: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut counts = vec![vec![0; n_classes]; n_classes];
        for (gold, predicted) in pairs {
            counts[gold][predicted] += 1;
        }
        Self { counts }
    }

    /// Number of examples.
    pub fn n_examples(&self) -> usize {
        self.counts.iter().flatten().sum()
    }

    /// Share of right classes; 0 of nothing.
    pub fn accuracy(&self) -> f64 {
        let right: usize = (0..self.counts.len()).map(|it| self.counts[it][it]).sum();
        ratio(right, self.n_examples())
    }

    /// The F1 score of each class, `2 right / (gold + predicted)`, the harmonic mean of precision and recall; `None`
    /// of a class that is neither right nor predicted anywhere.
    pub fn f1(&self) -> Vec<Option<f64>> {
        let n_classes = self.counts.len();
        let of_class = |class: usize| {
            let gold: usize = self.counts[class].iter().sum();
            let predicted: usize = self.counts.iter().map(|of_gold| of_gold[class]).sum();
            let both = gold + predicted;
            (both > 0).then(|| ratio(2 * self.counts[class][class], both))
        };
        (0..n_classes).map(of_class).collect()
    }

    /// Macro-F1: the mean F1 score over the classes that occur, each counting the same however rare it is (the
    /// convention of scikit-learn); 0 of nothing.
    pub fn macro_f1(&self) -> f64 {
        let scores: Vec<f64> = self.f1().into_iter().flatten().collect();
        match scores.len() {
            0 => 0.0,
            n_classes => scores.iter().sum::<f64>() / n_classes as f64,
        }
    }

    /// Matthews' correlation coefficient, for any number of classes (Gorodkin 2004): with n examples, c right ones, and
    /// for each class k its share g_k of the gold and p_k of the predicted classes (as counts)
    ///
    /// ```text
    /// (c n - Σ g_k p_k) / sqrt((n² - Σ p_k²) (n² - Σ g_k²))
    /// ```
    ///
    /// 1 is perfect, 0 no better than chance: it is 0 as well where all examples or all predictions are of one class.
    pub fn mcc(&self) -> f64 {
        let n_classes = self.counts.len();
        let n = self.n_examples() as f64;
        let right: usize = (0..n_classes).map(|it| self.counts[it][it]).sum();
        let (mut both, mut gold_squares, mut predicted_squares) = (0.0, 0.0, 0.0);
        for class in 0..n_classes {
            let gold = self.counts[class].iter().sum::<usize>() as f64;
            let predicted = self.counts.iter().map(|it| it[class]).sum::<usize>() as f64;
            both += gold * predicted;
            gold_squares += gold * gold;
            predicted_squares += predicted * predicted;
        }
        let spread = (n * n - predicted_squares) * (n * n - gold_squares);
        match spread > 0.0 {
            true => (right as f64 * n - both) / spread.sqrt(),
            false => 0.0,
        }
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64,
    }
}
