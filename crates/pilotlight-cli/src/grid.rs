//! Tables on the terminal.

use comfy_table::{CellAlignment, Table, presets};

use crate::console::Style;

/// Columns beside each other, with their titles and whether each holds numbers.
pub(crate) fn grid<T: AsRef<str>>(
    titles: &[(T, bool)],
    rows: Vec<Vec<String>>,
    style: Style,
) -> String {
    let mut grid = Table::new();
    grid.load_style(presets::NOTHING);
    grid.set_header(titles.iter().map(|(title, _)| style.strong(title.as_ref())));
    for row in rows {
        grid.add_row(row);
    }
    for (column, (_, is_number)) in grid.column_iter_mut().zip(titles) {
        if *is_number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    grid.trim_fmt()
}
