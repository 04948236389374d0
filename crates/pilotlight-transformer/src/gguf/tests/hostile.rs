//! Files that are damaged or hold something else: a clear error, and nothing left behind.

use super::*;

#[test]
fn no_prefix_of_a_file_is_imported_or_panics() {
    let bytes = with_byte_level("smollm").bytes();
    // All of the header's first part, then samples: the file is long.
    let lengths = (0..2_000).chain((2_000..bytes.len()).step_by(20_011));
    for length in lengths {
        let attempt = Attempt::of_bytes(&bytes[..length], &ImportOptions::default());
        attempt.fails_with("hint:");
    }
}

#[test]
fn flipped_bytes_of_the_header_never_panic() {
    let bytes = with_byte_level("smollm").bytes();
    let name = b"blk.0.attn_k.weight";
    let table = bytes.windows(name.len()).position(|window| window == name);
    let table = table.expect("in the table of tensors");
    for index in (0..1_000).chain(table - 8..table + 700).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[index] = [0x00, 0x7f, 0xff][index % 3];
        let attempt = Attempt::of_bytes(&damaged, &ImportOptions::default());
        // Some bytes are harmless: those of the model's name.
        if attempt.result.is_err() {
            attempt.fails_with("hint:");
        }
    }
}

#[test]
fn another_kind_of_file_is_named() {
    let bytes = |bytes: &[u8]| Attempt::of_bytes(bytes, &ImportOptions::default());
    bytes(b"PK\x03\x04 a zip archive").fails_with("not a GGUF file");
    bytes(b"").fails_with("not a GGUF file");
    bytes(b"GGUF\x01\0\0\0").fails_with("version 1");
    bytes(b"GGUF\0\0\0\x03").fails_with("big-endian");
}

#[test]
fn announced_counts_are_not_believed() {
    let bytes = with_byte_level("smollm").bytes();
    for (place, message) in [(8, "tensors are announced"), (16, "metadata entries")] {
        let mut damaged = bytes.clone();
        damaged[place..place + 8].copy_from_slice(&(1u64 << 40).to_le_bytes());
        Attempt::of_bytes(&damaged, &ImportOptions::default()).fails_with(message);
    }
    let mut endless = 4u32.to_le_bytes().to_vec();
    endless.extend(u64::MAX.to_le_bytes());
    let file = with_byte_level("smollm").set("tokenizer.ggml.token_type", Entry(9, endless));
    Attempt::of(&file).fails_with("items of `tokenizer.ggml.token_type`");
    let file = with_byte_level("smollm").set("llama.block_count", count(u32::MAX));
    Attempt::of(&file).fails_with("4294967295 layers are announced");
    let file = with_byte_level("smollm").set("general.alignment", count(0));
    Attempt::of(&file).fails_with("general.alignment");
    let mut wide = plain(&[1], |_| 0.0);
    wide.shape = vec![u64::MAX / 2, u64::MAX / 2];
    let file = with_byte_level("smollm").tensor("output_norm.weight", wide);
    Attempt::of(&file).fails_with("output_norm.weight");
    let mut long = plain(&[1], |_| 0.0);
    long.shape = vec![1 << 30];
    let file = with_byte_level("smollm").tensor("output_norm.weight", long);
    Attempt::of(&file).fails_with("ends behind the end of the file");
}

#[test]
fn all_problems_with_the_tensors_are_listed_at_once() {
    let mut file = with_byte_level("smollm")
        .tensor("blk.0.attn_v.weight", plain(&[64, 256], |_| 0.0))
        .tensor("blk.0.attn_q_norm.weight", plain(&[128], |_| 0.0));
    file.tensors.remove("blk.0.ffn_up.weight");
    if let Some(stored) = file.tensors.get_mut("output_norm.weight") {
        stored.kind = 23;
    }
    let attempt = Attempt::of(&file);
    for message in [
        "`blk.0.attn_v.weight` has the shape [64, 256], where [128, 256] is expected",
        "`blk.0.ffn_up.weight` is missing",
        "`blk.0.attn_q_norm.weight` has no place in the model",
        "`output_norm.weight` is stored as type 23",
    ] {
        attempt.fails_with(message);
    }
}

#[test]
fn what_is_not_a_llama_model_is_refused() {
    let tiny = || with_byte_level("smollm");
    Attempt::of(&tiny().set("general.architecture", text("gpt2")))
        .fails_with("architecture is `gpt2`");
    Attempt::of(&tiny().set("llama.expert_count", count(8))).fails_with("mixture of experts");
    Attempt::of(&tiny().set("split.count", count(3))).fails_with("gguf-split --merge");
    Attempt::of(&tiny().set("llama.rope.scaling.type", text("yarn")))
        .fails_with("scaled by `yarn`");
    Attempt::of(&tiny().set("llama.rope.dimension_count", count(64)))
        .fails_with("heads are 128 wide");
    Attempt::of(&tiny().set("llama.attention.head_count_kv", count(0)))
        .fails_with("cannot share 0");
    Attempt::of(&tiny().set("llama.embedding_length", text("wide")))
        .fails_with("is a string, where a count");
    Attempt::of(&tiny().unset("llama.context_length"))
        .fails_with("`llama.context_length` is missing");
    let odd = tiny().tensor(
        "rope_freqs.weight",
        plain(&[64], |index| index as f32 + 1.0),
    );
    Attempt::of(&odd).fails_with("not that of Llama 3");
    let broken = tiny().tensor("output_norm.weight", plain(&[256], |_| f32::NAN));
    Attempt::of(&broken).fails_with("not finite");
}

#[test]
fn unknown_or_broken_tokenizers_are_refused() {
    let tiny = || with_byte_level("smollm");
    Attempt::of(&tiny().set("tokenizer.ggml.model", text("bert"))).fails_with("of the kind `bert`");
    Attempt::of(&tiny().set("tokenizer.ggml.pre", text("tekken")))
        .fails_with("in the way `tekken`");
    Attempt::of(&tiny().unset("tokenizer.ggml.merges")).fails_with("no merges");
    Attempt::of(&tiny().unset("tokenizer.ggml.tokens")).fails_with("holds no tokenizer");
    Attempt::of(&tiny().set("tokenizer.ggml.eos_token_id", count(9999))).fails_with("is 9999");
    let merges = texts(&["foxes dogs".into(), "t h".into()]);
    Attempt::of(&tiny().set("tokenizer.ggml.merges", merges)).fails_with("merges of its tokenizer");
    let merges = texts(&["t".into()]);
    Attempt::of(&tiny().set("tokenizer.ggml.merges", merges)).fails_with("is no pair");
    let tokens = texts(&["a".into(), "b".into()]);
    Attempt::of(&tiny().set("tokenizer.ggml.tokens", tokens))
        .fails_with("do not fit 381 word embeddings");
    Attempt::of(&with_sentence_piece().unset("tokenizer.ggml.scores")).fails_with("no scores");
}

#[test]
fn an_unnamed_split_is_noted() {
    let attempt = Attempt::of(&with_byte_level("smollm").unset("tokenizer.ggml.pre"));
    assert_eq!(attempt.report().notes.len(), 1);
    let golden = byte_level();
    assert_eq!(ids(&attempt, &golden.texts), golden.ids["gpt-2"]);
}

#[test]
fn a_taken_place_is_left_as_it_is() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let gguf = folder.path().join("model.gguf");
    std::fs::write(&gguf, with_byte_level("smollm").bytes()).expect("written");
    let out = folder.path().join("deep").join("out");
    std::fs::create_dir_all(&out).expect("created");
    assert!(import(&gguf, &out).is_ok(), "an empty folder is free");
    let error = import(&gguf, &out).expect_err("taken").to_string();
    assert!(error.contains("is not an empty folder"), "{error}");
    let error = import(&gguf, &gguf).expect_err("a file").to_string();
    assert!(error.contains("is not an empty folder"), "{error}");
}
