//! All rows of a table against each other.

use std::{cmp::Reverse, collections::BTreeSet};

use super::{Row, Standing};
use crate::{
    finished::Group,
    statistics::{Bootstrap, Comparison, SeedOutcomes, compare_all},
};

/// Every group against every later one, where both were tested on the same examples.
///
/// Groups of different test sets (other files, other records of a file) have nothing to be compared by; each test set is
/// a family of its own in the correction for many pairs.
pub(super) fn compared(groups: &[Group<'_>], bootstrap: &Bootstrap) -> Vec<Comparison> {
    let mut families: Vec<Family> = Vec::new();
    for (place, group) in groups.iter().enumerate() {
        let outcomes = group.outcomes(|run| &run.outcomes);
        if outcomes.is_empty() {
            continue;
        }
        let file = group
            .first()
            .result
            .data_hash
            .as_ref()
            .map(|hash| hash.of_test());
        let family = Family::new(place, file, outcomes);
        match families
            .iter_mut()
            .find(|known| known.has_room_for(&family))
        {
            Some(known) => known.add(family),
            None => families.push(family),
        }
    }
    families
        .iter()
        .flat_map(|family| family.compared(bootstrap))
        .collect()
}

/// Groups with test examples in common.
struct Family<'a> {
    file: Option<&'a str>,
    common: BTreeSet<usize>,
    places: Vec<usize>,
    outcomes: Vec<Vec<SeedOutcomes>>,
}

impl<'a> Family<'a> {
    fn new(place: usize, file: Option<&'a str>, outcomes: Vec<SeedOutcomes>) -> Self {
        let examples = outcomes
            .iter()
            .map(|run| run.examples.iter().copied().collect());
        let common = examples.reduce(|all: BTreeSet<usize>, run| &all & &run);
        Self {
            file,
            common: common.unwrap_or_default(),
            places: vec![place],
            outcomes: vec![outcomes],
        }
    }

    fn has_room_for(&self, other: &Self) -> bool {
        self.file == other.file && !self.common.is_disjoint(&other.common)
    }

    fn add(&mut self, other: Self) {
        self.common = &self.common & &other.common;
        self.places.extend(other.places);
        self.outcomes.extend(other.outcomes);
    }

    fn compared(&self, bootstrap: &Bootstrap) -> Vec<Comparison> {
        let outcomes: Vec<&[SeedOutcomes]> = self.outcomes.iter().map(Vec::as_slice).collect();
        let mut comparisons = compare_all(&outcomes, bootstrap);
        for comparison in &mut comparisons {
            comparison.first = self.places[comparison.first];
            comparison.second = self.places[comparison.second];
        }
        comparisons
    }
}

/// Says of each row where it stands against the best of those that it was compared with; of equals the first is the best.
pub(super) fn stand(rows: &mut [Row], comparisons: &[Comparison]) {
    for place in 0..rows.len() {
        let rivals = comparisons.iter().filter_map(|comparison| {
            let rival = match (comparison.first, comparison.second) {
                (first, second) if first == place => second,
                (first, second) if second == place => first,
                _ => return None,
            };
            Some((
                rows[rival].accuracy?.value,
                Reverse(rival),
                comparison.is_tie,
            ))
        });
        let best = rivals.max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let own = rows[place].accuracy.map(|accuracy| accuracy.value);
        rows[place].standing = own.zip(best).map(|(own, (value, Reverse(rival), is_tie))| {
            if own > value || own == value && place < rival {
                Standing::Best
            } else if is_tie {
                Standing::Tied
            } else {
                Standing::Behind
            }
        });
    }
}
