//! Which records are used: seeded splits and selections.

use std::collections::HashMap;

use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// What a draw is for. Each has a stream of its own, so that one does not shift another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Draw {
    Split = 1,
    Limit = 2,
    LimitPerClass = 3,
    Shots = 4,
}

fn generator(seed: u64, draw: Draw) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(draw as u64);
    generator
}

fn shuffled(len: usize, seed: u64, draw: Draw) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.shuffle(&mut generator(seed, draw));
    order
}

/// `items` divided at random into groups of the sizes given and the rest, each in the order of `items`.
pub(crate) fn split_off<T, const N: usize>(
    items: Vec<T>,
    sizes: [usize; N],
    seed: u64,
) -> ([Vec<T>; N], Vec<T>) {
    let mut group_of = vec![N; items.len()];
    let order = shuffled(items.len(), seed, Draw::Split);
    let groups = sizes.into_iter().enumerate();
    let membership = groups.flat_map(|(group, size)| std::iter::repeat_n(group, size));
    for (index, group) in order.into_iter().zip(membership) {
        group_of[index] = group;
    }
    let mut parts = [const { Vec::new() }; N];
    let mut rest = Vec::new();
    for (item, group) in items.into_iter().zip(group_of) {
        parts.get_mut(group).unwrap_or(&mut rest).push(item);
    }
    (parts, rest)
}

/// At most `limit` items drawn at random, in their order.
pub(crate) fn limit<T>(items: Vec<T>, limit: Option<usize>, seed: u64) -> Vec<T> {
    match limit {
        Some(limit) if limit < items.len() => {
            let mut chosen = shuffled(items.len(), seed, Draw::Limit);
            chosen.truncate(limit);
            keep(items, chosen)
        }
        _ => items,
    }
}

/// At most `limit` items of each class drawn at random, in their order; `class` names the class of an item.
pub(crate) fn limit_per_class<T>(
    items: Vec<T>,
    class: impl Fn(&T) -> usize,
    limit: usize,
    seed: u64,
) -> Vec<T> {
    let mut taken: HashMap<usize, usize> = HashMap::new();
    let mut chosen = shuffled(items.len(), seed, Draw::LimitPerClass);
    chosen.retain(|&index| {
        let count = taken.entry(class(&items[index])).or_default();
        *count += 1;
        *count <= limit
    });
    keep(items, chosen)
}

/// `n_shots` items of each class drawn at random, in an order that is drawn too.
pub(crate) fn shots<T>(
    items: &[T],
    class: impl Fn(&T) -> usize,
    n_shots: usize,
    seed: u64,
) -> Vec<&T> {
    let mut taken: HashMap<usize, usize> = HashMap::new();
    let order = shuffled(items.len(), seed, Draw::Shots).into_iter();
    let mut chosen: Vec<&T> = order.map(|index| &items[index]).collect();
    chosen.retain(|item| {
        let count = taken.entry(class(item)).or_default();
        *count += 1;
        *count <= n_shots
    });
    chosen
}

/// The items of the given indices, in their order.
fn keep<T>(items: Vec<T>, chosen: Vec<usize>) -> Vec<T> {
    let mut is_chosen = vec![false; items.len()];
    for index in chosen {
        is_chosen[index] = true;
    }
    let mut is_chosen = is_chosen.into_iter();
    let mut items = items;
    items.retain(|_| is_chosen.next().unwrap_or(false));
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_divides_the_items_and_keeps_their_order() {
        for seed in 0..20 {
            let ([first, second], rest) = split_off((0..50).collect(), [5, 10], seed);
            assert_eq!((first.len(), second.len(), rest.len()), (5, 10, 35));
            assert!([&first, &second, &rest].iter().all(|part| part.is_sorted()));
            let mut all = [first, second, rest].concat();
            all.sort_unstable();
            assert_eq!(all, (0..50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_seed_decides_the_draw() {
        let draw = |seed| limit((0..1000).collect::<Vec<_>>(), Some(10), seed);
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(1).is_sorted());
        assert_eq!(draw(1).len(), 10);
    }

    #[test]
    fn shots_are_drawn_from_every_class() {
        let items: Vec<usize> = (0..40).collect();
        let draw = |seed| -> Vec<usize> {
            shots(&items, |item| item % 4, 3, seed)
                .into_iter()
                .copied()
                .collect()
        };
        for class in 0..4 {
            assert_eq!(draw(1).iter().filter(|item| *item % 4 == class).count(), 3);
        }
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(!draw(1).is_sorted());
    }

    #[test]
    fn few_shot_takes_as_many_of_each_class_as_there_are() {
        let items: Vec<(usize, usize)> = (0..100).map(|i| (i, usize::from(i % 25 == 0))).collect();
        let chosen = limit_per_class(items, |item| item.1, 8, 3);
        let rare = chosen.iter().filter(|item| item.1 == 1).count();
        assert_eq!((rare, chosen.len()), (4, 12));
        assert!(chosen.is_sorted());
    }
}
