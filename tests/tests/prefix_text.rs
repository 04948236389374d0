//! A prefix that starts from a text is that text in front of the row.

use burn::tensor::Device;
use pilotlight_core::{Identity, TokenRow};
use pilotlight_tests::{
    GoldenExample, assert_close, golden_examples, golden_model, token_logits, vocabulary::Numbers,
};
use pilotlight_transformer::{GenerateOptions, Model, generate};
use pilotlight_tuners::{AnyTuner, InitContext, TunerConfig, TunerError};

const TEXT: [u32; 4] = [17, 60, 5, 33];

fn prefix(model: &Model) -> Result<AnyTuner, TunerError> {
    let keys =
        r#"{ "method": "prefix", "prefix_length": 4, "init": "text", "text": "17 60 5 33 9" }"#;
    let config: TunerConfig = serde_json::from_str(keys).expect("keys");
    config.init(&InitContext {
        base: model,
        vocabulary: &Numbers,
        seed: 1,
        device: &Device::flex(),
    })
}

fn behind_the_text(row: &TokenRow) -> TokenRow {
    TokenRow::new([TEXT.as_slice(), &row.ids].concat())
}

#[test]
fn the_first_prefix_is_the_text_in_front() {
    for family in ["llama", "qwen2", "gpt2"] {
        let model = golden_model(family, &Device::flex()).model;
        let tuner = prefix(&model).expect("a prefix");
        let examples = golden_examples(family);
        let rows: Vec<TokenRow> = examples[..4].iter().map(GoldenExample::row).collect();
        let longer: Vec<TokenRow> = rows.iter().map(behind_the_text).collect();
        let found = token_logits(&model, &rows, &tuner);
        let expected = token_logits(&model, &longer, &Identity);
        let n_text = TEXT.len() * model.spec().n_vocab;
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(found, &expected[n_text..], 1e-5);
        }

        let write = |row: &TokenRow, tuner| {
            let options = GenerateOptions {
                max_tokens: 12,
                ..GenerateOptions::default()
            };
            generate(&model, tuner, row, &options, &mut |_| {})
        };
        assert_eq!(write(&rows[0], &tuner), write(&longer[0], &Identity));
    }
}

#[test]
fn an_encoder_has_no_text_in_front() {
    let model = golden_model("bert", &Device::flex()).model;
    let error = prefix(&model).expect_err("no decoder").to_string();
    assert!(error.contains("`init` is `text`"), "{error}");
    assert!(error.contains("hint: use `random`"), "{error}");
}
