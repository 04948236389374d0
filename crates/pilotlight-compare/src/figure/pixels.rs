//! A drawing as pixels.

use std::io::Write as _;

use flate2::{Compression, Crc, write::ZlibEncoder};
use tiny_skia::{
    Color, FillRule, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash,
    Transform,
};

use super::{
    colors::{Colors, Ink},
    drawing::{Drawing, Shape, Spot},
    fonts::Fonts,
    geometry::Box2,
    text::{Anchor, RIM, TextStyle},
};

/// Pixels to one of the drawing, so that it is sharp in print.
const SCALE: f32 = 2.0;
/// The most pixels along a side.
const MOST: u32 = 32_000;

impl Drawing {
    /// The drawing as a PNG file; `None` if it is too large.
    pub(crate) fn to_png(&self) -> Option<Vec<u8>> {
        let side = |length: i32| {
            u32::try_from(length)
                .ok()
                .map(|length| SCALE as u32 * length)
        };
        let (width, height) = (side(self.width)?, side(self.height)?);
        if width > MOST || height > MOST {
            return None;
        }
        let mut pixels = Pixmap::new(width, height)?;
        pixels.fill(color(Ink::Paper, 1.0));
        let mut canvas = Canvas {
            fonts: Fonts::with(self.shapes.iter().flat_map(Shape::characters)),
            pixels,
        };
        for shape in &self.shapes {
            canvas.draw(shape);
        }
        encode(&canvas.pixels)
    }
}

impl Shape {
    fn characters(&self) -> Vec<char> {
        match self {
            Self::Text { text, .. } => text.chars().collect(),
            Self::Noted { shapes, .. } => shapes.iter().flat_map(Self::characters).collect(),
            _ => Vec::new(),
        }
    }
}

struct Canvas {
    pixels: Pixmap,
    fonts: Fonts,
}

impl Canvas {
    fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Line {
                points,
                ink,
                width,
                dashes,
            } => self.stroke(follow(points).finish(), *ink, *width as f32, dashes),
            Shape::Area {
                corners,
                ink,
                opacity,
            } => {
                let mut path = follow(corners);
                path.close();
                self.fill(path.finish(), color(*ink, *opacity));
            }
            Shape::Frame(sides) => {
                let Box2 {
                    left,
                    top,
                    right,
                    bottom,
                } = *sides;
                let [left, top, right, bottom] = [left, top, right, bottom].map(|side| side as f32);
                let sides = Rect::from_ltrb(left, top, right, bottom);
                self.stroke(sides.map(PathBuilder::from_rect), Ink::Gray, 1.0, &[]);
            }
            Shape::Disk {
                center: (x, y),
                radius,
                ink,
            } => {
                let disk = PathBuilder::from_circle(*x as f32, *y as f32, *radius as f32);
                self.fill(disk, color(*ink, 1.0));
            }
            Shape::Text { text, at, style } => self.text(text, *at, *style),
            Shape::Noted { shapes, .. } => shapes.iter().for_each(|shape| self.draw(shape)),
        }
    }

    /// Draws along a path, if it has any length.
    fn stroke(&mut self, path: Option<Path>, ink: Ink, width: f32, dashes: &[u32]) {
        let Some(path) = path else { return };
        let dashes = dashes.iter().map(|length| *length as f32).collect();
        let stroke = Stroke {
            width,
            line_join: LineJoin::Round,
            dash: StrokeDash::new(dashes, 0.0),
            ..Stroke::default()
        };
        let (paint, scale) = (paint(color(ink, 1.0)), Transform::from_scale(SCALE, SCALE));
        self.pixels.stroke_path(&path, &paint, &stroke, scale, None);
    }

    /// Fills the inside of a path, if it has any.
    fn fill(&mut self, path: Option<Path>, color: Color) {
        let Some(path) = path else { return };
        let (paint, scale) = (paint(color), Transform::from_scale(SCALE, SCALE));
        self.pixels
            .fill_path(&path, &paint, FillRule::Winding, scale, None);
    }

    fn text(&mut self, text: &str, (x, y): Spot, style: TextStyle) {
        let mut path = PathBuilder::new();
        let mut length = 0.0;
        for character in text.chars() {
            let Some(letter) = self.fonts.letter(character, style.is_bold) else {
                continue;
            };
            let along = Transform::from_translate(length, 0.0);
            if let Some(outline) = letter.outline.and_then(|outline| outline.transform(along)) {
                path.push_path(&outline);
            }
            length += letter.advance;
        }
        let start = match style.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -length / 2.0,
            Anchor::End => -length,
        };
        let size = style.size as f32;
        let turn = if style.is_upwards { -90.0 } else { 0.0 };
        // Text stands on its line, which is below the middle of small letters.
        let place = Transform::from_translate(start, 0.35)
            .post_scale(size, size)
            .post_rotate(turn)
            .post_translate(x as f32, y as f32);
        let path = path.finish().and_then(|path| path.transform(place));
        if style.has_rim {
            self.stroke(path.clone(), Ink::Paper, 2.0 * RIM, &[]);
        }
        self.fill(path, color(style.ink, 1.0));
    }
}

fn follow(points: &[Spot]) -> PathBuilder {
    let mut path = PathBuilder::new();
    for (index, (x, y)) in points.iter().enumerate() {
        match index {
            0 => path.move_to(*x as f32, *y as f32),
            _ => path.line_to(*x as f32, *y as f32),
        }
    }
    path
}

/// The color of an ink, out of `#RRGGBB`.
fn color(ink: Ink, opacity: f64) -> Color {
    let name = Colors::Own.of(ink);
    let part = |at: usize| {
        name.get(at..at + 2)
            .and_then(|part| u8::from_str_radix(part, 16).ok())
    };
    let [red, green, blue] = [1, 3, 5].map(|at| part(at).unwrap_or_default());
    Color::from_rgba8(red, green, blue, (255.0 * opacity).round() as u8)
}

fn paint(color: Color) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(color);
    paint
}

/// A PNG file of opaque pixels: a header, all rows compressed, and an end.
fn encode(pixels: &Pixmap) -> Option<Vec<u8>> {
    let mut rows = ZlibEncoder::new(Vec::new(), Compression::default());
    let row_length = pixels.width() as usize;
    for row in pixels.pixels().chunks(row_length) {
        // A row begins with how it is filtered: not at all.
        let mut bytes = vec![0];
        bytes.extend(
            row.iter()
                .flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]),
        );
        rows.write_all(&bytes).ok()?;
    }
    let mut header = Vec::new();
    header.extend(pixels.width().to_be_bytes());
    header.extend(pixels.height().to_be_bytes());
    // 8 bits to each of red, green and blue; the usual compression, filters and order.
    header.extend([8, 2, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in [
        (b"IHDR", header),
        (b"IDAT", rows.finish().ok()?),
        (b"IEND", Vec::new()),
    ] {
        let mut sum = Crc::new();
        sum.update(kind);
        sum.update(&content);
        file.extend(u32::try_from(content.len()).ok()?.to_be_bytes());
        file.extend(kind);
        file.extend(content);
        file.extend(sum.sum().to_be_bytes());
    }
    Some(file)
}
