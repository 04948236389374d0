use super::*;
use crate::soft_prompt::arithmetic::{
    Metric, Neighbour, average, interpolate, nearest_words, weighted_sum,
};

fn prompt<const N: usize, const D: usize>(vectors: [[f32; D]; N]) -> SoftPrompt {
    placed(vectors, Place::Before)
}

fn placed<const N: usize, const D: usize>(vectors: [[f32; D]; N], place: Place) -> SoftPrompt {
    let config = SoftPromptConfig {
        prompt_length: Some(N),
        placement: Placement::Whole(place),
        ..SoftPromptConfig::default()
    };
    SoftPrompt::new(config, vectors, &Device::default())
}

fn vectors(prompt: &SoftPrompt) -> Vec<f32> {
    values(prompt.vectors.val())
}

#[test]
fn prompts_are_summed_by_weight() {
    let first = placed([[1.0, 2.0], [3.0, 4.0]], Place::After);
    let second = placed([[3.0, -2.0], [0.0, 8.0]], Place::After);
    let mean = average(&[&first, &second]).expect("equal shapes");
    assert_eq!(vectors(&mean), [2.0, 0.0, 1.5, 6.0]);
    assert_eq!(mean.config.placement, Placement::Whole(Place::After));

    let quarter = interpolate(&first, &second, 0.25).expect("equal shapes");
    assert_eq!(vectors(&quarter), [1.5, 1.0, 2.25, 5.0]);
    let beyond = interpolate(&first, &second, 2.0).expect("equal shapes");
    assert_eq!(vectors(&beyond), [5.0, -6.0, -3.0, 12.0]);

    let three = [(&first, 1.0), (&second, 2.0), (&first, -0.5)];
    let sum = weighted_sum(&three).expect("equal shapes");
    assert_eq!(vectors(&sum), [6.5, -3.0, 1.5, 18.0]);
}

#[test]
fn what_an_encoder_makes_is_summed() {
    let device = Device::default();
    let config = SoftPromptConfig {
        prompt_length: Some(2),
        encoder: Some(crate::soft_prompt::EncoderKind::Mlp),
        ..SoftPromptConfig::default()
    };
    let encoded = config
        .init(&context(&llama(), &device, 1))
        .expect("a prompt");
    let same = interpolate(&encoded, &encoded, 0.5).expect("equal shapes");
    assert!(same.encoder.is_none());
    assert_eq!(same.config.encoder, None);
    assert_close(&vectors(&same), &values(encoded.prompt()), 1e-6);
}

#[test]
fn prompts_that_do_not_fit_together_are_refused() {
    let first = prompt([[1.0, 2.0]]);
    let long = prompt([[1.0, 2.0], [3.0, 4.0]]);
    let wide = placed([[1.0, 2.0, 3.0]], Place::After);
    let error = average(&[&first, &first, &long, &wide]).expect_err("they differ");
    let error = error.to_string();
    for part in [
        "`prompts[2]` has 2 vectors, but the first prompt has 1",
        "`prompts[3]` has vectors of width 3, but those of the first prompt have 2",
        "`prompts[3]` stands at another place",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let error = weighted_sum(&[(&first, f64::NAN)]).expect_err("no weight");
    assert!(error.to_string().contains("the weight NaN"), "{error}");
    let error = average(&[]).expect_err("nothing to average");
    assert!(error.to_string().contains("are none"), "{error}");
}

#[test]
fn words_are_listed_from_the_closest_on() {
    let device = Device::default();
    let words = [
        [2.0, 0.0],
        [0.0, 0.0],
        [3.0, 3.0],
        [0.0, 1.0],
        [-1.0, 0.0],
        [2.0, 0.0],
    ];
    let words = Tensor::<2>::from_data(words, &device);
    let prompt = prompt([[1.0, 0.0], [0.0, 3.0]]);
    let nearest = |metric, n, keep: &dyn Fn(u32) -> bool| {
        nearest_words(&prompt, &words, metric, n, keep).expect("equal widths")
    };
    let ids = |found: &[Neighbour]| -> Vec<u32> { found.iter().map(|word| word.id).collect() };
    let numbers =
        |found: &[Neighbour]| -> Vec<f32> { found.iter().map(|word| word.value).collect() };

    // Of equal words the first comes first.
    let cosine = nearest(Metric::Cosine, 9, &|_| true);
    assert_eq!(ids(&cosine[0]), [0, 5, 2, 1, 3, 4]);
    let half = 0.5_f32.sqrt();
    assert_close(
        &numbers(&cosine[0]),
        &[1.0, 1.0, half, 0.0, 0.0, -1.0],
        1e-6,
    );
    assert_eq!(ids(&cosine[1]), [3, 2, 0, 1, 4, 5]);

    let euclidean = nearest(Metric::Euclidean, 3, &|id| id != 5);
    assert_eq!(ids(&euclidean[0]), [0, 1, 3]);
    assert_close(&numbers(&euclidean[0]), &[1.0, 1.0, 2.0_f32.sqrt()], 1e-6);
    assert_eq!(ids(&euclidean[1]), [3, 1, 2]);
    assert_close(&numbers(&euclidean[1]), &[2.0, 3.0, 3.0], 1e-6);
}

#[test]
fn words_of_another_width_are_refused() {
    let words = Tensor::<2>::zeros([4, 3], &Device::default());
    let error = nearest_words(&prompt([[1.0, 2.0]]), &words, Metric::Cosine, 1, &|_| true);
    let error = error.expect_err("another width").to_string();
    assert!(
        error.contains("width 2") && error.contains("have 3"),
        "{error}"
    );
}

#[test]
fn a_deep_prompt_is_read_at_the_input() {
    let config = SoftPromptConfig {
        prompt_length: Some(1),
        deep: true,
        ..SoftPromptConfig::default()
    };
    let deep = SoftPrompt::new(config, [[1.0_f32, 0.0], [0.0, 1.0]], &Device::default());
    let words = Tensor::<2>::from_data([[0.0, 1.0], [1.0, 0.0]], &Device::default());
    let nearest = nearest_words(&deep, &words, Metric::Cosine, 1, &|_| true);
    let nearest = nearest.expect("equal widths");
    assert_eq!(nearest.len(), 1);
    assert_eq!(nearest[0][0].id, 1);
}
