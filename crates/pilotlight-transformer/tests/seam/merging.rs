//! A tuner folded into the weights.

use pilotlight_transformer::{LoadError, Merged};

use super::*;

/// Factors in all places that weights can express.
#[derive(Debug, Default)]
struct Factors {
    output: f32,
    input: f32,
    words: Option<f32>,
    head: Option<f32>,
}

impl Factors {
    const OUTPUT: [Projection; 4] = [
        Projection::QueryKeyValue,
        Projection::Key,
        Projection::Value,
        Projection::Down,
    ];
    const INPUT: [Projection; 2] = [Projection::Down, Projection::Output];
}

impl Tuner for Factors {
    fn words(
        &self,
        _: &Tensor<2>,
        _: &Tensor<2, burn::tensor::Int>,
        embeddings: Tensor<3>,
    ) -> Tensor<3> {
        embeddings * self.words.unwrap_or(1.0)
    }

    fn project_input(&self, site: Site, input: Tensor<3>) -> Tensor<3> {
        match Self::INPUT.contains(&site.projection) {
            true => input * self.input,
            false => input,
        }
    }

    fn project_output(
        &self,
        site: Site,
        _: &Linear,
        _: &Tensor<3>,
        output: Tensor<3>,
    ) -> Tensor<3> {
        match Self::OUTPUT.contains(&site.projection) {
            true => output * self.output,
            false => output,
        }
    }

    fn project_head(
        &self,
        _: &Tensor<2>,
        _: &[usize],
        _: &Tensor<2>,
        scores: Tensor<2>,
    ) -> Tensor<2> {
        scores * self.head.unwrap_or(1.0)
    }

    fn merged_output(&self, site: Site, base: &Linear) -> Option<Linear> {
        Self::OUTPUT.contains(&site.projection).then(|| Linear {
            weight: Param::from_tensor(base.weight.val() * self.output),
            bias: base
                .bias
                .as_ref()
                .map(|bias| Param::from_tensor(bias.val() * self.output)),
        })
    }

    fn merged_input(&self, site: Site, base: &Linear) -> Option<Linear> {
        Self::INPUT.contains(&site.projection).then(|| Linear {
            weight: Param::from_tensor(base.weight.val() * self.input),
            bias: base.bias.clone(),
        })
    }

    fn merged_words(&self, weight: &Tensor<2>) -> Option<Tensor<2>> {
        Some(weight.clone() * self.words?)
    }

    fn merged_head(&self, weight: &Tensor<2>) -> Option<Tensor<2>> {
        Some(weight.clone() * self.head?)
    }
}

fn first_states(model: &Model, tuner: &dyn Tuner) -> Tensor<2> {
    model
        .forward(&rows(), tuner)
        .select(&[(0, 4), (1, 1), (2, 2)])
}

#[test]
fn merged_equals_hooked_and_can_be_taken_back() {
    for device in [Device::default(), Device::default().autodiff()] {
        for case in [
            "llama",
            "llama_bias",
            "qwen2",
            "qwen3",
            "bert",
            "gpt2",
            "llama_tied",
        ] {
            let base = model(case, &device);
            let is_tied = base.spec().tied_head;
            let tuner = Factors {
                output: 1.5,
                input: -0.7,
                words: (!is_tied).then_some(2.0),
                head: (!is_tied).then_some(0.5),
            };
            let hash = base.parameter_hash();
            let merged = base.merged(&tuner).expect("it can be folded");
            assert_close(
                first_states(&merged.model, &Identity),
                first_states(&base, &tuner),
                1e-5,
            );
            if base.has_language_head() {
                let hooked = last_logits(&base, &rows(), &tuner);
                assert_close(last_logits(&merged.model, &rows(), &Identity), hooked, 1e-5);
            }
            // Of Down there is one tensor although it is changed on both sides.
            let mut names: Vec<_> = merged.replaced.iter().map(|(name, _)| name).collect();
            names.dedup();
            assert_eq!(names.len(), merged.replaced.len());
            assert_ne!(merged.model.parameter_hash(), hash, "{case}");
            assert_eq!(base.parameter_hash(), hash, "{case}");
            assert_eq!(merged.unmerge().parameter_hash(), hash, "{case}");
        }
    }
}

#[test]
fn a_base_of_less_precision_is_restored_too() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/llama_bf16");
    let options = LoadOptions {
        dtype: burn::tensor::DType::BF16,
        ..LoadOptions::new(&Device::default())
    };
    let base = load_folder(&folder, &options).expect("a model").model;
    let tuner = Factors {
        output: 1.1,
        input: 0.9,
        words: Some(1.3),
        ..Factors::default()
    };
    let Merged { model, replaced } = base.merged(&tuner).expect("it can be folded");
    let words = model.word_embeddings();
    assert_eq!(words.dtype(), burn::tensor::DType::BF16);
    let again = Merged { model, replaced }.unmerge();
    assert_eq!(again.parameter_hash(), base.parameter_hash());
}

#[test]
fn a_tied_head_is_merged_with_the_words_or_not_at_all() {
    for case in ["llama_tied", "gpt2"] {
        let base = model(case, &Device::default());
        let merged = |words, head| {
            base.merged(&Factors {
                output: 1.0,
                input: 1.0,
                words,
                head,
            })
        };
        let both = merged(Some(1.25), Some(1.25)).expect("both are changed alike");
        let expected = last_logits(
            &base,
            &rows(),
            &Factors {
                output: 1.0,
                input: 1.0,
                words: Some(1.25),
                head: Some(1.25),
            },
        );
        assert_close(last_logits(&both.model, &rows(), &Identity), expected, 1e-5);
        assert_eq!(both.unmerge().parameter_hash(), base.parameter_hash());
        for (words, head, what) in [
            (Some(1.25), None, "the words alone"),
            (None, Some(1.25), "the head alone"),
            (Some(1.25), Some(1.5), "each of the two"),
        ] {
            let error = merged(words, head).expect_err("the head is tied");
            assert!(matches!(error, LoadError::TiedHead { .. }));
            assert!(error.to_string().contains(what), "{error}");
        }
    }
}

#[test]
fn a_bias_that_the_base_lacks_cannot_be_merged() {
    #[derive(Debug)]
    struct Biased;
    impl Tuner for Biased {
        fn merged_output(&self, _: Site, base: &Linear) -> Option<Linear> {
            let [_, d_output] = base.weight.dims();
            Some(Linear {
                weight: base.weight.clone(),
                bias: Some(Param::from_tensor(Tensor::ones(
                    [d_output],
                    &base.weight.device(),
                ))),
            })
        }
    }
    let error = model("llama", &Device::default()).merged(&Biased);
    let error = error.expect_err("no projection has a bias").to_string();
    assert!(error.contains("model.layers.1.mlp.up_proj.bias"), "{error}");
}
