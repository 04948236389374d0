//! Texts that go on, by themselves and together.

use super::*;

#[test]
fn cached_equals_uncached() {
    let device = Device::default();
    for case in CASES {
        let model = model(case, &device);
        let tuner = Everything::new(&model, &device);
        let mut row = rows().remove(0);
        let options = GenerateOptions {
            max_tokens: 10,
            ..GenerateOptions::default()
        };
        let cached = generate(&model, &tuner, &row, &options, &mut |_| ());
        assert_eq!(cached.len(), 10);
        let mut uncached = Vec::new();
        for _ in 0..10 {
            let logits = last_logits(&model, std::slice::from_ref(&row), &tuner);
            let token: i64 = logits.argmax(1).into_scalar();
            uncached.push(token as u32);
            row.ids.push(token as u32);
        }
        assert_eq!(cached, uncached, "{case}");

        let stopped = GenerateOptions {
            eos: vec![cached[4]],
            ..options
        };
        let until = cached
            .iter()
            .position(|&token| token == cached[4])
            .expect("it is there");
        let written = generate(&model, &tuner, &rows()[0], &stopped, &mut |_| ());
        assert_eq!(written, cached[..until]);
    }
}

#[test]
fn rows_are_written_on_together_as_each_alone() {
    let device = Device::default();
    for case in CASES {
        let model = model(case, &device);
        let tuner = Everything::new(&model, &device);
        let mut options = GenerateOptions {
            max_tokens: 10,
            ..GenerateOptions::default()
        };
        let alone = |options: &GenerateOptions| -> Vec<Vec<u32>> {
            let rows = rows();
            let written = rows.iter();
            written
                .map(|row| generate(&model, &tuner, row, options, &mut |_| ()))
                .collect()
        };
        let all = alone(&options);
        let together = generate_all(&model, &tuner, &rows(), &options);
        assert_eq!(together, all, "{case}");
        // One row ends before the others.
        options.eos = vec![all[1][2]];
        let stopped = alone(&options);
        assert!(stopped[1].len() < 3);
        let together = generate_all(&model, &tuner, &rows(), &options);
        assert_eq!(together, stopped, "{case}");
    }
}

#[test]
fn text_ends_with_the_learned_positions() {
    let model = model("gpt2", &Device::default());
    let options = GenerateOptions {
        max_tokens: 100,
        temperature: 1.0,
        seed: 3,
        ..GenerateOptions::default()
    };
    let written = generate(
        &model,
        &Identity,
        &TokenRow::new(vec![3; 5]),
        &options,
        &mut |_| (),
    );
    // The last token needs no position: nothing follows it.
    assert_eq!(written.len(), 32 - 5 + 1);
    let rows = [vec![3; 9], vec![3; 5]].map(TokenRow::new);
    let lens = generate_all(&model, &Identity, &rows, &options).into_iter();
    let lens: Vec<usize> = lens.map(|written| written.len()).collect();
    assert_eq!(lens, [32 - 9 + 1, 32 - 5 + 1]);
    let again = generate(
        &model,
        &Identity,
        &TokenRow::new(vec![3; 5]),
        &options,
        &mut |_| (),
    );
    assert_eq!(written, again);
}
