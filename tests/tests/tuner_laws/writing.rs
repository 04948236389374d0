//! Text that is written token by token, with earlier keys and values kept, is that of the whole row at once.

use pilotlight_transformer::{GenerateOptions, generate};

use super::*;

#[test]
fn written_tokens_are_those_of_the_whole_row() {
    const N_TOKENS: usize = 6;
    each_case(|_, model, tuner| {
        if !model.is_decoder() {
            return;
        }
        let tuner = shaken(tuner).valid();
        let mut row = rows(model).remove(0);
        let n_input = row.anchors.answer.expect("a decoder's row has an answer");
        row.ids.truncate(n_input);
        let options = GenerateOptions {
            max_tokens: N_TOKENS,
            ..GenerateOptions::default()
        };
        let written = generate(model, &tuner, &row, &options, &mut |_| {});

        for token in &written {
            let hidden = model.forward(std::slice::from_ref(&row), &tuner);
            let position = hidden.rows[0].predictor(row.ids.len());
            let position = position.expect("something in front");
            let scores = values(model.logits_at(&hidden, &[(0, position)], &tuner));
            let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            // Written so that two words of nearly the same score may change places.
            assert!(best - scores[*token as usize] <= 1e-4);
            row.ids.push(*token);
        }
        assert_eq!(written.len(), N_TOKENS);
    });
}
