//! Letters as outlines.

use std::{
    collections::{BTreeSet, HashMap},
    sync::LazyLock,
};

use fontdb::{Database, Style, Weight};
use tiny_skia::{Path, PathBuilder};
use ttf_parser::{Face, OutlineBuilder};

/// Letters of Latin, Greek and Cyrillic are inside the program, so that a picture looks the same everywhere.
static REGULAR: LazyLock<Option<Face<'static>>> =
    LazyLock::new(|| Face::parse(include_bytes!("../../assets/font/NotoSans-Regular.ttf"), 0).ok());
static BOLD: LazyLock<Option<Face<'static>>> =
    LazyLock::new(|| Face::parse(include_bytes!("../../assets/font/NotoSans-Bold.ttf"), 0).ok());

/// A letter at a size of 1; y points down.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// Where the next one begins.
    pub(super) advance: f32,
    /// Nothing for a blank.
    pub(super) outline: Option<Path>,
}

/// The letters of some text.
pub(super) struct Fonts {
    /// Those that the fonts inside lack, out of the fonts of the system.
    others: HashMap<char, Letter>,
}

impl Fonts {
    /// The fonts for text of these characters. Nothing is read unless there are some that the fonts inside lack.
    pub(super) fn with(characters: impl Iterator<Item = char>) -> Self {
        let is_missing = |character: &char| letter(REGULAR.as_ref(), *character).is_none();
        let mut missing: BTreeSet<char> = characters.filter(is_missing).collect();
        let mut others = HashMap::new();
        if missing.is_empty() {
            return Self { others };
        }
        let mut fonts = Database::new();
        fonts.load_system_fonts();
        let plain = fonts
            .faces()
            .filter(|face| face.style == Style::Normal && face.weight == Weight::NORMAL);
        for face in plain {
            if missing.is_empty() {
                break;
            }
            fonts.with_face_data(face.id, |bytes, index| {
                let face = Face::parse(bytes, index).ok();
                missing.retain(|character| match letter(face.as_ref(), *character) {
                    Some(letter) => others.insert(*character, letter).is_some(),
                    None => true,
                });
            });
        }
        Self { others }
    }

    /// A letter; an empty box where no font has it.
    pub(super) fn letter(&self, character: char, is_bold: bool) -> Option<Letter> {
        let own = if is_bold { &*BOLD } else { &*REGULAR };
        let found =
            letter(own.as_ref(), character).or_else(|| self.others.get(&character).cloned());
        found.or_else(|| letter(own.as_ref(), char::REPLACEMENT_CHARACTER))
    }
}

/// The letter of a font, if it has it.
fn letter(face: Option<&Face<'_>>, character: char) -> Option<Letter> {
    let face = face?;
    let glyph = face.glyph_index(character)?;
    let mut outline = Outline {
        path: PathBuilder::new(),
        em: 1.0 / f32::from(face.units_per_em()),
    };
    face.outline_glyph(glyph, &mut outline);
    Some(Letter {
        advance: outline.em * f32::from(face.glyph_hor_advance(glyph)?),
        outline: outline.path.finish(),
    })
}

/// An outline of a font, whose y points up.
struct Outline {
    path: PathBuilder,
    em: f32,
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.em * x, -self.em * y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.em * x, -self.em * y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let em = self.em;
        self.path.quad_to(em * x1, -em * y1, em * x, -em * y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let em = self.em;
        self.path
            .cubic_to(em * x1, -em * y1, em * x2, -em * y2, em * x, -em * y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
