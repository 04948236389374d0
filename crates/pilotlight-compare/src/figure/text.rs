//! Text, and the room it takes.

use super::colors::Ink;

/// Where the place of a text lies along it; across, it is always its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Width of the rim of a text that has one.
pub(super) const RIM: f32 = 3.0;

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TextStyle {
    pub(super) size: i32,
    pub(super) ink: Ink,
    pub(super) anchor: Anchor,
    pub(super) is_bold: bool,
    pub(super) is_upwards: bool,
    /// Whether a rim of paper keeps it off what is behind it.
    pub(super) has_rim: bool,
}

impl TextStyle {
    pub(super) const fn new(size: i32, ink: Ink) -> Self {
        Self {
            size,
            ink,
            anchor: Anchor::Start,
            is_bold: false,
            is_upwards: false,
            has_rim: false,
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

    pub(super) const fn rimmed(self) -> Self {
        Self {
            has_rim: true,
            ..self
        }
    }

    pub(super) const fn upwards(self) -> Self {
        Self {
            is_upwards: true,
            ..self
        }
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

/// A text without control characters, its middle left out where it is wider than `width` pixels: names that begin alike
/// often differ at their ends.
pub(super) fn fitted(text: &str, style: TextStyle, width: i32) -> String {
    let mut head: Vec<char> = text
        .chars()
        .filter(|character| !character.is_control())
        .collect();
    let is_fitting = |text: &str| text_width(text, style) <= width;
    let whole: String = head.iter().collect();
    if is_fitting(&whole) {
        return whole;
    }
    let mut tail = head.split_off(head.len() / 2);
    loop {
        let [begin, end] = [&head, &tail].map(|part| part.iter().collect::<String>());
        let text = format!("{}…{}", begin.trim_end(), end.trim_start());
        if is_fitting(&text) || head.is_empty() && tail.is_empty() {
            return text;
        }
        match head.len() > tail.len() {
            true => drop(head.pop()),
            false => drop(tail.remove(0)),
        }
    }
}
