//! Tables as text.

/// What stands where there is nothing to say.
const NOTHING: &str = "-";

/// A table as text: the titles of the columns, whether each holds numbers, and the cells of each row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextTable {
    /// Title of each column, and whether it holds numbers.
    pub titles: Vec<(&'static str, bool)>,
    /// The cells of each row.
    pub cells: Vec<Vec<String>>,
    /// What the table does not say, one line each.
    pub notes: Vec<String>,
}

/// A column: its title, whether it holds numbers, its cells.
pub(crate) struct Column<T> {
    pub(crate) title: &'static str,
    pub(crate) is_number: bool,
    pub(crate) cell: fn(&T) -> Option<String>,
}

impl TextTable {
    /// The rows with those of the columns that any of them has something to put in.
    pub(crate) fn of_rows<'a, T: 'a>(
        columns: &[Column<T>],
        rows: impl Iterator<Item = &'a T> + Clone,
        notes: Vec<String>,
    ) -> Self {
        let mut table = Self {
            titles: Vec::new(),
            cells: rows.clone().map(|_| Vec::new()).collect(),
            notes,
        };
        for column in columns {
            if rows.clone().any(|row| (column.cell)(row).is_some()) {
                table.add(std::slice::from_ref(column), rows.clone().map(Some));
            }
        }
        table
    }

    /// Adds columns; a row that is not there has nothing to put in them.
    pub(crate) fn add<'a, T: 'a>(
        &mut self,
        columns: &[Column<T>],
        rows: impl Iterator<Item = Option<&'a T>> + Clone,
    ) {
        for column in columns {
            self.titles.push((column.title, column.is_number));
            for (cells, row) in self.cells.iter_mut().zip(rows.clone()) {
                cells.push(row.and_then(column.cell).unwrap_or_else(|| NOTHING.into()));
            }
        }
    }
}
