//! Lines, shapes and text in pixels, and their SVG document.

use std::fmt::Write as _;

use super::{
    colors::{Colors, Ink},
    geometry::Box2,
    text::{Anchor, RIM, TextStyle},
};

/// A place in pixels; y points down.
pub(super) type Spot = (f64, f64);

/// What is drawn, in the order of drawing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drawing {
    /// What it shows, for those who cannot see it.
    title: String,
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) shapes: Vec<Shape>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Line {
        points: Vec<Spot>,
        ink: Ink,
        width: f64,
        dashes: &'static [u32],
    },
    Area {
        corners: Vec<Spot>,
        ink: Ink,
        opacity: f64,
    },
    Frame(Box2),
    Disk {
        center: Spot,
        radius: f64,
        ink: Ink,
    },
    Text {
        text: String,
        at: Spot,
        style: TextStyle,
    },
    /// Shapes that say more when they are pointed at.
    Noted {
        note: String,
        shapes: Vec<Shape>,
    },
}

/// A place of whole or of broken pixels.
pub(super) fn spot<T: Into<f64>>((x, y): (T, T)) -> Spot {
    (x.into(), y.into())
}

impl Drawing {
    pub(super) fn new(title: &str, (width, height): (i32, i32)) -> Self {
        Self {
            title: title.to_owned(),
            width,
            height,
            shapes: Vec::new(),
        }
    }

    pub(super) fn line<T: Into<f64> + Copy>(&mut self, points: &[(T, T)], ink: Ink, width: f64) {
        self.dashed(points, ink, width, &[]);
    }

    /// A line of dashes and gaps of these lengths in turn; of none it is whole.
    pub(super) fn dashed<T: Into<f64> + Copy>(
        &mut self,
        points: &[(T, T)],
        ink: Ink,
        width: f64,
        dashes: &'static [u32],
    ) {
        self.shapes.push(Shape::Line {
            points: points.iter().copied().map(spot).collect(),
            ink,
            width,
            dashes,
        });
    }

    /// The inside of a polygon, `opacity` from 0 to 1.
    pub(super) fn area<T: Into<f64> + Copy>(&mut self, corners: &[(T, T)], ink: Ink, opacity: f64) {
        self.shapes.push(Shape::Area {
            corners: corners.iter().copied().map(spot).collect(),
            ink,
            opacity,
        });
    }

    /// The inside of a box.
    pub(super) fn fill(&mut self, inside: Box2, ink: Ink, opacity: f64) {
        let Box2 {
            left,
            top,
            right,
            bottom,
        } = inside;
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        self.area(&corners, ink, opacity);
    }

    /// The sides of a box.
    pub(super) fn frame(&mut self, sides: Box2) {
        self.shapes.push(Shape::Frame(sides));
    }

    pub(super) fn disk(&mut self, center: Spot, radius: f64, ink: Ink) {
        self.shapes.push(Shape::Disk {
            center,
            radius,
            ink,
        });
    }

    pub(super) fn text<T: Into<f64>>(&mut self, text: &str, at: (T, T), style: TextStyle) {
        self.shapes.push(Shape::Text {
            text: text.to_owned(),
            at: spot(at),
            style,
        });
    }

    /// What `draw` draws says `note` when it is pointed at.
    pub(super) fn noted(&mut self, note: String, draw: impl FnOnce(&mut Self)) {
        let before = std::mem::take(&mut self.shapes);
        draw(self);
        let shapes = std::mem::replace(&mut self.shapes, before);
        self.shapes.push(Shape::Noted { note, shapes });
    }

    /// The document. The same drawing always gives the same one.
    pub(crate) fn to_svg(&self, colors: Colors) -> String {
        let Self { width, height, .. } = self;
        let title = escaped(&self.title);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\" \
             font-family=\"Noto Sans, system-ui, sans-serif\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>\n",
            colors.of(Ink::Paper)
        );
        for shape in &self.shapes {
            shape.write(&mut svg, colors);
        }
        svg + "</svg>\n"
    }
}

impl Shape {
    fn write(&self, svg: &mut String, colors: Colors) {
        match self {
            Self::Line {
                points,
                ink,
                width,
                dashes,
            } => {
                let dashes: Vec<String> = dashes.iter().map(u32::to_string).collect();
                let dashes = match dashes.as_slice() {
                    [] => String::new(),
                    dashes => format!(" stroke-dasharray=\"{}\"", dashes.join(" ")),
                };
                put(
                    svg,
                    format_args!(
                        "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"{dashes} \
                     stroke-linejoin=\"round\"/>\n",
                        listed(points),
                        colors.of(*ink),
                        number(*width),
                    ),
                );
            }
            Self::Area {
                corners,
                ink,
                opacity,
            } => {
                let opacity = match *opacity {
                    1.0 => String::new(),
                    opacity => format!(" fill-opacity=\"{opacity:.3}\""),
                };
                put(
                    svg,
                    format_args!(
                        "<polygon points=\"{}\" fill=\"{}\"{opacity}/>\n",
                        listed(corners),
                        colors.of(*ink)
                    ),
                );
            }
            Self::Frame(Box2 {
                left,
                top,
                right,
                bottom,
            }) => put(
                svg,
                format_args!(
                    "<rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"{}\"/>\n",
                    right - left,
                    bottom - top,
                    colors.of(Ink::Gray)
                ),
            ),
            Self::Disk {
                center: (x, y),
                radius,
                ink,
            } => put(
                svg,
                format_args!(
                    "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"/>\n",
                    number(*x),
                    number(*y),
                    number(*radius),
                    colors.of(*ink)
                ),
            ),
            Self::Text { text, at, style } => style.write(svg, text, *at, colors),
            Self::Noted { note, shapes } => {
                put(svg, format_args!("<g><title>{}</title>\n", escaped(note)));
                for shape in shapes {
                    shape.write(svg, colors);
                }
                svg.push_str("</g>\n");
            }
        }
    }
}

impl TextStyle {
    fn write(self, svg: &mut String, text: &str, (x, y): Spot, colors: Colors) {
        let (x, y) = (number(x), number(y));
        let anchor = match self.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let mut looks = String::new();
        if self.is_bold {
            looks += " font-weight=\"bold\"";
        }
        if self.has_rim {
            let paper = colors.of(Ink::Paper);
            looks += &format!(
                " paint-order=\"stroke\" stroke=\"{paper}\" stroke-width=\"{}\" stroke-linejoin=\"round\"",
                2.0 * RIM
            );
        }
        let transform = match self.is_upwards {
            true => format!(" transform=\"rotate(-90 {x} {y})\""),
            false => String::new(),
        };
        put(
            svg,
            format_args!(
                "<text x=\"{x}\" y=\"{y}\" dy=\"0.35em\" text-anchor=\"{anchor}\" font-size=\"{}\"{looks} fill=\"{}\"\
             {transform}>{}</text>\n",
                self.size,
                colors.of(self.ink),
                escaped(text)
            ),
        );
    }
}

fn put(svg: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = svg.write_fmt(text);
}

fn listed(points: &[Spot]) -> String {
    let points = points
        .iter()
        .map(|(x, y)| format!("{},{}", number(*x), number(*y)));
    points.collect::<Vec<_>>().join(" ")
}

/// A number to a tenth.
fn number(value: f64) -> String {
    let tenths = (10.0 * value).round() / 10.0;
    // There is a zero below zero.
    (tenths + 0.0).to_string()
}

/// Text as it stands in XML, which has no way to write most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\u{FFFE}' | '\u{FFFF}' => {}
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
