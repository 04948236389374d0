//! The files of a report.

use std::{io, path::Path};

use super::{Report, rows};
use crate::{
    error::CompareError,
    figure::{Colors, Figure, figures},
    files::write_whole,
    finished::FinishedRun,
};

/// Folder of the figures beside a report.
pub(super) const FIGURES_FOLDER: &str = "figures";

impl Report {
    /// Writes the report on these runs into a folder:
    ///
    /// | file | content |
    /// |---|---|
    /// | `report.html` | everything, in one file that needs neither a network nor scripts |
    /// | `report.md` | the same as a text beside `figures/` |
    /// | `figures/` | each figure as SVG and as PNG |
    /// | `results.csv` | a row for each run |
    /// | `results.json` | the report as a value |
    /// | `table.tex` | the table for LaTeX |
    ///
    /// Figures of an earlier report that this one lacks are removed.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn write(&self, runs: &[FinishedRun], out: &Path) -> Result<(), CompareError> {
        let figures = figures(self);
        let json = serde_json::to_string_pretty(self)
            .map_err(|error| CompareError::file(out, error.into()))?;
        let write = |name: &str, text: &str| write_whole(&out.join(name), text.as_bytes());
        write("results.json", &(json + "\n"))?;
        write("results.csv", &rows::of_runs(runs, &self.about.axes))?;
        write("table.tex", &self.to_latex())?;
        let folder = out.join(FIGURES_FOLDER);
        remove_old(&folder, &figures)?;
        for figure in &figures {
            let file = |extension: &str| folder.join(format!("{}.{extension}", figure.name));
            write_whole(&file("svg"), figure.to_svg(Colors::Own).as_bytes())?;
            if let Some(png) = figure.to_png() {
                write_whole(&file("png"), &png)?;
            }
        }
        write("report.md", &self.to_markdown(&figures))?;
        write("report.html", &self.to_html(&figures)?)
    }
}

/// Removes the figures of an earlier report, which would contradict this one.
fn remove_old(folder: &Path, figures: &[Figure]) -> Result<(), CompareError> {
    let failed = |error| CompareError::file(folder, error);
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let is_picture = path
            .extension()
            .is_some_and(|kind| kind == "svg" || kind == "png");
        let is_known = |figure: &Figure| {
            path.file_stem()
                .is_some_and(|name| name == figure.name.as_str())
        };
        if is_picture && !figures.iter().any(is_known) {
            match std::fs::remove_file(&path) {
                // Another worker has done it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(|error| CompareError::file(&path, error))?,
            }
        }
    }
    Ok(())
}
