//! The `llama` architecture: which tensors a file must hold, their Hugging Face names, and `config.json`.
//!
//! GGUF stores the rows of the query and key projections so that the two numbers that a rotary position turns
//! together are neighbours (x0, y0, x1, y1, ...); transformers turns the two halves of a head against each other
//! (x0, x1, ..., y0, y1, ...), so these rows are put back in that order.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::{container::Container, error::GgufError, rope, tokenizer::SpecialIds, value::Metadata};

/// Shape and settings of the model, and its tensors.
#[derive(Debug)]
pub(super) struct Llama {
    d_model: usize,
    n_layers: usize,
    n_heads: usize,
    n_kv_heads: usize,
    d_head: usize,
    d_ff: usize,
    pub(super) n_vocab: usize,
    pub(super) n_positions: usize,
    norm_epsilon: f64,
    rope_theta: f64,
    rope_scaling: Json,
    attention_bias: bool,
    feed_forward_bias: bool,
    /// Whether the output head is the word embeddings.
    pub(super) tied: bool,
    /// Every tensor to write, in order of its Hugging Face name.
    pub(super) tensors: Vec<Renamed>,
}

/// One tensor on its way from a GGUF file to a Hugging Face folder.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Renamed {
    /// Its Hugging Face name.
    pub(super) name: String,
    /// Its name in the GGUF file.
    pub(super) source: String,
    /// Its sizes.
    pub(super) shape: Vec<usize>,
    /// The number of heads whose rows are pair-interleaved.
    pub(super) interleaved: Option<usize>,
}

impl Llama {
    /// Reads the model's settings and lays out its tensors; what stands in the way is noted in `metadata`.
    pub(super) fn read(
        container: &Container,
        metadata: &mut Metadata<'_>,
    ) -> Result<Option<Self>, GgufError> {
        let found = metadata.text("general.architecture").unwrap_or("none");
        if found != "llama" {
            metadata.problem(format!("its architecture is `{found}`, not `llama`"));
            return Ok(None);
        }
        if metadata.count("split.count").is_some_and(|count| count > 1) {
            metadata.problem(
                "it is one part of a file that was split; join the parts first (gguf-split --merge)",
            );
        }
        if metadata
            .count("llama.expert_count")
            .is_some_and(|count| count > 0)
        {
            metadata.problem("it is a mixture of experts");
        }

        let d_model = metadata.required_count("llama.embedding_length");
        let n_layers = metadata.required_count("llama.block_count");
        let n_heads = metadata.required_count("llama.attention.head_count");
        let n_kv_heads = metadata
            .count("llama.attention.head_count_kv")
            .unwrap_or(n_heads);
        let d_ff = metadata.required_count("llama.feed_forward_length");
        let n_positions = metadata.required_count("llama.context_length");
        let norm_epsilon = metadata.required_number("llama.attention.layer_norm_rms_epsilon");
        let d_head = metadata
            .count("llama.attention.key_length")
            .or_else(|| d_model.checked_div(n_heads))
            .unwrap_or(0);
        if !metadata.problems.is_empty() {
            return Ok(None);
        }

        if n_kv_heads == 0 || !n_heads.is_multiple_of(n_kv_heads) {
            metadata.problem(format!(
                "{n_heads} query heads cannot share {n_kv_heads} key and value heads"
            ));
        }
        if d_head == 0 || !d_head.is_multiple_of(2) {
            metadata.problem(format!(
                "heads of width {d_head} cannot be rotated in pairs"
            ));
        }
        for key in ["llama.attention.value_length", "llama.rope.dimension_count"] {
            if let Some(other) = metadata.count(key).filter(|&other| other != d_head) {
                metadata.problem(format!("`{key}` is {other}, but heads are {d_head} wide"));
            }
        }
        let tensors = &container.tensors;
        if n_layers > tensors.len() {
            metadata.problem(format!(
                "{n_layers} layers are announced, but there are only {} tensors",
                tensors.len()
            ));
        }
        let n_vocab = tensors
            .get("token_embd.weight")
            .map_or(0, |info| info.shape[0]);
        let widths = n_heads
            .checked_mul(d_head)
            .zip(n_kv_heads.checked_mul(d_head));
        let Some((d_query, d_key)) = widths.filter(|_| metadata.problems.is_empty()) else {
            metadata.problem("its sizes make no model");
            return Ok(None);
        };

        let rope_theta = metadata.number("llama.rope.freq_base").unwrap_or(10_000.0);
        let rope_scaling = rope::scaling(container, metadata, rope_theta, d_head)?;
        let mut model = Self {
            d_model,
            n_layers,
            n_heads,
            n_kv_heads,
            d_head,
            d_ff,
            n_vocab,
            n_positions,
            norm_epsilon,
            rope_theta,
            rope_scaling,
            attention_bias: tensors.keys().any(|name| is_bias(name, "attn_")),
            feed_forward_bias: tensors.keys().any(|name| is_bias(name, "ffn_")),
            tied: !tensors.contains_key("output.weight"),
            tensors: Vec::new(),
        };
        model.tensors = model.layout(d_query, d_key);
        model.check(container, metadata);
        Ok(Some(model))
    }

    /// Every tensor that the file must hold, in order of the Hugging Face names.
    fn layout(&self, d_query: usize, d_key: usize) -> Vec<Renamed> {
        let (d_model, d_ff) = (self.d_model, self.d_ff);
        let renamed = |name: String, source: String, shape: &[usize], interleaved| Renamed {
            name,
            source,
            shape: shape.to_vec(),
            interleaved,
        };
        let mut all = vec![
            renamed(
                "model.embed_tokens.weight".into(),
                "token_embd.weight".into(),
                &[self.n_vocab, d_model],
                None,
            ),
            renamed(
                "model.norm.weight".into(),
                "output_norm.weight".into(),
                &[d_model],
                None,
            ),
        ];
        if !self.tied {
            all.push(renamed(
                "lm_head.weight".into(),
                "output.weight".into(),
                &[self.n_vocab, d_model],
                None,
            ));
        }
        let (queries, keys) = (Some(self.n_heads), Some(self.n_kv_heads));
        let linears = [
            ("attn_q", "self_attn.q_proj", [d_query, d_model], queries),
            ("attn_k", "self_attn.k_proj", [d_key, d_model], keys),
            ("attn_v", "self_attn.v_proj", [d_key, d_model], None),
            ("attn_output", "self_attn.o_proj", [d_model, d_query], None),
            ("ffn_gate", "mlp.gate_proj", [d_ff, d_model], None),
            ("ffn_up", "mlp.up_proj", [d_ff, d_model], None),
            ("ffn_down", "mlp.down_proj", [d_model, d_ff], None),
        ];
        let norms = [
            ("attn_norm", "input_layernorm"),
            ("ffn_norm", "post_attention_layernorm"),
        ];
        for layer in 0..self.n_layers {
            for (source, name) in norms {
                all.push(renamed(
                    format!("model.layers.{layer}.{name}.weight"),
                    format!("blk.{layer}.{source}.weight"),
                    &[d_model],
                    None,
                ));
            }
            for (source, name, shape, interleaved) in linears {
                let has_bias = if source.starts_with("attn_") {
                    self.attention_bias
                } else {
                    self.feed_forward_bias
                };
                let parts: [(&str, &[usize]); 2] = [("weight", &shape), ("bias", &shape[..1])];
                for (part, shape) in parts.into_iter().take(1 + usize::from(has_bias)) {
                    all.push(renamed(
                        format!("model.layers.{layer}.{name}.{part}"),
                        format!("blk.{layer}.{source}.{part}"),
                        shape,
                        interleaved,
                    ));
                }
            }
        }
        all.sort();
        all
    }

    /// Notes every tensor that is missing, misshapen, of unknown type or not known at all.
    fn check(&self, container: &Container, metadata: &mut Metadata<'_>) {
        for wanted in &self.tensors {
            let source = &wanted.source;
            let Some(info) = container.tensors.get(source) else {
                metadata.problem(format!("the tensor `{source}` is missing"));
                continue;
            };
            if info.shape != wanted.shape {
                metadata.problem(format!(
                    "the tensor `{source}` has the shape {:?}, where {:?} is expected",
                    info.shape, wanted.shape
                ));
            }
            if let Err(number) = info.stored {
                metadata.problem(format!(
                    "the tensor `{source}` is stored as type {number}, which cannot be read"
                ));
            }
        }
        let wanted: BTreeSet<&str> = self
            .tensors
            .iter()
            .map(|tensor| tensor.source.as_str())
            .collect();
        for name in container.tensors.keys() {
            if !wanted.contains(name.as_str()) && name != rope::FACTORS {
                metadata.problem(format!("the tensor `{name}` has no place in the model"));
            }
        }
    }

    /// The model's `config.json`; weights are `torch_dtype`.
    pub(super) fn config(&self, special: &SpecialIds, torch_dtype: &str) -> Json {
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "attention_bias": self.attention_bias,
            "attention_dropout": 0.0,
            "bos_token_id": special.bos,
            "eos_token_id": special.eos,
            "head_dim": self.d_head,
            "hidden_act": "silu",
            "hidden_size": self.d_model,
            "initializer_range": 0.02,
            "intermediate_size": self.d_ff,
            "max_position_embeddings": self.n_positions,
            "mlp_bias": self.feed_forward_bias,
            "num_attention_heads": self.n_heads,
            "num_hidden_layers": self.n_layers,
            "num_key_value_heads": self.n_kv_heads,
            "pad_token_id": special.pad,
            "rms_norm_eps": self.norm_epsilon,
            "rope_scaling": self.rope_scaling,
            "rope_theta": self.rope_theta,
            "tie_word_embeddings": self.tied,
            "torch_dtype": torch_dtype,
            "use_cache": true,
            "vocab_size": self.n_vocab,
        })
    }
}

fn is_bias(name: &str, prefix: &str) -> bool {
    name.ends_with(".bias") && name.split('.').any(|part| part.starts_with(prefix))
}
