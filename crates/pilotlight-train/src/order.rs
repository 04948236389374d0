//! Which examples a batch takes.
//!
//! The examples of all epochs form one stream, and batch k takes its places `k * batch_size` onward, so that any
//! batch is known without the batches in front of it: that makes a resumed run take the very same ones. In order of
//! the file the stream just wraps around. Shuffled, each epoch has a permutation of its own; bucketed by length, it
//! is sorted within stretches of some batches, and the batches of the epoch change places.

use std::ops::Range;

use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Batches of a stretch that is sorted by length.
const BATCHES_OF_A_STRETCH: usize = 50;

/// Stream of the permutations, apart from all else that is drawn from the seed of the run.
const STREAM: u64 = 0x6f72_6465_7200_0000;

/// The order in which examples are trained on.
#[derive(Debug, Clone)]
pub struct BatchOrder {
    lengths: Vec<usize>,
    batch_size: usize,
    seed: u64,
    kind: OrderKind,
    /// Places of the stream, where it ends.
    end: Option<usize>,
    /// The permutation of the epoch that was last asked for.
    epoch: Option<(usize, Vec<usize>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OrderKind {
    File,
    Shuffled,
    Bucketed,
}

impl BatchOrder {
    /// The order of examples of these lengths; `n_epochs` ends it.
    ///
    /// # Panics
    ///
    /// Panics if there are no examples, or none in a batch.
    pub fn new(
        lengths: Vec<usize>,
        batch_size: usize,
        seed: u64,
        shuffle: bool,
        bucket_by_length: bool,
        n_epochs: Option<usize>,
    ) -> Self {
        assert!(!lengths.is_empty(), "there are no examples to order");
        assert!(batch_size > 0, "a batch has examples");
        Self {
            end: n_epochs.map(|n_epochs| n_epochs * lengths.len()),
            lengths,
            batch_size,
            seed,
            kind: match (shuffle, bucket_by_length) {
                (false, _) => OrderKind::File,
                (true, false) => OrderKind::Shuffled,
                (true, true) => OrderKind::Bucketed,
            },
            epoch: None,
        }
    }

    /// The examples of batch `batch`, counted from 0; the last of the last epoch may be smaller, and there is
    /// nothing behind it.
    pub fn batch(&mut self, batch: usize) -> Vec<usize> {
        let start = batch * self.batch_size;
        let end = start + self.batch_size;
        let range = start..self.end.map_or(end, |last| end.min(last));
        range.map(|place| self.example(place)).collect()
    }

    fn example(&mut self, place: usize) -> usize {
        let n_examples = self.lengths.len();
        let (epoch, within) = (place / n_examples, place % n_examples);
        if self.kind == OrderKind::File {
            return within;
        }
        if self
            .epoch
            .as_ref()
            .is_none_or(|(number, _)| *number != epoch)
        {
            self.epoch = Some((epoch, self.permutation(epoch)));
        }
        self.epoch
            .as_ref()
            .map_or(within, |(_, order)| order[within])
    }

    fn permutation(&self, epoch: usize) -> Vec<usize> {
        let n_examples = self.lengths.len();
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        generator.set_stream(STREAM + epoch as u64);
        let mut order: Vec<usize> = (0..n_examples).collect();
        order.shuffle(&mut generator);
        if self.kind != OrderKind::Bucketed {
            return order;
        }
        // The first examples complete the batch that the epoch in front left open; whole batches follow.
        let first = (epoch * n_examples).next_multiple_of(self.batch_size) - epoch * n_examples;
        let Range { start, end } = first.min(n_examples)..n_examples;
        let whole = (end - start) / self.batch_size * self.batch_size;
        for stretch in
            order[start..start + whole].chunks_mut(self.batch_size * BATCHES_OF_A_STRETCH)
        {
            stretch.sort_by_key(|&example| self.lengths[example]);
        }
        let mut batches: Vec<&[usize]> = order[start..start + whole]
            .chunks(self.batch_size)
            .collect();
        batches.shuffle(&mut generator);
        let mut bucketed = order[..start].to_vec();
        bucketed.extend(batches.into_iter().flatten());
        bucketed.extend(&order[start + whole..]);
        bucketed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths 1 to 40 in a scrambled order.
    fn lengths(n: usize) -> Vec<usize> {
        (0..n).map(|index| index * 7 % 40 + 1).collect()
    }

    fn order(n: usize, batch_size: usize, shuffle: bool, bucket: bool) -> BatchOrder {
        BatchOrder::new(lengths(n), batch_size, 5, shuffle, bucket, None)
    }

    #[test]
    fn file_order_wraps_around() {
        let mut order = order(5, 2, false, true);
        let batches: Vec<_> = (0..4).map(|batch| order.batch(batch)).collect();
        assert_eq!(batches, [vec![0, 1], vec![2, 3], vec![4, 0], vec![1, 2]]);
    }

    #[test]
    fn every_epoch_takes_each_example_once_in_a_new_order() {
        for bucket in [false, true] {
            let mut order = order(23, 4, true, bucket);
            let stream: Vec<_> = (0..12).flat_map(|batch| order.batch(batch)).collect();
            let epochs: Vec<_> = stream.chunks(23).take(2).map(<[usize]>::to_vec).collect();
            assert_ne!(epochs[0], epochs[1]);
            for mut epoch in epochs {
                epoch.sort_unstable();
                assert_eq!(epoch, (0..23).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_batch_does_not_depend_on_the_batches_asked_for_before() {
        for bucket in [false, true] {
            let mut all = order(23, 4, true, bucket);
            let batches: Vec<_> = (0..15).map(|batch| all.batch(batch)).collect();
            for (number, expected) in batches.iter().enumerate().rev() {
                assert_eq!(&order(23, 4, true, bucket).batch(number), expected);
            }
        }
    }

    #[test]
    fn buckets_pad_less_and_seeds_differ() {
        let padding = |order: &mut BatchOrder| -> usize {
            (0..50)
                .map(|batch| {
                    let of_batch: Vec<_> = order
                        .batch(batch)
                        .iter()
                        .map(|&i| lengths(400)[i])
                        .collect();
                    let longest = of_batch.iter().max().copied().unwrap_or(0);
                    of_batch
                        .iter()
                        .map(|length| longest - length)
                        .sum::<usize>()
                })
                .sum()
        };
        assert!(
            padding(&mut order(400, 8, true, true)) * 10 < padding(&mut order(400, 8, true, false))
        );
        let mut other = BatchOrder::new(lengths(400), 8, 6, true, true, None);
        assert_ne!(other.batch(0), order(400, 8, true, true).batch(0));
    }

    #[test]
    fn epochs_end_the_stream() {
        let mut order = BatchOrder::new(lengths(5), 2, 1, false, false, Some(1));
        assert_eq!(order.batch(2), [4]);
        assert!(order.batch(3).is_empty());
    }
}
