//! An input text as a row of tokens within its bounds.
//!
//! A sequence is tokenised as one text, so that dividing it into parts changes no token. A token belongs to the part
//! in which it begins. What is too long is shortened by dropping tokens from the right end of the longest `{{ .. }}`
//! that may be cut, again and again; the template's own text is never cut.

use pilotlight_core::{Anchors, TokenRow};

use crate::{
    error::DataError,
    template::Rendered,
    tokenizer::{EncodedToken, Tokenizer},
};

/// Special tokens of the tokenizer's template that an input gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpecialTokens {
    /// None.
    None,
    /// Those in front of the text and inside it: something else follows.
    Leading,
    /// All.
    All,
}

/// A row of tokens and how many were cut from it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fitted {
    pub(crate) row: TokenRow,
    /// Special tokens at its beginning.
    pub(crate) n_leading: usize,
    pub(crate) tokens_cut: usize,
}

/// Why a text does not become a row.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It has no tokens.
    Empty,
    /// It has so many tokens even when all is cut that may be.
    TooLong(usize),
    /// The tokenizer failed.
    Tokenizer(DataError),
}

/// Tokenises a text into a row of at most `max_tokens`.
pub(crate) fn fit(
    rendered: &Rendered,
    tokenizer: &Tokenizer,
    special_tokens: SpecialTokens,
    max_tokens: usize,
) -> Result<Fitted, Unfit> {
    let mut texts = rendered.sequences.iter().map(|sequence| &*sequence.text);
    let mut tokens = tokenizer
        .encode_located(
            texts.next().unwrap_or_default(),
            texts.next(),
            special_tokens != SpecialTokens::None,
        )
        .map_err(Unfit::Tokenizer)?;
    let Some(last) = tokens.iter().rposition(|token| token.start.is_some()) else {
        return Err(Unfit::Empty);
    };
    if special_tokens == SpecialTokens::Leading {
        tokens.truncate(last + 1);
    }
    let kept = cut(&tokens, rendered, max_tokens)?;
    let ids = select(&tokens, &kept, |token| token.id);
    if ids.is_empty() {
        return Err(Unfit::Empty);
    }
    let token_types = select(&tokens, &kept, |token| token.token_type);
    let tokens_cut = tokens.len() - ids.len();
    Ok(Fitted {
        row: TokenRow {
            ids,
            token_types: if token_types.iter().all(|&segment| segment == 0) {
                Vec::new()
            } else {
                token_types
            },
            anchors: anchors(&tokens, &kept, rendered),
        },
        n_leading: {
            let is_text = |token: &EncodedToken| token.start.is_some();
            tokens.iter().position(is_text).unwrap_or_default()
        },
        tokens_cut,
    })
}

fn select(tokens: &[EncodedToken], kept: &[bool], value: fn(&EncodedToken) -> u32) -> Vec<u32> {
    let tokens = tokens.iter().zip(kept);
    tokens
        .filter(|(_, kept)| **kept)
        .map(|(token, _)| value(token))
        .collect()
}

/// Which tokens stay.
fn cut(
    tokens: &[EncodedToken],
    rendered: &Rendered,
    max_tokens: usize,
) -> Result<Vec<bool>, Unfit> {
    let mut kept = vec![true; tokens.len()];
    let excess = tokens.len().saturating_sub(max_tokens);
    if excess == 0 {
        return Ok(kept);
    }
    // The indices of the tokens of each range that may be cut; what is cut is popped off.
    let mut ranges: Vec<Vec<usize>> = Vec::new();
    for (number, sequence) in rendered.sequences.iter().enumerate() {
        for range in &sequence.cuttable {
            let begins_inside = |token: &EncodedToken| {
                token
                    .start
                    .is_some_and(|(sequence, start)| sequence == number && range.contains(&start))
            };
            let inside = |&index: &usize| begins_inside(&tokens[index]);
            ranges.push((0..tokens.len()).filter(inside).collect());
        }
    }
    for _ in 0..excess {
        // Of equally long ones the first: `max_by_key` takes the last.
        let longest = ranges.iter_mut().rev().max_by_key(|range| range.len());
        match longest.and_then(Vec::pop) {
            Some(index) => kept[index] = false,
            None => {
                let n_kept = kept.iter().filter(|kept| **kept).count();
                return Err(Unfit::TooLong(n_kept));
            }
        }
    }
    Ok(kept)
}

/// The place behind each part, as offsets into the kept tokens.
fn anchors(tokens: &[EncodedToken], kept: &[bool], rendered: &Rendered) -> Anchors {
    let first_text = tokens.iter().position(|token| token.start.is_some());
    let parts = rendered.part_ends.iter().map(|(name, sequence, end)| {
        let last_inside = tokens
            .iter()
            .rposition(|token| token.start.is_some_and(|start| start < (*sequence, *end)));
        let place = last_inside.map_or(first_text.unwrap_or(0), |last| last + 1);
        let offset = kept[..place].iter().filter(|kept| **kept).count();
        (name.clone(), offset)
    });
    Anchors {
        parts: parts.collect(),
        answer: None,
    }
}
