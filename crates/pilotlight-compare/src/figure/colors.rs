//! What things are drawn in.

/// What something is drawn in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Dark,
    Gray,
    Grid,
    /// Of what stands behind points and lines, but before the grid.
    Faint,
    Paper,
    /// The color of this number, taken in turns.
    Series(usize),
}

/// Which colors a document has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colors {
    /// Its own, on white: it can be read on light and dark pages.
    Own,
    /// Those of the page that it stands in: the variables of [`variables`].
    OfPage,
}

/// The name of an ink's variable, its color on light and on dark paper.
type Variable = (&'static str, &'static str, &'static str);

const DARK: Variable = ("ink", "#222222", "#E8E8E8");
const GRAY: Variable = ("ink-soft", "#555555", "#A8A8A8");
const GRID: Variable = ("grid", "#E6E6E6", "#33363B");
const FAINT: Variable = ("faint", "#B4B4B4", "#5C6168");
const PAPER: Variable = ("paper", "#FFFFFF", "#17191C");

/// Colors that the color-blind tell apart (Okabe and Ito, "Color Universal Design", 2008); its yellow is too bright for a
/// white background. On dark paper the same hues are lighter.
const SERIES: [Variable; 7] = [
    ("series-1", "#0072B2", "#4FA8E8"),
    ("series-2", "#D55E00", "#F0833A"),
    ("series-3", "#009E73", "#2CC79A"),
    ("series-4", "#CC79A7", "#E59CC5"),
    ("series-5", "#E69F00", "#F2B63C"),
    ("series-6", "#56B4E9", "#9ED6F7"),
    ("series-7", "#000000", "#FFFFFF"),
];

/// How many colors there are.
pub(super) const N_SERIES: usize = SERIES.len();

impl Colors {
    /// An ink as an attribute's value.
    pub(super) fn of(self, ink: Ink) -> String {
        let (name, light, _) = match ink {
            Ink::Dark => DARK,
            Ink::Gray => GRAY,
            Ink::Grid => GRID,
            Ink::Faint => FAINT,
            Ink::Paper => PAPER,
            Ink::Series(index) => SERIES[index % N_SERIES],
        };
        match self {
            Self::Own => light.to_owned(),
            Self::OfPage => format!("var(--{name})"),
        }
    }
}

/// The variables that a page must define, with their values on light and on dark paper.
pub(crate) fn variables() -> impl Iterator<Item = Variable> {
    [DARK, GRAY, GRID, FAINT, PAPER].into_iter().chain(SERIES)
}
