//! A number for each row of a batch.

/// The same number for all rows of a batch, or one for each: what is computed from the same number is computed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Counts {
    Same(usize),
    Each(Vec<usize>),
}

impl Counts {
    /// The numbers of all rows.
    ///
    /// # Panics
    ///
    /// Panics if there are no rows.
    pub(crate) fn new(counts: Vec<usize>) -> Self {
        let first = counts[0];
        if counts.iter().all(|&count| count == first) {
            Self::Same(first)
        } else {
            Self::Each(counts)
        }
    }

    /// The one number, or that of each row.
    pub(crate) fn as_slice(&self) -> &[usize] {
        match self {
            Self::Same(count) => std::slice::from_ref(count),
            Self::Each(counts) => counts,
        }
    }

    /// The largest number.
    pub(crate) fn max(&self) -> usize {
        self.as_slice().iter().copied().max().unwrap_or(0)
    }

    /// The larger one of both numbers of each row.
    pub(crate) fn larger(&self, other: &Self) -> Self {
        let n_rows = self.as_slice().len().max(other.as_slice().len());
        let pairs = (0..n_rows).map(|row| self.of(row).max(other.of(row)));
        Self::new(pairs.collect())
    }

    /// The number of a row.
    pub(crate) fn of(&self, row: usize) -> usize {
        match self {
            Self::Same(count) => *count,
            Self::Each(counts) => counts[row],
        }
    }
}
