//! Lines, shapes and text in pixels, as SVG.

use plotters::{
    coord::Shift,
    element::DashedPathElement,
    prelude::{
        Circle, Color, DrawingArea, FontDesc, FontFamily, FontStyle, FontTransform,
        IntoDrawingArea, PathElement, Polygon, RGBColor, Rectangle, SVGBackend, ShapeStyle, Text,
        WHITE,
    },
    style::text_anchor::{HPos, Pos, VPos},
};

use super::geometry::{Box2, Point};
use crate::error::CompareError;

pub(super) const DARK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(super) const GRAY: RGBColor = RGBColor(0x55, 0x55, 0x55);
pub(super) const GRID: RGBColor = RGBColor(0xE6, 0xE6, 0xE6);

/// What the drawing library divides sizes of fonts by.
const FONT_DIVISOR: f64 = 1.24;

/// Where the place of a text lies along it; across, it is always its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextStyle {
    size: i32,
    color: RGBColor,
    anchor: Anchor,
    is_bold: bool,
    is_upwards: bool,
}

impl TextStyle {
    pub(super) const fn new(size: i32, color: RGBColor) -> Self {
        Self {
            size,
            color,
            anchor: Anchor::Start,
            is_bold: false,
            is_upwards: false,
        }
    }

    pub(super) const fn bold(self) -> Self {
        Self {
            is_bold: true,
            ..self
        }
    }

    pub(super) const fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub(super) const fn upwards(self) -> Self {
        Self {
            is_upwards: true,
            ..self
        }
    }
}

/// What is drawn on.
pub(super) struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

impl<'a> Canvas<'a> {
    /// A white canvas whose document goes into `svg`.
    pub(super) fn new(svg: &'a mut String, (width, height): Point) -> Result<Self, CompareError> {
        let size = (width.unsigned_abs(), height.unsigned_abs());
        let area = SVGBackend::with_string(svg, size).into_drawing_area();
        area.fill(&WHITE).map_err(failure)?;
        Ok(Self(area))
    }

    pub(super) fn line(
        &self,
        points: &[Point],
        color: RGBColor,
        width: u32,
    ) -> Result<(), CompareError> {
        let line = PathElement::new(points, color.stroke_width(width));
        self.0.draw(&line).map_err(failure)
    }

    /// A line of dashes of a length, with gaps of a length.
    pub(super) fn dashes(
        &self,
        from: Point,
        to: Point,
        (dash, gap): (i32, i32),
        color: RGBColor,
    ) -> Result<(), CompareError> {
        let line = DashedPathElement::new([from, to], dash, gap, color.stroke_width(1));
        self.0.draw(&line).map_err(failure)
    }

    /// The sides of a box.
    pub(super) fn frame(&self, sides: Box2) -> Result<(), CompareError> {
        self.rectangle(sides, GRAY.stroke_width(1))
    }

    /// A box of the background's color.
    pub(super) fn blank(&self, inside: Box2) -> Result<(), CompareError> {
        self.rectangle(inside, WHITE.filled())
    }

    fn rectangle(&self, sides: Box2, style: ShapeStyle) -> Result<(), CompareError> {
        let corners = [(sides.left, sides.top), (sides.right, sides.bottom)];
        self.0
            .draw(&Rectangle::new(corners, style))
            .map_err(failure)
    }

    pub(super) fn disk(
        &self,
        center: Point,
        radius: i32,
        color: RGBColor,
    ) -> Result<(), CompareError> {
        let disk = Circle::new(center, radius, color.filled());
        self.0.draw(&disk).map_err(failure)
    }

    pub(super) fn polygon(&self, corners: &[Point], color: RGBColor) -> Result<(), CompareError> {
        let polygon = Polygon::new(corners, color.filled());
        self.0.draw(&polygon).map_err(failure)
    }

    pub(super) fn text(&self, text: &str, at: Point, style: TextStyle) -> Result<(), CompareError> {
        let weight = match style.is_bold {
            true => FontStyle::Bold,
            false => FontStyle::Normal,
        };
        let across = match style.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let transform = match style.is_upwards {
            true => FontTransform::Rotate270,
            false => FontTransform::None,
        };
        let size = f64::from(style.size) * FONT_DIVISOR;
        let font = FontDesc::new(FontFamily::SansSerif, size, weight).transform(transform);
        let style = font.color(&style.color).pos(Pos::new(across, VPos::Center));
        self.0.draw(&Text::new(text, at, style)).map_err(failure)
    }

    /// Ends the document.
    pub(super) fn finish(self) -> Result<(), CompareError> {
        self.0.present().map_err(failure)
    }
}

fn failure(error: impl std::fmt::Display) -> CompareError {
    CompareError::Figure {
        message: error.to_string(),
    }
}

/// An upper bound of a text's width in pixels, for the wider of the usual sans-serif fonts.
pub(super) fn text_width(text: &str, style: TextStyle) -> i32 {
    let ems: f64 = text.chars().map(|character| em(character, style)).sum();
    (ems * f64::from(style.size)).ceil() as i32
}

fn em(character: char, style: TextStyle) -> f64 {
    let normal = match character {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | '·' => 0.34,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 1.0,
        'A'..='Z' => 0.78,
        character if character.is_ascii() => 0.65,
        // Letters of most scripts are narrower, those of East Asia are that wide.
        _ => 1.0,
    };
    match style.is_bold {
        true => 1.12 * normal,
        false => normal,
    }
}

/// A text without what has no place in a document, its end left out where it is wider than `width` pixels.
pub(super) fn fitted(text: &str, style: TextStyle, width: i32) -> String {
    let is_allowed = |character: &char| {
        // XML has no way to write these two.
        !character.is_control() && !matches!(character, '\u{FFFE}' | '\u{FFFF}')
    };
    let mut text: String = text.chars().filter(is_allowed).collect();
    if text_width(&text, style) <= width {
        return text;
    }
    while text_width(&text, style) > width - style.size {
        text.pop();
    }
    text.truncate(text.trim_end().len());
    text + "…"
}
