//! Which of several groups each row belongs to.

use burn::tensor::{Device, Int, Tensor, TensorData, kind::Basic};

/// Rows that are taken apart into groups and put together again.
#[derive(Debug)]
pub(super) struct Parting {
    /// The group of each row, and which of the group's rows it is.
    places: Vec<(usize, usize)>,
    /// The rows of each group, ascending.
    members: Vec<Vec<usize>>,
    /// Where each row stands behind those of earlier groups; `None` if that is its place anyway.
    order: Option<Vec<usize>>,
}

impl Parting {
    /// The group of each row.
    pub(super) fn new(groups: Vec<usize>) -> Self {
        let n_groups = groups.iter().max().map_or(0, |last| last + 1);
        let mut members = vec![Vec::new(); n_groups];
        let places: Vec<(usize, usize)> = (0..)
            .zip(groups)
            .map(|(row, group): (usize, usize)| {
                members[group].push(row);
                (group, members[group].len() - 1)
            })
            .collect();
        let mut starts = vec![0; n_groups];
        for group in 1..n_groups {
            starts[group] = starts[group - 1] + members[group - 1].len();
        }
        let order = places.iter().map(|(group, index)| starts[*group] + index);
        let order: Vec<usize> = order.collect();
        let in_order = order.iter().enumerate().all(|(row, place)| row == *place);
        Self {
            places,
            members,
            order: (!in_order).then_some(order),
        }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The groups that have rows.
    pub(super) fn groups(&self) -> impl Iterator<Item = usize> {
        (0..self.members.len()).filter(|group| !self.members[*group].is_empty())
    }

    /// Number of rows of a group.
    pub(super) fn len_of(&self, group: usize) -> usize {
        self.members[group].len()
    }

    /// The group of a row, and which of the group's rows it is.
    pub(super) fn place(&self, row: usize) -> (usize, usize) {
        self.places[row]
    }

    /// The rows of a group.
    pub(super) fn part<const D: usize, K: Basic>(
        &self,
        group: usize,
        all: &Tensor<D, K>,
    ) -> Tensor<D, K> {
        let n_rows = all.dims()[0];
        assert_eq!(n_rows, self.len(), "as many rows as were announced");
        let members = &self.members[group];
        let (first, len) = (members[0], members.len());
        if len == n_rows {
            return all.clone();
        }
        let contiguous = members[len - 1] - first == len - 1;
        match contiguous {
            true => all.clone().slice_dim(0, first..first + len),
            false => all.clone().select(0, indices(members, &all.device())),
        }
    }

    /// The rows of a group.
    pub(super) fn part_of_list<T: Clone>(&self, group: usize, all: &[T]) -> Vec<T> {
        let members = self.members[group].iter();
        members.map(|row| all[*row].clone()).collect()
    }

    /// The rows of all groups that have some, in their places again.
    pub(super) fn join<const D: usize>(&self, mut parts: Vec<Tensor<D>>) -> Tensor<D> {
        let all = match parts.len() {
            1 => parts.remove(0),
            _ => Tensor::cat(parts, 0),
        };
        match &self.order {
            None => all,
            Some(order) => {
                let device = all.device();
                all.select(0, indices(order, &device))
            }
        }
    }

    /// The same of lists.
    pub(super) fn join_lists<T: Clone>(&self, parts: Vec<Vec<T>>) -> Vec<T> {
        let all: Vec<T> = parts.into_iter().flatten().collect();
        match &self.order {
            None => all,
            Some(order) => order.iter().map(|place| all[*place].clone()).collect(),
        }
    }
}

fn indices(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
    let n_rows = rows.len();
    Tensor::from_data(TensorData::new(rows, [n_rows]), device)
}
